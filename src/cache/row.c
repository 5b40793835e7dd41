/*
 * Packed, a row is the number of its columns, and for each its length and its
 * text with the NUL; null has a length of its own.
 */
#include "cache/row.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf.h"

#include "util/banned.h"

#define IS_NULL UINT32_MAX

bool
row_null(const struct row *r, int col)
{
	return col >= r->n || r->text[col] == NULL;
}

const char *
row_text(const struct row *r, int col)
{
	return row_null(r, col) ? "" : r->text[col];
}

int64_t
row_int(const struct row *r, int col)
{
	return strtoll(row_text(r, col), NULL, 10);
}

bool
row_bool(const struct row *r, int col)
{
	return row_text(r, col)[0] == 't';
}

int
row_uuid(const struct row *r, int col, struct uuid *out)
{
	return row_null(r, col) ? -1 : id_parse(r->text[col], r->len[col], out);
}

void
row_pack(const struct row *r, struct buf *out)
{
	buf_addc(out, (char)r->n);
	for (int i = 0; i < r->n; i++) {
		uint32_t len = r->text[i] ? (uint32_t)r->len[i] : IS_NULL;

		buf_add(out, (const char *)&len, sizeof(len));
		if (r->text[i])
			buf_add(out, r->text[i], r->len[i] + 1);
	}
}

int
row_unpack(const char *bytes, size_t len, struct row *out)
{
	size_t at = 1;
	uint32_t n;

	memset(out, 0, sizeof(*out));
	if (len < 1 || (unsigned char)bytes[0] > ROW_COLUMNS)
		return -1;
	out->n = (unsigned char)bytes[0];
	for (int i = 0; i < out->n; i++) {
		if (len - at < sizeof(n))
			return -1;
		memcpy(&n, bytes + at, sizeof(n));
		at += sizeof(n);
		if (n == IS_NULL)
			continue;
		if (n >= len - at || bytes[at + n] != '\0')
			return -1;
		out->text[i] = bytes + at;
		out->len[i] = n;
		at += (size_t)n + 1;
	}
	return at == len ? 0 : -1;
}
