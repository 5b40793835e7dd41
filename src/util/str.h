/* Small text helpers: encodings, UTF-8, numbers with units. */
#ifndef UTIL_STR_H
#define UTIL_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case hex of ${n} bytes; out has 2n + 1 places. */
void str_hex(const void *p, size_t n, char *out);
/* What a hex digit of either case stands for; -1 for any other character. */
int str_hex_digit(char c);
/* The value of the four hex digits at s[0..n); -1 if there are none. */
int str_hex4(const char *s, size_t n);
/* base64url without padding (RFC 4648 section 5); out has (n*4+2)/3 + 1. */
void str_b64url(const void *p, size_t n, char *out);
/* Strict decoding; the number of bytes, or -1 (also when ${max} is short). */
int str_b64url_decode(const char *s, size_t n, void *out, size_t max);
/* Length of the longest prefix of s[0..n) that is valid UTF-8. */
size_t str_utf8_prefix(const char *s, size_t n);
/* Length of the valid character at ${s}, n > 0 bytes left; 0 if it is none. */
size_t str_utf8_char(const char *s, size_t n);
bool str_utf8_valid(const char *s, size_t n);
/* ASCII characters at the start of s[0..n) that stand for themselves in a JSON
 * string: all but controls, DEL, the quote and the backslash. */
size_t str_json_plain(const char *s, size_t n);
/* Whole decimal number in [min, max]; 0 or -1. */
int str_int(const char *s, int64_t min, int64_t max, int64_t *out);
#define STR_INT 21 /* for the longest, with its NUL */
/* ${n} in decimal, as "%lld" would have it; its length. */
size_t str_from_int(int64_t n, char out[STR_INT]);
/* Equal in time that does not depend on where they differ. */
bool str_eq_const(const void *a, const void *b, size_t n);
bool str_starts(const char *s, const char *prefix);
/* slug: [a-z0-9][a-z0-9-]{1,62};  name: [a-z][a-z0-9_]{0,62} */
bool str_is_slug(const char *s);
bool str_is_name(const char *s);

#endif
