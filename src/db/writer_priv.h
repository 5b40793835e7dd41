/* What the writer's files share: pieces, batches, dead letters. */
#ifndef DB_WRITER_PRIV_H
#define DB_WRITER_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "util/buf.h"

#include "db/conn_priv.h"
#include "db/writer.h"

/* What a waiting thread looks at. */
enum piece_state {
	PIECE_QUEUED,
	PIECE_WAITED, /* queued, and a thread sleeps on it */
	PIECE_STORED,
	PIECE_JOURNALED, /* durable here, not in the database yet */
	PIECE_REFUSED,
};

/*
 * The cells of a piece, one after the other: a tag and its value in our own
 * byte order.  A row begins with its statement.
 */
enum cell_tag {
	CELL_ROW,  /* int32 statement */
	CELL_NULL, /* nothing */
	CELL_UUID, /* 16 bytes */
	CELL_TEXT, /* uint32 length, bytes */
	CELL_INT,  /* int64 */
};

struct piece {
	struct piece *next; /* in the queue and in the batch */
	struct uuid account;
	struct buf cells;
	_Atomic unsigned state; /* enum piece_state */
	atomic_int refs;        /* the writer's, and the waiting thread's */
};

/* A cell read back.  p is its payload. */
struct cell {
	enum cell_tag tag;
	int stmt;      /* CELL_ROW */
	const char *p; /* CELL_UUID, CELL_TEXT */
	size_t len;
	int64_t i;
};

/* Read the cell at *pos and move on; false at the end. */
bool cell_next(const struct piece *, size_t *pos, struct cell *out);
/* Do the rows fit their statements?  0, or -1 with e (ERR_INTERNAL). */
int piece_check(const struct piece *, const struct writer_stmt *stmts,
    int nstmts, struct err *e);
void piece_unref(struct piece *);
/* Sleep until the writer has done with it, or ${deadline}. */
enum piece_state piece_wait(struct piece *, int64_t deadline);
/* The writer has done with it: wake the waiting thread, drop the writer's
 * reference. */
void piece_done(struct piece *, enum piece_state);

/* Binary arrays for one transaction; its memory is kept for the next. */
struct batch;
struct batch *batch_new(
    const void *ctx, const struct writer_stmt *stmts, int nstmts);
/*
 * Build the steps of a transaction for ${n} pieces: the batch's ids, then each
 * statement that has rows.  What they point to is good until the next call.
 */
int batch_build(struct batch *, const struct uuid *ids, size_t nids,
    struct piece *const *pieces, size_t n, struct conn_step *steps, int *nsteps,
    struct err *e);
/* SET LOCAL app.account_ids of these pieces; good until the next call. */
const char *batch_accounts(
    struct batch *, struct piece *const *pieces, size_t n);

/* Append one element of a binary array: length and value in network order. */
void element_put(struct buf *, enum col_type, const struct cell *);
/* The type of an array of these. */
Oid element_array_oid(enum col_type);
Oid element_oid(enum col_type);

/* The id of the first or second half of batch ${id}: always the same, so that a
 * half that is sent again is known. */
void batch_half(const struct uuid *id, int half, struct uuid *ret);

/* Write ${p} as a line of JSON to ${path} (mode 0600, synced).  0 or -1 with
 * e. */
int dead_letter(const char *path, const struct piece *p,
    const struct writer_stmt *stmts, const struct uuid *batch,
    const struct conn_failure *why, struct err *e);
/* The same with its log line and count.  0, or -1: it could not be written. */
int bury(const char *path, const struct piece *p,
    const struct writer_stmt *stmts, const struct uuid *batch,
    const struct conn_failure *why);

struct sender;
struct journal;
struct replayer;

struct writer {
	const struct writer_stmt *stmts;
	int nstmts;
	unsigned queue_max, batch_max;
	char *dead_file;
	struct sender *sender;   /* the thread's */
	struct journal *journal; /* NULL: none is kept */
	struct replayer *replayer;
	struct lane *lane;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake; /* a piece has come, or stop */
	/* under the lock */
	struct piece *first, **last;
	unsigned queued; /* in the queue and in the batch at work */
	size_t bytes;
	bool idle; /* the thread waits for a piece */
	bool stop;

	struct piece **pieces; /* batch_max; the thread's */
};

/* The thread: stores what is queued until it shall stop. */
void *writer_main(void *writer);

#endif
