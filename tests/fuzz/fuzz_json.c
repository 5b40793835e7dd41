/*
 * util/json against jansson itself: what our scan accepts, jansson accepts but
 * for duplicates and ranges; what it refuses, jansson refuses but for limits
 * and NUL.  And what is written is read again as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/json.h"

#include "util/banned.h"

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x))                                                      \
			abort();                                               \
	} while (0)

static void
write_and_read(const json_t *v)
{
	struct json_limits wide = { 64, 1000000 };
	struct buf a, b;
	struct err e;
	json_t *again;

	buf_init(&a, NULL, 1 << 24);
	buf_init(&b, NULL, 1 << 24);
	json_write(&a, v);
	MUST(!buf_failed(&a));
	MUST(json_parse(a.data, a.len, &wide, &again, &e) == 0);
	json_write(&b, again);
	MUST(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	json_decref(again);
	buf_free(&a);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	json_error_t je;
	json_t *v = NULL, *other;
	struct err e = { .code = ERR_NONE };
	int rc = json_parse(text, n, &JSON_LIMITS_REQUEST, &v, &e);

	/* jansson passes over NUL bytes between tokens; we do not. */
	MUST(n == 0 || memchr(data, '\0', n) == NULL || rc != 0);
	MUST(rc == 0 || (e.code == ERR_MALFORMED && v == NULL));
	other =
	    json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (rc == 0)
		MUST(other != NULL && json_equal(v, other));
	else if (strstr(e.text, "not JSON") != NULL)
		abort(); /* the scan let through what jansson does not know */
	else if (other != NULL && memchr(data, '\0', n) == NULL)
		MUST(strstr(e.text, "NUL") != NULL ||
		     strstr(e.text, "too many") != NULL ||
		     strstr(e.text, "too deeply") != NULL);
	if (rc == 0)
		write_and_read(v);
	json_decref(v);
	json_decref(other);
	return 0;
}
