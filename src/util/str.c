/* Small text helpers: encodings, UTF-8, numbers, names. */
#include "util/str.h"

#include <limits.h>
#include <string.h>

#include "util/banned.h"

void
str_hex(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[2 * n] = '\0';
}

int
str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
str_hex4(const char *s, size_t n)
{
	int v = 0;

	if (n < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = str_hex_digit(s[i]);

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

static const char b64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
str_b64url(const void *p, size_t n, char *out)
{
	const unsigned char *b = p;
	size_t i;

	for (i = 0; i + 3 <= n; i += 3) {
		unsigned v =
		    (unsigned)b[i] << 16 | (unsigned)b[i + 1] << 8 | b[i + 2];

		*out++ = b64[v >> 18];
		*out++ = b64[v >> 12 & 63];
		*out++ = b64[v >> 6 & 63];
		*out++ = b64[v & 63];
	}
	if (n - i == 1) {
		*out++ = b64[b[i] >> 2];
		*out++ = b64[(b[i] & 3) << 4];
	} else if (n - i == 2) {
		unsigned v = (unsigned)b[i] << 8 | b[i + 1];

		*out++ = b64[v >> 10];
		*out++ = b64[v >> 4 & 63];
		*out++ = b64[v << 2 & 63];
	}
	*out = '\0';
}

static int
b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

int
str_b64url_decode(const char *s, size_t n, void *out, size_t max)
{
	unsigned char *o = out;
	size_t bytes = n / 4 * 3 + (n % 4 > 0 ? n % 4 - 1 : 0), at = 0;
	unsigned acc = 0, bits = 0;

	if (n % 4 == 1 || bytes > max || bytes > INT_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int v = b64_value(s[i]);

		if (v < 0)
			return -1;
		acc = (acc << 6 | (unsigned)v) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			o[at++] = (unsigned char)(acc >> bits);
		}
	}
	/* Left-over bits must be 0, or two texts would mean the same bytes. */
	if ((acc & ((1U << bits) - 1)) != 0)
		return -1;
	return (int)at;
}

size_t
str_utf8_char(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	/* RFC 3629 section 4: no overlong forms, surrogates, > U+10FFFF. */
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

size_t
str_utf8_prefix(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		uint64_t word;
		size_t len;

		/* Eight ASCII bytes at a time. */
		while (n - i >= sizeof(word)) {
			memcpy(&word, s + i, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) != 0)
				break;
			i += sizeof(word);
		}
		if (i == n)
			break;
		len = str_utf8_char(s + i, n - i);
		if (len == 0)
			break;
		i += len;
	}
	return i;
}

bool
str_utf8_valid(const char *s, size_t n)
{
	return str_utf8_prefix(s, n) == n;
}

/* Each byte of a word the same. */
#define EACH(c) (UINT64_C(0x0101010101010101) * (c))

/* The high bit of each byte that is zero; of those after it perhaps too. */
static uint64_t
zero_bytes(uint64_t v)
{
	return (v - EACH(1)) & ~v & EACH(0x80);
}

static bool
json_plain_word(uint64_t v)
{
	uint64_t controls = (v - EACH(0x20)) & ~v & EACH(0x80);

	return ((v & EACH(0x80)) | controls | zero_bytes(v ^ EACH('"')) |
		   zero_bytes(v ^ EACH('\\')) | zero_bytes(v ^ EACH(0x7f))) ==
	       0;
}

size_t
str_json_plain(const char *s, size_t n)
{
	size_t i = 0;
	uint64_t v;

	for (; n - i >= sizeof(v); i += sizeof(v)) {
		memcpy(&v, s + i, sizeof(v));
		if (!json_plain_word(v))
			break;
	}
	while (
	    i < n && s[i] >= ' ' && s[i] <= '~' && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

int
str_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	bool negative;
	int64_t v = 0;

	if (s == NULL)
		return -1;
	negative = *s == '-';
	if (negative)
		s++;
	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		int d = *s - '0';

		if (d < 0 || d > 9)
			return -1;
		/* Downwards for negative ones: INT64_MIN has no positive. */
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, negative ? -d : d, &v))
			return -1;
	}
	if (v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

size_t
str_from_int(int64_t n, char out[STR_INT])
{
	/* Without sign: INT64_MIN has no positive. */
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char digits[STR_INT], *p = digits + sizeof(digits);
	size_t len;

	*--p = '\0';
	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (n < 0)
		*--p = '-';
	len = (size_t)(digits + sizeof(digits) - 1 - p);
	memcpy(out, p, len + 1);
	return len;
}

bool
str_eq_const(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= (unsigned char)(x[i] ^ y[i]);
	return diff == 0;
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
str_is_slug(const char *s)
{
	size_t n = 0;

	if (s == NULL || (!is_lower(s[0]) && !is_digit(s[0])))
		return false;
	for (; s[n] != '\0'; n++)
		if (n >= 63 ||
		    (!is_lower(s[n]) && !is_digit(s[n]) && s[n] != '-'))
			return false;
	return n >= 2;
}

bool
str_is_name(const char *s)
{
	size_t n = 0;

	if (s == NULL || !is_lower(s[0]))
		return false;
	for (; s[n] != '\0'; n++)
		if (n >= 63 ||
		    (!is_lower(s[n]) && !is_digit(s[n]) && s[n] != '_'))
			return false;
	return true;
}
