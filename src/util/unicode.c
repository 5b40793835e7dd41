/* What we need of utf8proc, with bounds. */
#include "util/unicode.h"

#include <string.h>
#include <utf8proc.h>

#include "util/mem.h"

#include "util/banned.h"

static enum unicode_end
failed(utf8proc_ssize_t n)
{
	return n == UTF8PROC_ERROR_NOTASSIGNED ? UNICODE_UNASSIGNED
	                                       : UNICODE_BAD;
}

/* Decomposed, in memory of ours: the library's own calls would give up where
 * there is none.  *len code points, with room for as many bytes again. */
static enum unicode_end
decompose(const void *ctx, const char *s, size_t n, utf8proc_option_t how,
    utf8proc_int32_t **ret, utf8proc_ssize_t *len)
{
	const utf8proc_uint8_t *from = (const utf8proc_uint8_t *)s;
	utf8proc_ssize_t need =
	    utf8proc_decompose(from, (utf8proc_ssize_t)n, NULL, 0, how);

	if (need < 0)
		return failed(need);
	/* reencode() ends its text in a NUL */
	*ret = mem_array(ctx, utf8proc_int32_t, (size_t)need + 1);
	*len = utf8proc_decompose(from, (utf8proc_ssize_t)n, *ret, need, how);
	return *len < 0 ? failed(*len) : UNICODE_OK;
}

enum unicode_end
unicode_nfc(const void *ctx, const char *s, size_t n, bool assigned, size_t max,
    char **ret)
{
	utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
	utf8proc_int32_t *points = NULL;
	utf8proc_ssize_t len = 0;
	enum unicode_end end;

	*ret = NULL;
	if (n > max)
		return UNICODE_LONG;
	if (memchr(s, '\0', n) != NULL)
		return UNICODE_BAD;
	if (assigned)
		how |= UTF8PROC_REJECTNA;
	end = decompose(ctx, s, n, how, &points, &len);
	if (end == UNICODE_OK) {
		/* In place: a character is no longer in UTF-8 than here. */
		len = utf8proc_reencode(points, len, how);
		if (len < 0)
			end = failed(len);
		else if ((size_t)len > max)
			end = UNICODE_LONG;
		else
			*ret =
			    mem_strndup(ctx, (const char *)points, (size_t)len);
	}
	if (points != NULL && len > 0)
		explicit_bzero(points, (size_t)len);
	mem_free(points);
	return end;
}

int
unicode_fold(const char *s, size_t n, int32_t *out, size_t max)
{
	utf8proc_ssize_t got = utf8proc_decompose((const utf8proc_uint8_t *)s,
	    (utf8proc_ssize_t)n, out, (utf8proc_ssize_t)max,
	    UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE |
		UTF8PROC_CASEFOLD | UTF8PROC_IGNORE | UTF8PROC_STRIPMARK);

	return got < 0 || (size_t)got > max ? -1 : (int)got;
}

size_t
unicode_count(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}
