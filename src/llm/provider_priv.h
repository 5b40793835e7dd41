/*
 * What a model provider is: one file with its wire format and a row in
 * providers.c.  Everything else knows neutral requests and struct llm_stream.
 */
#ifndef LLM_PROVIDER_PRIV_H
#define LLM_PROVIDER_PRIV_H

#include "llm/llm.h"
#include "llm/stream_priv.h"

#define LLM_HEADERS 8
#define LLM_HEADER_BYTES 1536

/* Header lines of a request, with their place. */
struct llm_headers {
	int n;
	size_t used;
	const char *line[LLM_HEADERS + 1];
	char text[LLM_HEADER_BYTES];
};
/* 0, or -1: no room, and the line is left out. */
int llm_header_add(struct llm_headers *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* {"name":...,"description":... of a tool; the object is left open. */
void llm_tool_open(struct buf *, const json_t *tool);

struct llm_provider {
	const char *name;    /* before the colon of a model's name */
	const char *key_env; /* what a missing key is called; NULL: none */
	/* Where struct llm_opts holds what the operator set (offsetof). */
	size_t opt_key, opt_base;
	const char *base;        /* the vendor's address */
	bool key_optional;       /* where the operator set an address */
	bool formats;            /* takes a response_format */
	const char *path;        /* below the base */
	const char *embed_path;  /* makes vectors; NULL: it does not */
	const char *models_path; /* lists the models, by GET */

	/* Authentication and what else the format wants. */
	int (*headers)(const struct llm_access *, struct llm_headers *);
	/* The request's body, always for a stream. */
	void (*body)(const struct llm_access *, const struct llm_request *,
	    const char *name, struct buf *out);
	/* One server-sent event; as sse_parser's on_event. */
	int (*event)(struct llm_stream *, const char *event, const char *data,
	    size_t len);
	/* A whole answer, from servers that do not stream; 0, or -1. */
	int (*whole)(struct llm_stream *, const struct json_val *);

	/* No network: answers itself; the functions above are NULL. */
	bool (*knows)(const char *name);
	int (*complete)(
	    const struct llm_request *, struct llm_stream *, struct err *e);
};

extern const struct llm_provider llm_openai, llm_anthropic, llm_builtin;

#define PROVIDERS 3
extern const struct llm_provider *const providers[PROVIDERS];

/* How ${l} reaches a provider; NULL: it is none of the network's. */
const struct llm_access *llm_access_of(
    const struct llm *l, const struct llm_provider *);

/* What ${l} was made with; the texts of the options are gone. */
struct net *llm_net(const struct llm *l);
/* rq->embed of a provider of the network; as llm_complete(). */
int embed_ask(struct llm *l, const struct llm_provider *, const char *name,
    const struct llm_request *rq, struct llm_sink *, const void *ctx,
    const void *tmp, struct llm_reply *, struct err *e);
const struct llm_opts *llm_opts(const struct llm *l);

/* The provider of "provider:name" and where the name begins; NULL: none of
 * ours, or not well-formed. */
const struct llm_provider *provider_find(const char *model, const char **name);

#endif
