/*
 * The OpenAI wire format, below /accounts/{slug}/v1/: an agent is a model
 * called "agent_type/instance_name", a request is a turn of it.  Sources: the
 * vendor's published OpenAPI document and API reference.
 */
#ifndef API_OPENAI_OPENAI_H
#define API_OPENAI_OPENAI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/run.h"
#include "api/telling.h"
#include "chat/turn.h"
#include "util/buf.h"
#include "util/err.h"

struct app;
struct caller;
struct http_req;
struct http_resp;

#define OPENAI_PARAM 160

/* What is wrong with a body: the error object's message, code and param. */
struct openai_fault {
	struct err err;
	const char *code; /* static, or NULL */
	char param[OPENAI_PARAM];
};

/* A request that has been read; what it points to is the body's, or below the
 * request's memory. */
struct openai_ask {
	struct llm_embed embed; /* of embeddings */
	const char *model;      /* as the caller said it */
	char agent_type[65], agent_name[65];
	bool stream, usage; /* stream_options.include_usage */
	struct chat_ask chat;
	struct agent_given given;
	const json_t *body;
};

/*
 * Reading
 */

struct openai_read {
	const void *ctx;
	struct openai_ask *ask;
	struct openai_fault *fault;
	struct llm_message *messages;
	int n, room;
	struct buf system;
	json_t *options, *tools; /* given up with openai_read_done() */
	bool choice;             /* a tool_choice was said */
};

/* Note what is wrong, the first time; returns -1.  ${param}: "n". */
int openai_wrong(struct openai_fault *, const char *code, const char *param,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

void openai_read_init(struct openai_read *, const void *ctx,
    struct openai_ask *ask, struct openai_fault *);
/* References of ours; after the turn. */
void openai_read_done(struct openai_read *);
/* Of struct openai_member: "agent_type/instance_name" into ask; the fault is
 * model_not_found. */
int openai_read_model(struct openai_read *, const char *name, const json_t *);
/* A number from ${least} to ${most} for the options, or null. */
int openai_read_number(struct openai_read *, const char *name, const json_t *,
    double least, double most);
/* Whole and positive, or null: 0. */
int openai_read_count(
    struct openai_read *, const char *name, const json_t *, int *out);
int openai_read_bool(
    struct openai_read *, const char *name, const json_t *, bool *out);
int openai_read_metadata(
    struct openai_read *, const char *name, const json_t *);
/* One more message; text may be NULL. */
struct llm_message *openai_read_add(
    struct openai_read *, enum llm_role, const char *text, size_t len);
/* More of the caller's system message. */
void openai_read_system(struct openai_read *, const char *text, size_t len);
/* A member of a body: what reads it, NULL passes over it. */
struct openai_member {
	const char *name;
	int (*read)(struct openai_read *, const char *name, const json_t *);
};
/* Read all that ${body} holds, each by its row of ${members} (the last has no
 * name); ${needed} (as well) must be there, and what no row names must not. */
int openai_read_members(struct openai_read *, const json_t *body,
    const struct openai_member *members, const char *const *needed);
/*
 * Once everything is there: the last user message is the turn's, those before
 * and after go where they belong; calls and their answers have to match.
 * ${where}: "messages" or "input".
 */
int openai_read_end(struct openai_read *, const char *where);

/* tools.c: a function {name, description, parameters, strict}; ${at}: where it
 * stands. */
int openai_read_function(
    struct openai_read *, const char *at, const json_t *function);
/* "none", "auto", "required", or of one function, whose name is ${name}. */
int openai_read_choice(
    struct openai_read *, const char *word, const char *name);
/* With the tools read: may it be, and does its function exist? */
int openai_check_choice(struct openai_read *);

/* chat_body.c: the body of chat/completions. */
int openai_read_chat(struct openai_read *, const json_t *body);
/* responses_body.c: the body of responses. */
int openai_read_response(struct openai_read *, const json_t *body);

/*
 * Errors
 */

/* Does the request have an address here?  Its errors have this format. */
bool openai_is(const struct http_req *);
/* The error object of ${e}; ${param} and ${code} may be NULL: as the error
 * says.  New reference. */
json_t *openai_error_json(
    const struct err *e, const char *code, const char *param);
/* Answer with it; what problem_send() does here. */
void openai_error_send(struct http_req *, struct http_resp *,
    const struct err *e, const char *code, const char *param);
/* The x-ratelimit-* headers, beside our own. */
void openai_limits(struct http_resp *, const struct quota_state *);

/*
 * Serving
 */

struct openai_talk;

/* How an ended turn is told; from the turn itself, or from the stored answer of
 * an earlier request with its key. */
struct openai_done {
	const char *text;
	size_t len;
	const json_t *calls; /* tool_calls of the turn */
	struct llm_usage usage;
	const char *finish;        /* ours */
	const struct buf *vectors; /* NULL: of a replay */
};

/* What differs between chat/completions and responses. */
struct openai_form {
	const char *prefix; /* of ids: "chatcmpl-" */
	bool anew; /* asked again it is made again: no Idempotency-Key */
	int (*read)(struct openai_read *, const json_t *body);
	/* A whole answer, into ${out}. */
	void (*whole)(
	    struct openai_talk *, const struct openai_done *, struct buf *out);
	/* The stream; each -1 once the reader is gone. */
	int (*begin)(struct openai_talk *);
	int (*text)(struct openai_talk *, const char *piece, size_t len);
	int (*end)(struct openai_talk *, const struct openai_done *);
	int (*fail)(struct openai_talk *, const struct err *e);
};

struct openai_talk {
	struct telling f; /* first: how it looks after its caller */
	const struct openai_form *form;
	const struct openai_ask *ask;
	char id[64];     /* prefix and turn */
	int64_t created; /* s */
	bool begun;      /* the stream has */
	struct buf head; /* what each chunk begins with */
	struct buf out;  /* the event being written */
	struct buf said; /* of the stream, where a form needs it again */
	int64_t number;  /* of the event */
	struct uuid turn;
};

/* Read, run, and answer. */
void openai_serve(struct app *, struct http_req *, struct http_resp *,
    struct caller *, const struct openai_form *);
/* Send what stands in talk->out as an event; ${event} NULL: none is named. */
int openai_send(struct openai_talk *, const char *event);
/* Is it one of the caller's functions to call? */
bool openai_is_handed(const json_t *call);
/* A call's arguments as the format has them: JSON as text in JSON. */
void openai_write_arguments(struct buf *, const json_t *call);
/* How many of ${calls} are the caller's. */
size_t openai_handed(const json_t *calls);

#endif
