/* api/position: an event's id is read, or refused; what is read is what stood
 * there. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/position.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1), id[UUID_TEXT], again[UUID_TEXT + 24];
	struct uuid turn, turn2;
	struct err e = { 0 };
	int64_t at, at2;

	if (text == NULL)
		abort();
	if (n > 0)
		memcpy(text, data, n);
	text[n] = '\0';
	if (position_parse(text, &turn, &at, &e) < 0) {
		if (e.code != ERR_MALFORMED)
			abort();
	} else {
		id_format(&turn, id);
		snprintf(again, sizeof(again), "%s:%lld", id, (long long)at);
		if (at < 0 || position_parse(again, &turn2, &at2, &e) < 0 ||
		    at2 != at || !id_eq(&turn, &turn2))
			abort();
	}
	free(text);
	return 0;
}
