/*
 * A row of configuration, wherever it came from: columns of text as the
 * database gave them.  What a domain makes of one is the same for a row just
 * read and for one that another worker read before.
 */
#ifndef CACHE_ROW_H
#define CACHE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/id.h"

struct buf;

#define ROW_COLUMNS 16

struct row {
	int n;
	const char *text[ROW_COLUMNS]; /* NUL-terminated; NULL: null */
	size_t len[ROW_COLUMNS];
};

bool row_null(const struct row *, int col);
const char *row_text(const struct row *, int col); /* "" for null */
int64_t row_int(const struct row *, int col);
bool row_bool(const struct row *, int col);
/* 0, or -1 when the column is null or no UUID. */
int row_uuid(const struct row *, int col, struct uuid *out);

/* Append the row to ${out}. */
void row_pack(const struct row *, struct buf *out);
/* A row whose texts lie in ${bytes}; 0, or -1 when that is none. */
int row_unpack(const char *bytes, size_t len, struct row *out);

#endif
