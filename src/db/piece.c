/*
 * A piece: the rows of one turn, written down by a request's thread, read by
 * the writer's, waited for with a futex of its own, so that a commit wakes
 * exactly the threads whose pieces it held.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"

#include "db/writer_priv.h"

#include "util/banned.h"

#define PIECE_MAX (8 * 1024 * 1024)
#define WAIT_MOST_S 60 /* where the caller has no deadline */

struct piece *
piece_new(const struct uuid *account)
{
	struct piece *p = mem_new(NULL, struct piece);

	p->account = *account;
	buf_init(&p->cells, p, PIECE_MAX);
	atomic_init(&p->refs, 1);
	atomic_init(&p->state, PIECE_QUEUED);
	return p;
}

void
piece_free(struct piece *p)
{
	mem_free(p);
}

void
piece_unref(struct piece *p)
{
	if (atomic_fetch_sub(&p->refs, 1) == 1)
		piece_free(p);
}

static void
put(struct piece *p, enum cell_tag tag, const void *value, size_t n)
{
	buf_addc(&p->cells, (char)tag);
	if (n > 0)
		buf_add(&p->cells, value, n);
}

void
piece_row(struct piece *p, int stmt)
{
	int32_t s = stmt;

	put(p, CELL_ROW, &s, sizeof(s));
}

void
piece_null(struct piece *p)
{
	put(p, CELL_NULL, NULL, 0);
}

void
piece_uuid(struct piece *p, const struct uuid *u)
{
	if (u == NULL)
		piece_null(p);
	else
		put(p, CELL_UUID, u->b, sizeof(u->b));
}

void
piece_text(struct piece *p, const char *s, size_t n)
{
	uint32_t len = (uint32_t)n;

	if (n > PIECE_MAX) {
		p->cells.failed = true;
		return;
	}
	put(p, CELL_TEXT, &len, sizeof(len));
	buf_add(&p->cells, s, n);
}

struct buf *
piece_text_begin(struct piece *p, size_t *mark)
{
	const uint32_t len = 0;

	put(p, CELL_TEXT, &len, sizeof(len));
	*mark = p->cells.len;
	return &p->cells;
}

void
piece_text_end(struct piece *p, size_t mark)
{
	uint32_t len;

	if (buf_failed(&p->cells))
		return;
	len = (uint32_t)(p->cells.len - mark);
	memcpy(p->cells.data + mark - sizeof(len), &len, sizeof(len));
}

void
piece_str(struct piece *p, const char *s)
{
	if (s == NULL)
		piece_null(p);
	else
		piece_text(p, s, strlen(s));
}

void
piece_int(struct piece *p, int64_t v)
{
	put(p, CELL_INT, &v, sizeof(v));
}

bool
cell_next(const struct piece *p, size_t *pos, struct cell *out)
{
	const char *at = p->cells.data + *pos;
	int32_t stmt;
	uint32_t len;

	if (*pos >= p->cells.len)
		return false;
	*out = (struct cell){ .tag = (enum cell_tag) * at++ };
	out->p = at;
	switch (out->tag) {
	case CELL_ROW:
		memcpy(&stmt, at, sizeof(stmt));
		out->stmt = stmt;
		out->len = sizeof(stmt);
		break;
	case CELL_NULL:
		break;
	case CELL_UUID:
		out->len = 16;
		break;
	case CELL_TEXT:
		memcpy(&len, at, sizeof(len));
		out->p = at + sizeof(len);
		out->len = len;
		break;
	case CELL_INT:
		memcpy(&out->i, at, sizeof(out->i));
		out->len = sizeof(out->i);
		break;
	}
	*pos = (size_t)(out->p - p->cells.data) + out->len;
	return true;
}

static bool
fits(enum col_type type, const struct cell *c)
{
	if (c->tag == CELL_NULL)
		return true;
	switch (type) {
	case COL_UUID:
		return c->tag == CELL_UUID;
	case COL_TEXT:
	case COL_JSONB:
	case COL_BYTEA:
		return c->tag == CELL_TEXT;
	case COL_INT4:
		return c->tag == CELL_INT && c->i >= INT32_MIN &&
		       c->i <= INT32_MAX;
	case COL_BOOL:
	case COL_INT8:
	case COL_TIMESTAMPTZ:
		return c->tag == CELL_INT;
	}
	return false;
}

int
piece_check(const struct piece *p, const struct writer_stmt *stmts, int nstmts,
    struct err *e)
{
	const struct writer_stmt *s = NULL;
	struct cell c;
	size_t pos = 0;
	int col = 0;

	if (buf_failed(&p->cells))
		return err_set(e, ERR_INTERNAL, "a piece is too large");
	while (cell_next(p, &pos, &c)) {
		if (c.tag == CELL_ROW) {
			if (s != NULL && col != s->ncols)
				break;
			if (c.stmt < 0 || c.stmt >= nstmts)
				return err_set(e, ERR_INTERNAL,
				    "a piece has a row for no statement");
			s = &stmts[c.stmt];
			col = 0;
		} else if (s == NULL || col >= s->ncols ||
			   !fits(s->col[col++], &c)) {
			return err_set(e, ERR_INTERNAL,
			    "a piece's row does not fit %s, column %d",
			    s == NULL ? "anything" : s->name, col);
		}
	}
	if (s == NULL || col != s->ncols)
		return err_set(e, ERR_INTERNAL,
		    "a piece's row for %s has %d columns",
		    s == NULL ? "nothing" : s->name, col);
	return 0;
}

/* 0 also when the value had changed or a signal came: look again. */
static int
futex_sleep(_Atomic unsigned *word, unsigned value, int64_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / CLOCK_S),
		.tv_nsec = (long)(deadline % CLOCK_S) };

	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
		value, &ts, NULL, FUTEX_BITSET_MATCH_ANY) != 0 &&
	    errno == ETIMEDOUT)
		return -1;
	return 0;
}

enum piece_state
piece_wait(struct piece *p, int64_t deadline)
{
	unsigned seen = PIECE_QUEUED;

	if (deadline == 0)
		deadline = clock_mono() + WAIT_MOST_S * CLOCK_S;
	if (!atomic_compare_exchange_strong(&p->state, &seen, PIECE_WAITED))
		return (enum piece_state)seen;
	do {
		if (futex_sleep(&p->state, PIECE_WAITED, deadline) != 0)
			return (enum piece_state)atomic_load(&p->state);
		seen = atomic_load(&p->state);
	} while (seen == PIECE_WAITED);
	return (enum piece_state)seen;
}

void
piece_done(struct piece *p, enum piece_state state)
{
	if (atomic_exchange(&p->state, state) == PIECE_WAITED)
		syscall(SYS_futex, &p->state, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
		    1, NULL, NULL, 0);
	piece_unref(p);
}
