/* Where in its class a rank falls. */
#include "api/manage/percentile.h"

#include "util/banned.h"

/* Upper ends in ms; the last class has none. */
static const json_int_t ends[] = { 50, 100, 200, 500, 1000, 2000, 5000, 10000,
	30000, 60000 };
#define ENDS (sizeof(ends) / sizeof(ends[0]))

json_int_t
percentile_count(const json_t *hist)
{
	json_int_t n = 0;
	json_t *v;
	size_t i;

	json_array_foreach(hist, i, v) n += json_integer_value(v);
	return n;
}

json_t *
percentile(const json_t *hist, int percent, json_int_t max)
{
	json_int_t total = percentile_count(hist), seen = 0, rank;

	if (total == 0)
		return json_null();
	rank = (total * percent + 99) / 100; /* the rank-th of them, from 1 */
	for (size_t i = 0; i <= ENDS; i++) {
		json_int_t n = json_integer_value(json_array_get(hist, i)),
			   low = i > 0 ? ends[i - 1] : 0,
			   high = i < ENDS && ends[i] < max ? ends[i] : max;

		if (seen + n < rank) {
			seen += n;
			continue;
		}
		if (high < low) /* no longest is known */
			high = low;
		return json_integer(low + (high - low) * (rank - seen) / n);
	}
	return json_integer(max);
}
