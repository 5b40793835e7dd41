/* Values in PostgreSQL's binary format, as elements of arrays. */
#include <endian.h>
#include <string.h>

#include "db/writer_priv.h"

#include "util/banned.h"

#define JSONB_VERSION 1
/* PostgreSQL counts from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

static const struct {
	Oid type, array; /* pg_type.dat: these never change */
} oids[] = {
	[COL_UUID] = { 2950, 2951 },
	[COL_TEXT] = { 25, 1009 },
	[COL_JSONB] = { 3802, 3807 },
	[COL_BOOL] = { 16, 1000 },
	[COL_INT4] = { 23, 1007 },
	[COL_INT8] = { 20, 1016 },
	[COL_TIMESTAMPTZ] = { 1184, 1185 },
	[COL_BYTEA] = { 17, 1001 },
};

Oid
element_oid(enum col_type type)
{
	return oids[type].type;
}

Oid
element_array_oid(enum col_type type)
{
	return oids[type].array;
}

static void
put_len(struct buf *b, uint32_t n)
{
	n = htobe32(n);
	buf_add(b, &n, sizeof(n));
}

static void
put_int8(struct buf *b, int64_t v)
{
	uint64_t n = htobe64((uint64_t)v);

	put_len(b, sizeof(n));
	buf_add(b, &n, sizeof(n));
}

static void
put_int(struct buf *b, enum col_type type, int64_t v)
{
	uint32_t n;

	switch (type) {
	case COL_BOOL:
		put_len(b, 1);
		buf_addc(b, v != 0);
		break;
	case COL_INT4:
		n = htobe32((uint32_t)v);
		put_len(b, sizeof(n));
		buf_add(b, &n, sizeof(n));
		break;
	case COL_TIMESTAMPTZ:
		put_int8(b, v - EPOCH_2000_US);
		break;
	default:
		put_int8(b, v);
	}
}

void
element_put(struct buf *b, enum col_type type, const struct cell *c)
{
	switch (c->tag) {
	case CELL_ROW:
	case CELL_NULL:
		put_len(b, UINT32_MAX);
		break;
	case CELL_UUID:
		put_len(b, 16);
		buf_add(b, c->p, 16);
		break;
	case CELL_TEXT:
		put_len(b, (uint32_t)c->len + (type == COL_JSONB));
		if (type == COL_JSONB)
			buf_addc(b, JSONB_VERSION);
		buf_add(b, c->p, c->len);
		break;
	case CELL_INT:
		put_int(b, type, c->i);
		break;
	}
}
