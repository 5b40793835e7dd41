/*
 * An answer while it arrives: providers turn their events into calls of these
 * functions, which keep struct llm_reply and hand text to the sink in whole
 * characters.
 */
#ifndef LLM_STREAM_PRIV_H
#define LLM_STREAM_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llm/errors_priv.h"
#include "llm/llm.h"
#include "llm/sse.h"
#include "util/buf.h"
#include "util/json_doc.h"

struct llm_provider;

#define STREAM_CALLS 128

struct stream_call {
	int64_t index; /* the provider's */
	struct buf id, name, args;
};

struct llm_stream {
	const struct llm_provider *provider;
	const void *ctx; /* of what stays: the reply's memory */
	const void *tmp; /* of what is needed until stream_end() */
	struct llm_reply *reply;
	struct llm_sink *sink; /* may be NULL */
	struct sse_parser sse;
	struct json_doc doc; /* of the event that is being read */
	struct buf mended;   /* its text, if it had to be mended */
	size_t max;
	int64_t start, text_at;

	char held[4]; /* an unfinished character */
	size_t nheld;
	size_t hidden; /* bytes of reasoning: not shown, but counted */
	struct stream_call *call;
	int ncalls, call_room;
	void *own; /* the provider's, below tmp */

	bool finished; /* the model said why it stopped */
	bool done;     /* the format's end came */
	bool refused;
	bool usage_seen, usage_final;
	bool gone;    /* the sink wants no more */
	bool garbled; /* not what the format says */
	bool failed;  /* an error in the stream: see fault */
	struct llm_fault fault;
};

void stream_init(struct llm_stream *, const struct llm_provider *,
    struct llm_reply *, struct llm_sink *, const void *ctx, const void *tmp,
    size_t max);

/* For sse_parser, net_call and the providers' event functions: 0 go on,
 * NET_ENOUGH, NET_STOP. */
int stream_feed(struct llm_stream *, const char *p, size_t n);

/* Visible text, cut anywhere; invalid UTF-8 and NULs become U+FFFD. */
int stream_text(struct llm_stream *, const char *p, size_t n);
/* Reasoning: counted only. */
void stream_hidden(struct llm_stream *, size_t n);

/*
 * The tool call with the provider's ${index}; made when new, and good until
 * the next is made.  NULL: too many.
 * Names and ids are set once and never replaced, empty ones ignored.
 */
struct stream_call *stream_call(struct llm_stream *, int64_t index);
void stream_call_id(struct stream_call *, const char *s, size_t n);
void stream_call_name(struct stream_call *, const char *s, size_t n);
void stream_call_args(struct stream_call *, const char *s, size_t n);

/* Why the model stopped. */
void stream_finish(struct llm_stream *, enum llm_finish);
/* An error in the stream, in the provider's words (strings, or NULL); always
 * NET_STOP. */
int stream_fail(struct llm_stream *, const struct json_val *type,
    const struct json_val *code);
/* Not what the format says; always NET_STOP. */
int stream_garbled(struct llm_stream *);

/* Read an event's data, mending what models and gateways get wrong (bad
 * UTF-8, lone surrogates, NULs).  Good until the next; NULL: not JSON. */
const struct json_val *event_read(
    struct llm_stream *, const char *data, size_t len);
/* A count of tokens: 0 for anything but a sensible number. */
int64_t event_count(const struct json_val *object, const char *key);
/* A text, and its length in *n; "" for anything else. */
const char *event_text(
    const struct json_val *object, const char *key, size_t *n);

/* No more will come: give out what is held, make reply->calls, settle finish
 * and usage (${rq} for the estimate). */
void stream_end(struct llm_stream *, const struct llm_request *rq);

#endif
