/* Decoding of query strings: one pass, no copies but the value asked for. */
#include "http/form.h"

#include <stdint.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

bool
form_next(const char **at, const char *end, struct form_pair *out)
{
	const char *p = *at, *stop, *eq;

	while (p < end && *p == '&')
		p++;
	*at = p;
	if (p == end)
		return false;
	stop = memchr(p, '&', (size_t)(end - p));
	if (stop == NULL)
		stop = end;
	eq = memchr(p, '=', (size_t)(stop - p));
	out->name = p;
	out->name_len = (size_t)((eq != NULL ? eq : stop) - p);
	out->value = eq != NULL ? eq + 1 : stop;
	out->value_len = (size_t)(stop - out->value);
	*at = stop;
	return true;
}

/* The byte that *p starts with, *p moved behind it; -1 for a bad escape. */
static int
unescape(const char **p, const char *end)
{
	const char *s = *p;
	int high, low;

	*p = s + 1;
	if (*s == '+')
		return ' ';
	if (*s != '%')
		return (unsigned char)*s;
	if (end - s < 3)
		return -1;
	high = str_hex_digit(s[1]);
	low = str_hex_digit(s[2]);
	if (high < 0 || low < 0)
		return -1;
	*p = s + 3;
	return high << 4 | low;
}

int
form_decode(const void *ctx, const char *p, size_t n, char **ret, struct err *e)
{
	const char *end = p + n;
	char *out = mem_strndup(ctx, p, n); /* decoding never grows */
	size_t len = 0;

	while (p < end) {
		int c = unescape(&p, end);

		if (c <= 0) {
			mem_free(out);
			return err_set(e, ERR_MALFORMED, "%s",
			    c == 0 ? "an encoded NUL"
				   : "a percent sign without two hex digits");
		}
		out[len++] = (char)c;
	}
	out[len] = '\0';
	if (!str_utf8_valid(out, len)) {
		mem_free(out);
		return err_set(e, ERR_MALFORMED, "bytes that are not UTF-8");
	}
	*ret = out;
	return 0;
}

bool
form_is(const char *p, size_t n, const char *name)
{
	const char *end = p + n;

	while (p < end) {
		int c = unescape(&p, end);

		if (c <= 0 || c != (unsigned char)*name++)
			return false;
	}
	return *name == '\0';
}
