/* The files of journal.c and journal_read.c, for replay.c and the writer. */
#ifndef DB_JOURNAL_PRIV_H
#define DB_JOURNAL_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "db/journal.h"
#include "db/writer_priv.h"

#define JOURNAL_SUFFIX ".journal"
#define JOURNAL_NEW ".new" /* being made; of no use when its maker is dead */
#define JOURNAL_DAMAGED ".damaged"

/*
 * A record, and the file's head, begin with their kind, the number of bytes
 * that follow and their checksum; numbers are in the machine's own order.
 *
 *	head:	uint32 version, uint32 ORDER, then a line for each statement:
 *		its name, a space, a letter for the type of each column
 *	record:	batch id (16 bytes), int64 us since 1970, uint32 pieces, for
 *		each piece account (16), uint32 length, cells (piece.c)
 */
#define JOURNAL_VERSION 1
#define JOURNAL_ORDER 0x01020304
#define FRAME 16 /* kind, length, checksum */
#define FRAME_HEAD "SBJL"
#define FRAME_RECORD "SBJR"
#define RECORD_MAX (64 * 1024 * 1024)
/* Letters for enum col_type. */
#define COL_LETTERS "utjb48za"

uint64_t journal_sum(const void *, size_t);
/* What has been made, renamed or removed there stays so.  0, or -1 with e. */
int journal_sync_dir(const char *dir, struct err *e);

/* The journal of one writer: a file from the first batch it takes until all of
 * it has been stored. */
struct journal {
	char *dir;
	unsigned slot;
	int64_t max;
	const struct writer_stmt *stmts;
	int nstmts;
	atomic_bool full; /* no room for what has not begun */

	pthread_mutex_t lock;
	/* under the lock */
	int fd; /* -1: there is no file */
	char *path;
	off_t end; /* of the last whole record */
	struct buf frame;
};

struct journal *journal_new(const void *ctx, const struct writer_opts *);
void journal_free(struct journal *);
/* Does it hold anything that is not in the database? */
bool journal_active(struct journal *);
/* Where it ends now; -1 when there is no file.  *fd is its own. */
off_t journal_end(struct journal *, int *fd);
/* Add a batch, synced; makes the file.  0, or -1 with e: nothing was added. */
int journal_append(struct journal *, const struct uuid *id,
    struct piece *const *, size_t n, struct err *e);
/* All up to ${end} is stored: remove the file, or set it aside if ${damaged},
 * unless more has come (false). */
bool journal_finish(struct journal *, off_t end, bool damaged);
/* Rename a file, so that nobody replays it and a human finds it. */
void journal_set_aside(const char *dir, const char *path);

/* A file being read. */
struct journal_file {
	int fd;
	bool own_fd;
	char *path;
	off_t pos;                 /* of the next record */
	struct writer_stmt *stmts; /* as they were when it was written */
	int nstmts;
	int map[WRITER_STMTS];  /* to ours; -1 none */
	int more[WRITER_STMTS]; /* columns that ours has behind its own */
	bool damaged;
};

struct record {
	struct uuid id;
	size_t n;
	struct piece **pieces; /* checked against the file's statements */
};

/* Read the head of ${fd}.  0, or -1 with e. */
int journal_file_head(struct journal_file *, const void *ctx, int fd,
    const struct writer_stmt *ours, int nours, struct err *e);
/*
 * The next record before ${end}, talloc'd below ctx: 1, or 0 at the end.  What
 * cannot be read is passed over and logged, and the file marked.
 */
int journal_file_next(
    struct journal_file *, off_t end, const void *ctx, struct record *ret);
void record_free(struct record *);
/* Let the rows of ${p} fit our statements: their names, and null for columns
 * that were added since at the end.  The name of one that we do not have as it
 * was, or NULL when all went well. */
const char *journal_file_map(const struct journal_file *, struct piece *p);
/* Lock and open ${name}: 1, 0 it is not to be had, -1 with e (it cannot be
 * read: set aside). */
int journal_file_open(struct journal_file *, const void *ctx, const char *dir,
    const char *name, const struct writer_stmt *ours, int nours, struct err *e);
/* All of it has been dealt with: remove it, or set it aside if damaged. */
void journal_file_done(struct journal_file *, const char *dir);
void journal_file_close(struct journal_file *);

/*
 * The replayer of a writer: its journal, and at the start what earlier owners
 * of its slot left.
 */
struct replayer *replayer_of_writer(
    const struct writer_opts *, struct journal *);
/* The journal has something for it. */
void replayer_wake(struct replayer *);

#endif
