/* A turn told to its reader: whole, or as server-sent events. */
#ifndef API_TELLING_H
#define API_TELLING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "chat/turn.h"
#include "util/buf.h"

struct app;
struct caller;
struct http_req;
struct http_resp;

struct event;

struct telling {
	struct chat_sink sink; /* first */
	struct http_req *req;
	struct http_resp *resp;
	struct event_log *log; /* of the turn that runs in this thread */
	struct buf json;       /* the event being written */
	char turn[UUID_TEXT];
	int64_t n;    /* position in the stream */
	int64_t from; /* what the reader has had already */
	bool begun;   /* the stream has; nothing else can be answered */
	struct app *app;
	struct caller *who; /* NULL: nobody asks whether he still may */
	int64_t looked, pinged;
	bool cut; /* the caller may no longer */
	struct err why;
};

/* A sink for a turn that is about to run. */
void telling_init(struct telling *f, struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who, bool stream);
/* May the caller still listen?  Looks at most a few times a second; -1, from
 * then on, with f->why, and the stream has been told. */
int telling_still(struct telling *f);
/* RateLimit-*: of every counted answer, and of every refusal by a limit. */
void telling_limits(struct http_resp *, const struct quota_state *);
/* Begin the stream, when that has not been done; -1: the reader has left. */
int telling_begin(struct telling *f);
/* An event that was told already to somebody else: what comes after f->from
 * of it.  -1: the reader has left. */
int telling_event(struct telling *f, const struct event *ev);
/* A failure that ends the stream. */
void telling_error(struct telling *f, const struct err *e);

/*
 * Tell an ended turn as a stream: what comes after position f->from, the rest
 * of its text at once; nothing is begun when that is nothing.  ${turn}: as
 * chat_turn_write() or chat_turn_events() have made it; ${offsets}: bytes of
 * reply before each of its tool calls, or NULL; ${told}: to where it was told
 * before, which a turn that died with its worker does not know itself.
 */
void telling_stored(
    struct telling *f, const json_t *turn, const json_t *offsets, int64_t told);

#endif
