/* Encoded words and quoted-printable. */
#include "mail/mime_priv.h"

#include <stdint.h>
#include <string.h>

#include "util/str.h"

#include "util/banned.h"

#define LINE 76
#define WORD_BYTES                                                             \
	42 /* of UTF-8 in an encoded word: 56 in base64, 68 in all             \
	    */

static void
base64(struct buf *b, const unsigned char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				     "nopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? p[i + 2] : 0;
		buf_addc(b, digits[v >> 18]);
		buf_addc(b, digits[v >> 12 & 63]);
		buf_addc(b, i + 1 < n ? digits[v >> 6 & 63] : '=');
		buf_addc(b, i + 2 < n ? digits[v & 63] : '=');
	}
}

/* Short ASCII that no reader takes for an encoded word. */
static bool
is_plain(const char *s, size_t column)
{
	if (strlen(s) + column > LINE || strstr(s, "=?") != NULL)
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

void
mime_header(struct buf *b, const char *s, size_t column)
{
	size_t left = strlen(s);

	if (is_plain(s, column)) {
		buf_adds(b, s);
		return;
	}
	while (left > 0) {
		size_t n = 0, more;

		/* No character is divided between two words. */
		while (n < left &&
		       (more = str_utf8_char(s + n, left - n)) > 0 &&
		       n + more <= WORD_BYTES)
			n += more;
		if (n == 0)
			break;
		buf_adds(b, "=?UTF-8?B?");
		base64(b, (const unsigned char *)s, n);
		buf_adds(b, "?=");
		s += n;
		left -= n;
		if (left > 0)
			buf_adds(b, "\r\n ");
	}
}

/* Must the character at ${s} be written as =XX? */
static bool
is_quoted(const char *s)
{
	if (*s == ' ' || *s == '\t')
		return s[1] == '\n' || s[1] == '\0';
	return *s < '!' || *s > '~' || *s == '=';
}

void
mime_quoted_printable(struct buf *b, const char *s)
{
	size_t column = 0;

	for (; *s != '\0'; s++) {
		size_t need = is_quoted(s) ? 3 : 1;

		if (*s == '\n') {
			buf_adds(b, "\r\n");
			column = 0;
			continue;
		}
		/* A place for the "=" of a soft line break. */
		if (column + need > LINE - 1) {
			buf_adds(b, "=\r\n");
			column = 0;
		}
		if (need == 3)
			buf_addf(b, "=%02X", (unsigned char)*s);
		else
			buf_addc(b, *s);
		column += need;
	}
	if (column > 0)
		buf_adds(b, "\r\n");
}
