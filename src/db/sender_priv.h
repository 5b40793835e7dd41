/*
 * What the writer's thread and the replayer share: a connection of sb_writer,
 * attempts to store a batch over it, pauses between them, and the word that it
 * is time to stop.
 */
#ifndef DB_SENDER_PRIV_H
#define DB_SENDER_PRIV_H

#include <pthread.h>

#include "db/backoff.h"
#include "db/conn_priv.h"
#include "db/writer_priv.h"

/* How an attempt ended. */
enum outcome {
	STORED,  /* now, or by an earlier attempt under the same id */
	REFUSED, /* for its data: known not to be stored */
	LOST,    /* the connection died or fell silent: not known */
	BUSY,    /* known not to be stored; later it may go */
	AWAY,    /* no connection to be had */
	GIVE_UP, /* the time to stop has come */
};

#define COMPLAINTS 4 /* kinds of trouble at once */

struct sender {
	struct conn_opts conn;
	atomic_int answered; /* host of the last connection */
	int timeout_ms;
	struct conn *c;
	struct batch *batch;
	struct backoff backoff;
	struct {
		const char *event;
		int64_t at;
	} complained[COMPLAINTS];

	pthread_mutex_t lock;
	pthread_cond_t wake; /* stop, or what the owner makes of it */
	/* under the lock */
	bool stop;
	int64_t stop_deadline;
};

void sender_init(struct sender *, const void *ctx, const struct writer_opts *);
void sender_release(struct sender *);
/* No attempt reaches beyond ${deadline}.  Any thread. */
void sender_stop(struct sender *, int64_t deadline);
bool sender_stopping(struct sender *, int64_t *deadline);

/*
 * Try once to store ${n} pieces as one transaction under ${nids} batch ids, for
 * timeout_ms and a little.  *f says why not; with several ids REFUSED may also
 * mean that some of them are there already (f->stmt 0).
 */
enum outcome sender_try(struct sender *, const struct uuid *ids, size_t nids,
    struct piece *const *pieces, size_t n, struct conn_failure *f);
/* Was it refused because a batch of that id is there? */
bool sender_there(const struct conn_failure *);
/* After a failure: wait as the back-off says; cut short by sender_stop(). */
void sender_pause(struct sender *);
/* One log line now and then about a trouble that lasts; ${event} is static. */
void sender_complain(struct sender *, const char *event, const char *why);
/* Another batch has gone through: the next trouble is a new one. */
void sender_well(struct sender *);
void sender_disconnect(struct sender *);

#endif
