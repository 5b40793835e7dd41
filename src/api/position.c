/* The ids of events, as browsers send them back in Last-Event-ID. */
#include "api/position.h"

#include <string.h>

#include "util/banned.h"

#define DIGITS_MAX 18 /* fits an int64_t */

int
position_parse(const char *text, struct uuid *turn, int64_t *n, struct err *e)
{
	const char *colon = strchr(text, ':'), *p = colon ? colon + 1 : "";
	size_t digits = strspn(p, "0123456789");
	struct uuid id;
	int64_t value = 0;

	if (!colon || digits == 0 || digits > DIGITS_MAX || p[digits] ||
	    id_parse(text, (size_t)(colon - text), &id) < 0)
		return err_set(e, ERR_MALFORMED,
		    "Last-Event-ID is the id of an event: a turn's id, a colon "
		    "and a number");
	for (; *p; p++)
		value = value * 10 + (*p - '0');
	*turn = id;
	*n = value;
	return 0;
}
