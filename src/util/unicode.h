/*
 * Unicode normal forms, by utf8proc.  The library's tables follow its version:
 * only of assigned characters is it certain that every version gives the same
 * (Unicode's stability policy).
 */
#ifndef UTIL_UNICODE_H
#define UTIL_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unicode_end {
	UNICODE_OK,
	UNICODE_BAD,        /* not UTF-8 */
	UNICODE_UNASSIGNED, /* a code point nobody has assigned */
	UNICODE_LONG,       /* the result has more than max bytes */
};

/*
 * s[0..n), which holds no NUL, in normalisation form C (UAX 15), talloc'd below
 * ctx.  ${assigned}: refuse unassigned code points.  Any thread.
 */
enum unicode_end unicode_nfc(const void *ctx, const char *s, size_t n,
    bool assigned, size_t max, char **ret);

/*
 * The code points of s[0..n) where case, compatible forms and marks make no
 * difference ("P\u00e4ss" is "pass"): for comparing, never for keeping.  At
 * most ${max} into out; how many, or -1: not UTF-8, or more than that.
 */
int unicode_fold(const char *s, size_t n, int32_t *out, size_t max);

/* How many characters (code points) a valid UTF-8 text has. */
size_t unicode_count(const char *s);

#endif
