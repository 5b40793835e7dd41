/*
 * The group-commit writer: one thread and one connection (role sb_writer) a
 * worker.  Finished pieces queue up; the thread takes all there is, sends them
 * as one pipelined transaction and wakes who waits.  An idle machine has
 * batches of one; a busy one's grow by themselves.
 *
 * A piece is rows for a fixed list of statements that the program registers
 * (chat/store.c).  The rows of a batch go statement by statement, in the list's
 * order, each as one INSERT ... SELECT unnest($1,$2,...): so parents stand
 * before children, whatever the order of pieces.  Every batch has an id,
 * inserted into writer_batches in the same transaction; a batch whose outcome
 * is unknown (connection lost in COMMIT) is sent again unchanged until the id
 * is found to be there.
 *
 * While the database is away, or too slow, batches go with their ids to a
 * synced journal file instead (db/journal.h); a second thread stores them, in
 * order, as soon as it can.
 */
#ifndef DB_WRITER_H
#define DB_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct writer;
struct piece;
struct lane;

enum col_type {
	COL_UUID,
	COL_TEXT,
	COL_JSONB, /* given as text */
	COL_BOOL,
	COL_INT4,
	COL_INT8,
	COL_TIMESTAMPTZ, /* us since 1970 */
	COL_BYTEA,
};

#define WRITER_COLS 40

/*
 * ${keys} > 0 makes a statement merge: rows of a batch with equal first keys
 * columns become one, sorted by key, the other columns (COL_INT8) added up,
 * but those in max_mask kept as the greatest.
 */
struct writer_stmt {
	const char *name;
	const char *sql;
	const char *one; /* the same for a single row, its parameters plain
	                    values and no arrays; may be NULL */
	int ncols;
	enum col_type col[WRITER_COLS];
	int keys;
	uint64_t max_mask;
};

struct writer_opts {
	const char *conninfo;            /* without user; sb_writer is added */
	const struct writer_stmt *stmts; /* must outlive the writer */
	int nstmts;                      /* WRITER_STMTS at most */
	unsigned queue_max, batch_max;
	int timeout_ms; /* statement_timeout, lock_timeout and connect */
	const char *dead_letter_file;
	/* Where journals lie, of all writers of this host; NULL: none is kept,
	 * pieces wait.  slot: what this writer's are named by, its own. */
	const char *journal_dir;
	unsigned journal_slot;
	int64_t journal_max; /* bytes of all journals there together */
	struct lane *lane; /* shared with other writers (db/lane.h), or NULL */
	bool prepared, pooler; /* as in db_opts */
};

#define WRITER_STMTS 32

/* Starts the threads.  All but stmts is copied. */
struct writer *writer_new(const struct writer_opts *);
/*
 * Writes what is queued (until ${deadline}), then ends the threads.  What could
 * not be stored by then goes to the journal, else to the dead-letter file.
 * Nobody may be in another writer function meanwhile.
 */
void writer_free(struct writer *, int64_t deadline);

/*
 * May a new turn start?  False: the queue is full, in pieces or in bytes, or
 * the journal is full or cannot be written
 * (answer 503 before asking a provider).  Pieces are taken even then, so that a
 * turn that has begun can end; there are never more of them than threads.
 */
bool writer_has_room(struct writer *);

/*
 * A new piece for ${account}; belongs to the caller until submitted.  Its rows'
 * account_id must be that account: row security refuses others.  The functions
 * below never fail; a piece that outgrows 8 MiB or does not fit its statements
 * is refused when it is submitted.
 */
struct piece *piece_new(const struct uuid *account);
void piece_free(struct piece *);
/* Begin a row for statement ${stmt}; then give its columns in order. */
void piece_row(struct piece *, int stmt);
void piece_null(struct piece *);
void piece_uuid(struct piece *, const struct uuid *);
void piece_text(struct piece *, const char *, size_t); /* also JSONB, BYTEA */
/* The same, written by the caller: append to the buffer that this gives, then
 * end it with the same *${mark}. */
struct buf *piece_text_begin(struct piece *, size_t *mark);
void piece_text_end(struct piece *, size_t mark);
void piece_str(struct piece *, const char *); /* NULL is null */
void piece_int(struct piece *, int64_t);      /* INT4 INT8 TIMESTAMPTZ BOOL */

/*
 * Queue ${p}; the writer owns it afterwards, whatever happens.  writer_commit
 * waits until it is durable: 0 in the database, 1 in the journal; or -1 with
 * ERR_UNAVAILABLE (not stored by
 * ${deadline}: it stays queued and may still be), ERR_INTERNAL (refused by the
 * database: dead letter; or the piece itself is wrong).  writer_post does not
 * wait.  Any thread.
 */
int writer_commit(
    struct writer *, struct piece *p, int64_t deadline, struct err *e);
void writer_post(struct writer *, struct piece *p);

#endif
