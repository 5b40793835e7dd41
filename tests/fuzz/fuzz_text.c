/* util/id and util/str: what can be read is written the same way again. */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/buf.h"
#include "util/id.h"
#include "util/json.h"
#include "util/str.h"

#include "util/banned.h"

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x))                                                      \
			abort();                                               \
	} while (0)

static void
check_id(const char *s, size_t n)
{
	char text[UUID_TEXT];
	struct uuid u;

	if (id_parse(s, n, &u) != 0)
		return;
	id_format(&u, text);
	MUST(n == 36 && strncasecmp(text, s, n) == 0);
}

static void
check_b64(const char *s, size_t n)
{
	unsigned char *plain = malloc(n + 1);
	char *text = malloc(n * 2 + 4);
	int len;

	MUST(plain != NULL && text != NULL);
	len = str_b64url_decode(s, n, plain, n);
	if (len >= 0) {
		str_b64url(plain, (size_t)len, text);
		MUST(strlen(text) == n && memcmp(text, s, n) == 0);
	}
	str_b64url(s, n, text);
	MUST(str_b64url_decode(text, strlen(text), plain, n) == (int)n);
	MUST(n == 0 || memcmp(plain, s, n) == 0);
	free(plain);
	free(text);
}

/* A JSON string of any bytes is read back by a strict reader. */
static void
check_json(const char *s, size_t n)
{
	struct json_limits lim = { 1, 1 };
	struct buf b;
	struct err e;
	json_t *v;

	buf_init(&b, NULL, n * 6 + 2);
	buf_json_str(&b, s, n);
	MUST(!buf_failed(&b));
	if (json_parse(b.data, b.len, &lim, &v, &e) == 0) {
		if (str_utf8_valid(s, n))
			MUST(json_string_length(v) == n &&
			     (n == 0 ||
				 memcmp(json_string_value(v), s, n) == 0));
		json_decref(v);
	} else {
		MUST(memchr(s, '\0', n) != NULL);
	}
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = malloc(n + 1);
	size_t prefix;
	int64_t v;

	MUST(copy != NULL);
	if (n > 0)
		memcpy(copy, data, n);
	copy[n] = '\0';
	check_id(copy, n);
	check_b64(copy, n);
	check_json(copy, n);
	prefix = str_utf8_prefix(copy, n);
	MUST(prefix <= n && str_utf8_valid(copy, prefix));
	if (str_int(copy, -1000, INT64_MAX, &v) == 0)
		MUST(v >= -1000);
	MUST(!str_is_slug(copy) || strlen(copy) <= 63);
	MUST(!str_is_name(copy) || strlen(copy) <= 63);
	free(copy);
	return 0;
}
