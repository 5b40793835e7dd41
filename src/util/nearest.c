/* Edit distance, for "did you mean". */
#include "util/nearest.h"

#include <stddef.h>
#include <string.h>

#include "util/banned.h"

#define LEN_MAX 64

static int
least(int a, int b, int c)
{
	int m = a < b ? a : b;

	return m < c ? m : c;
}

static int
distance(const char *a, size_t na, const char *b, size_t nb)
{
	int row[LEN_MAX + 1] = { 0 };

	for (size_t j = 0; j <= nb; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= na; i++) {
		int diagonal = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= nb; j++) {
			int up = row[j];

			row[j] = least(up + 1, row[j - 1] + 1,
			    diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[nb];
}

const char *
nearest_name(const char *name, const char *const *names, int n)
{
	size_t len = strlen(name), other;
	const char *best = NULL;
	int d, best_d = (int)(len / 3 + 1); /* a third of it may be wrong */

	if (len == 0 || len > LEN_MAX)
		return NULL;
	for (int i = 0; i < n; i++) {
		other = strlen(names[i]);
		if (other == 0 || other > LEN_MAX)
			continue;
		d = distance(name, len, names[i], other);
		/* "system_prompt" for "prompt": a whole word of it */
		if (d > best_d && len >= 4 && strstr(names[i], name) != NULL &&
		    best == NULL) {
			best = names[i];
			continue;
		}
		if (d < best_d || (d == best_d && best == NULL)) {
			best = names[i];
			best_d = d;
		}
	}
	return best;
}
