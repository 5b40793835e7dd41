/*
 * From pieces to the parameters of a transaction: for each statement one binary
 * array a column, whatever the number of pieces.  How rows of several accounts
 * are spelled in one transaction is decided here only.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

#include "db/writer_priv.h"

#include "util/banned.h"

#define COLUMN_MAX (256 * 1024 * 1024)
#define HEADER 20 /* of a binary array with one dimension */

/* The columns of one statement. */
struct rows {
	uint32_t n;
	struct buf col[WRITER_COLS];
	bool null[WRITER_COLS];
	Oid oid[WRITER_COLS];
	const char *value[WRITER_COLS];
	int length[WRITER_COLS], format[WRITER_COLS];
	struct db_stmt stmt, one;
	Oid oid_one[WRITER_COLS];
	/* a merge's rows until they are merged */
	struct buf keys;
	struct merge *merge;
	size_t nmerge, merge_cap;
};

/* A row of a merging statement: its key's bytes and its numbers. */
struct merge {
	size_t key; /* offset in keys */
	size_t key_len;
	const struct buf *keys;
	int64_t number[WRITER_COLS];
};

struct batch {
	const struct writer_stmt *stmts;
	int nstmts;
	struct rows *rows;
	struct buf batch_ids;
	const char *batch_ids_value;
	struct buf accounts;
	struct uuid *ids;
	size_t ids_cap;
};

static const struct db_stmt stmt_batch = { "sb_batch",
	"INSERT INTO writer_batches (id) VALUES ($1)" };
static const struct db_stmt stmt_batches = { "sb_batches",
	"INSERT INTO writer_batches (id) SELECT unnest($1::uuid[])" };

struct batch *
batch_new(const void *ctx, const struct writer_stmt *stmts, int nstmts)
{
	struct batch *b = mem_new(ctx, struct batch);
	struct rows *r;
	int s, c;

	b->stmts = stmts;
	b->nstmts = nstmts;
	b->rows = mem_array(b, struct rows, (size_t)nstmts);
	for (s = 0; s < nstmts; s++) {
		r = &b->rows[s];
		r->stmt.name = stmts[s].name;
		r->stmt.sql = stmts[s].sql;
		r->one.name = mem_printf(b, "%s_1", stmts[s].name);
		r->one.sql = stmts[s].one;
		buf_init(&r->keys, b, COLUMN_MAX);
		for (c = 0; c < stmts[s].ncols; c++) {
			buf_init(&r->col[c], b, COLUMN_MAX);
			r->oid[c] = element_array_oid(stmts[s].col[c]);
			r->oid_one[c] = element_oid(stmts[s].col[c]);
			r->format[c] = 1;
		}
	}
	buf_init(&b->accounts, b, COLUMN_MAX);
	buf_init(&b->batch_ids, b, COLUMN_MAX);
	return b;
}

static void
rows_clear(struct rows *r, const struct writer_stmt *s)
{
	static const char header[HEADER];
	int c;

	r->n = 0;
	r->nmerge = 0;
	buf_clear(&r->keys);
	for (c = 0; c < s->ncols; c++) {
		buf_clear(&r->col[c]);
		buf_add(&r->col[c], header, HEADER);
		r->null[c] = false;
	}
}

static void
add_plain(
    struct rows *r, const struct writer_stmt *s, int col, const struct cell *c)
{
	if (col == 0)
		r->n++;
	if (c->tag == CELL_NULL)
		r->null[col] = true;
	element_put(&r->col[col], s->col[col], c);
}

static void
grow_merge(struct rows *r, const void *ctx)
{
	struct merge *more;

	if (r->nmerge < r->merge_cap)
		return;
	r->merge_cap = r->merge_cap * 2 + 64;
	more = mem_array(ctx, struct merge, r->merge_cap);
	if (r->nmerge > 0)
		memcpy(more, r->merge, r->nmerge * sizeof(*more));
	mem_free(r->merge);
	r->merge = more;
}

static void
add_merge(struct batch *b, struct rows *r, const struct writer_stmt *s, int col,
    const struct cell *c)
{
	struct merge *m;

	if (col == 0) {
		grow_merge(r, b);
		m = &r->merge[r->nmerge++];
		m->key = r->keys.len;
		m->keys = &r->keys;
	}
	m = &r->merge[r->nmerge - 1];
	if (col < s->keys) {
		element_put(&r->keys, s->col[col], c);
		m->key_len = r->keys.len - m->key;
	} else {
		m->number[col] = c->tag == CELL_INT ? c->i : 0;
	}
}

static int
by_key(const void *a, const void *b)
{
	const struct merge *x = a, *y = b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = memcmp(x->keys->data + x->key, y->keys->data + y->key, n);

	if (c != 0)
		return c;
	return (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* Add the numbers of ${from} to ${to}; both have the same key. */
static void
merge_into(
    struct merge *to, const struct merge *from, const struct writer_stmt *s)
{
	int c;

	for (c = s->keys; c < s->ncols; c++) {
		if (((s->max_mask >> c) & 1) == 0) {
			if (__builtin_add_overflow(
				to->number[c], from->number[c], &to->number[c]))
				to->number[c] = INT64_MAX;
		} else if (from->number[c] > to->number[c]) {
			to->number[c] = from->number[c];
		}
	}
}

static void
emit_merged(struct rows *r, const struct writer_stmt *s, const struct merge *m)
{
	struct cell cell = { .tag = CELL_INT };
	const char *key = r->keys.data + m->key;
	uint32_t len;
	size_t n;
	int c;

	for (c = 0; c < s->keys; c++) {
		memcpy(&len, key, sizeof(len));
		len = be32toh(len);
		n = sizeof(len) + (len == UINT32_MAX ? 0 : len);
		if (len == UINT32_MAX)
			r->null[c] = true;
		buf_add(&r->col[c], key, n);
		key += n;
	}
	for (; c < s->ncols; c++) {
		cell.i = m->number[c];
		element_put(&r->col[c], s->col[c], &cell);
	}
	r->n++;
}

static void
merge_rows(struct rows *r, const struct writer_stmt *s)
{
	size_t i, j;

	if (r->nmerge == 0)
		return;
	qsort(r->merge, r->nmerge, sizeof(*r->merge), by_key);
	for (i = 0; i < r->nmerge; i = j) {
		for (j = i + 1;
		     j < r->nmerge && by_key(&r->merge[i], &r->merge[j]) == 0;
		     j++)
			merge_into(&r->merge[i], &r->merge[j], s);
		emit_merged(r, s, &r->merge[i]);
	}
}

static void
add_piece(struct batch *b, const struct piece *p)
{
	const struct writer_stmt *s = NULL;
	struct rows *r = NULL;
	struct cell c;
	size_t pos = 0;
	int col = 0;

	while (cell_next(p, &pos, &c)) {
		if (c.tag == CELL_ROW) {
			s = &b->stmts[c.stmt];
			r = &b->rows[c.stmt];
			col = 0;
		} else if (s == NULL) { /* piece_check has seen to it */
			continue;
		} else if (s->keys > 0) {
			add_merge(b, r, s, col++, &c);
		} else {
			add_plain(r, s, col++, &c);
		}
	}
}

static void
put32(char *at, uint32_t v)
{
	v = htobe32(v);
	memcpy(at, &v, sizeof(v));
}

/* The parameters of a single row are its arrays' only elements. */
static void
rows_finish_one(
    struct rows *r, const struct writer_stmt *s, struct conn_step *step)
{
	const char *element;
	uint32_t len;
	int c;

	for (c = 0; c < s->ncols; c++) {
		element = r->col[c].data + HEADER;
		memcpy(&len, element, sizeof(len));
		len = be32toh(len);
		r->value[c] = len == UINT32_MAX ? NULL : element + sizeof(len);
		r->length[c] = len == UINT32_MAX ? 0 : (int)len;
	}
	*step = (struct conn_step){ .stmt = &r->one,
		.params = { .n = s->ncols,
		    .types = r->oid_one,
		    .values = r->value,
		    .lengths = r->length,
		    .formats = r->format } };
}

/* Fill in the arrays' headers and the statement's parameters. */
static int
rows_finish(struct rows *r, const struct writer_stmt *s, struct conn_step *step,
    struct err *e)
{
	char *h;
	int c;

	if (r->n == 1 && s->one != NULL && !buf_failed(&r->keys)) {
		rows_finish_one(r, s, step);
		return 0;
	}

	for (c = 0; c < s->ncols; c++) {
		if (buf_failed(&r->col[c]) || buf_failed(&r->keys))
			return err_set(e, ERR_INTERNAL, "a batch is too large");
		h = r->col[c].data;
		put32(h, 1); /* dimensions */
		put32(h + 4, r->null[c]);
		put32(h + 8, element_oid(s->col[c]));
		put32(h + 12, r->n);
		put32(h + 16, 1); /* counted from */
		r->value[c] = h;
		r->length[c] = (int)r->col[c].len;
	}
	*step = (struct conn_step){ .stmt = &r->stmt,
		.params = { .n = s->ncols,
		    .types = r->oid,
		    .values = r->value,
		    .lengths = r->length,
		    .formats = r->format } };
	return 0;
}

/* "id", or "{id,id}" */
static void
write_ids(struct buf *out, const struct uuid *ids, size_t n)
{
	char text[UUID_TEXT];
	size_t i;

	if (n == 1) {
		id_format(ids, text);
		buf_adds(out, text);
		return;
	}
	for (i = 0; i < n; i++) {
		buf_addc(out, i == 0 ? '{' : ',');
		id_format(&ids[i], text);
		buf_adds(out, text);
	}
	buf_addc(out, '}');
}

/* splitmix64: every 64-bit number becomes another one. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

void
batch_half(const struct uuid *id, int half, struct uuid *ret)
{
	uint64_t tail;

	*ret = *id;
	memcpy(&tail, id->b + 8, sizeof(tail));
	tail = mix(be64toh(tail) +
		   UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(half + 1));
	tail = htobe64((tail & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63);
	memcpy(ret->b + 8, &tail, sizeof(tail));
}

int
batch_build(struct batch *b, const struct uuid *ids, size_t nids,
    struct piece *const *pieces, size_t n, struct conn_step *steps, int *nsteps,
    struct err *e)
{
	size_t i;
	int s;

	for (s = 0; s < b->nstmts; s++)
		rows_clear(&b->rows[s], &b->stmts[s]);
	for (i = 0; i < n; i++)
		add_piece(b, pieces[i]);
	buf_clear(&b->batch_ids);
	write_ids(&b->batch_ids, ids, nids);
	b->batch_ids_value = b->batch_ids.data;
	steps[0] =
	    (struct conn_step){ .stmt = nids == 1 ? &stmt_batch : &stmt_batches,
		    .params = { .n = 1, .values = &b->batch_ids_value } };
	*nsteps = 1;
	for (s = 0; s < b->nstmts; s++) {
		merge_rows(&b->rows[s], &b->stmts[s]);
		if (b->rows[s].n > 0 && rows_finish(&b->rows[s], &b->stmts[s],
					    &steps[(*nsteps)++], e) != 0)
			return -1;
	}
	return 0;
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

const char *
batch_accounts(struct batch *b, struct piece *const *pieces, size_t n)
{
	char text[UUID_TEXT];
	size_t i;

	if (n > b->ids_cap) {
		mem_free(b->ids);
		b->ids = mem_array(b, struct uuid, n);
		b->ids_cap = n;
	}
	for (i = 0; i < n; i++)
		b->ids[i] = pieces[i]->account;
	qsort(b->ids, n, sizeof(*b->ids), by_bytes);
	buf_clear(&b->accounts);
	buf_adds(&b->accounts, "SET LOCAL app.account_ids = '");
	for (i = 0; i < n; i++) {
		if (i > 0 && id_eq(&b->ids[i], &b->ids[i - 1]))
			continue;
		id_format(&b->ids[i], text);
		buf_addc(&b->accounts, i == 0 ? '{' : ',');
		buf_adds(&b->accounts, text);
	}
	buf_adds(&b->accounts, "}'");
	return b->accounts.data;
}
