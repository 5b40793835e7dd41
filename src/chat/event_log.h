/*
 * The events of a streamed turn in a file on tmpfs, so that any worker of the
 * host can go on with a stream that broke.  At most 256 KB; it is gone 60 s
 * after its end.  What it does not hold follows from the stored turn.
 */
#ifndef CHAT_EVENT_LOG_H
#define CHAT_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/id.h"

struct chat_turn;
struct event_log;
struct event_reader;

#define EVENT_NAME 12
#define EVENT_LOG_MAX ((size_t)256 * 1024)
#define EVENT_LOG_KEPT_S 60

/* One event as it was told: ${n} is the stream's position after it; data of a
 * delta is its text, of all others JSON. */
struct event {
	char name[EVENT_NAME];
	int64_t n;
	const char *data;
	size_t len;
};

/*
 * Writing: the turn's thread.  NULL when there can be no log; the functions
 * below do nothing then.  It hangs below the turn, and ends with it.
 */
struct event_log *event_log_begin(struct chat_turn *);
/* Add one and wake who follows; after the first that does not fit, none. */
void event_log_add(struct event_log *, const struct event *);

/*
 * Reading: the log of ${turn}, if it is ${account}'s and, when ${owner} is not
 * NULL, is of a session of that owner (auth/key.h); else NULL.  Hangs below
 * ${ctx}.
 */
struct event_reader *event_log_open(const void *ctx, const char *dir,
    const struct uuid *turn, const struct uuid *account,
    const struct uuid *owner);
/* The next event, good until the next call: 1; 0 there is none yet. */
int event_log_next(struct event_reader *, struct event *);

/* In each worker, now and then: remove what it wrote and is old enough. */
void event_log_tidy(const char *dir);
/* Remove what workers left behind that have died; how many. */
unsigned event_log_sweep(const char *dir);
/* Make the directory; false: there will be no logs. */
bool event_log_setup(const char *dir);

#endif
