/* The parts of the warm tier, to each other. */
#ifndef CACHE_WARM_PRIV_H
#define CACHE_WARM_PRIV_H

#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cache/warm.h"
#include "util/buf.h"

#define WARM_READERS 32  /* read transactions in a process */
#define WARM_WAITING 512 /* rows that wait to be written */
#define WARM_VALUE_MAX ((size_t)128 * 1024)

/* An open file. */
struct warm_env {
	MDB_env *env;
	MDB_dbi kind[WARM_KINDS];
	uint64_t seed[2]; /* of its keys */
	ino_t ino;
};

/* What stands before the key and the row of a value. */
struct warm_head {
	uint64_t check; /* of all that follows */
	uint64_t epoch, platform;
	int64_t written; /* clock_mono() */
	uint32_t slot;
	uint32_t key; /* length with the NUL */
};

struct warm {
	char *dir;
	unsigned most;
	pthread_mutex_t mu;
	pthread_cond_t cv;   /* something to write; a reader is free; written */
	struct warm_env env; /* env.env NULL: none just now */
	bool broken;         /* to be thrown away when no reader uses it */
	bool stop;
	MDB_txn *idle[WARM_READERS];
	unsigned nidle, nreaders, busy;
	struct warm_write *first, **last; /* queue */
	unsigned waiting;
	uint64_t put, written;
	struct warm_stats stats;
	pthread_t thread;
};

/* warm_file.c */
int warm_env_open(const char *dir, unsigned most, bool fresh,
    struct warm_env *ret, struct err *e);
void warm_env_close(struct warm_env *);
/* Is the file of that name still the one that is open? */
bool warm_env_there(const char *dir, const struct warm_env *);
uint64_t warm_hash(const struct warm_env *, enum warm_kind, const char *key);

/* warm_value.c */
void warm_value_pack(
    const struct warm_env *, const struct warm_entry *, struct buf *out);
/* Read the head of a value; false when the value is none. */
bool warm_value_head(
    const struct warm_env *, const MDB_val *, struct warm_head *out);
const char *warm_value_key(const MDB_val *);
/* Its row, copied below ${ctx}; -1 when it is none of ours. */
int warm_value_row(const MDB_val *, const struct warm_head *, const void *ctx,
    struct row *out);

/* warm_write.c */
void *warm_main(void *warm);
void warm_drop_queue(struct warm *);

#endif
