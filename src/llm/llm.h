/*
 * Models.  The rest of the program knows neutral requests, events and usage
 * only; a provider is one file with a struct llm_provider.
 */
#ifndef LLM_LLM_H
#define LLM_LLM_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/id.h"

struct egress;
struct net;
struct net_wait;
struct llm;

enum llm_role { LLM_USER, LLM_ASSISTANT, LLM_TOOL };

struct llm_tool_call {
	char *id;
	char *name;
	char *arguments; /* JSON text as the model wrote it; may be invalid */
};

struct llm_message {
	enum llm_role role;
	const char *text; /* may be NULL for an assistant with calls only */
	size_t len;
	const struct llm_tool_call *calls; /* LLM_ASSISTANT */
	int ncalls;
	const char *call_id; /* LLM_TOOL: which call this answers */
	bool is_error;       /* LLM_TOOL */
	/* LLM_ASSISTANT in a tool loop: the raw_blocks of the reply whose calls
	 * are answered next, sent back as they came; NULL where it had none */
	const json_t *raw_blocks;
};

/* What retrieval found; the concierge answers from these, other providers find
 * them in the system content (made by agent/prompt.c). */
struct llm_passage {
	int n; /* its citation number, from 1 */
	const char *title, *url, *document_id, *text;
	double score;
	const char *kind; /* "product", "document" */
};

/* How a call reaches its provider, and by which key. */
struct llm_access {
	const char *base; /* without a slash at its end; NULL: the vendor's */
	const char *key;  /* "" none */
	bool own_base;    /* not the vendor's own address */
	const struct egress *egress; /* set where an account typed the base */
};

/* Texts to be made vectors of, by a model of which llm_embeds(). */
struct llm_embed {
	const json_t *input; /* a text, or a list of texts or of tokens */
	int64_t tokens;      /* of all, about */
	const char *format;  /* "float", "base64", or NULL: the provider's */
	int dimensions;      /* 0: the model's */
};

struct llm_request {
	const char *model; /* provider:name */
	/* NULL: as the process's environment has it. */
	const struct llm_access *access;
	const char *system;
	/* Bytes at its start that are the same turn after turn, for a
	 * provider's cache; 0: all of it */
	size_t system_stable;
	const struct llm_message *messages;
	int nmessages;
	const json_t *tools; /* array of {name, description, parameters} */
	/* What the caller said by OpenAI's names, checked, or NULL: stop,
	 * tool_choice, response_format, top_p ...; a provider takes of it what
	 * its format knows */
	const json_t *options;
	int max_tokens;
	double temperature; /* < 0: leave it to the provider */
	const struct llm_passage *passages;
	int npassages;
	bool search_away; /* nothing could be searched: for the concierge */
	const char *agent_name;   /* display name, for the concierge */
	const char *account_name; /* for the concierge */
	const char *traceparent;
	int64_t deadline; /* absolute; the provider's own limits also hold */
	/* Vectors instead of an answer: of what, and where the provider's list
	 * of them goes, in the order of the texts, as JSON:
	 * [{"object","index","embedding"}].  NULL: an answer. */
	const struct llm_embed *embed;
	struct buf *vectors;
};

/* What one answer used.  input includes cached; output includes reasoning. */
struct llm_usage {
	int64_t input, cached, cache_write, output, reasoning;
	bool estimated; /* counted by us: the provider said nothing */
};

enum llm_finish {
	LLM_STOP,
	LLM_LENGTH,
	LLM_TOOL_CALLS,
	LLM_CONTENT_FILTER,
	LLM_CANCELLED,
	LLM_ERROR,
};
const char *llm_finish_name(enum llm_finish);

/* How a call ended, for the key that was used (DESIGN section 8); in the order
 * of enum health_outcome (gateway/health.h). */
enum llm_class {
	LLM_OK,
	LLM_LIMIT,     /* 429 */
	LLM_DENIED,    /* 401, 402, 403 */
	LLM_EXHAUSTED, /* 429 that says quota or credit */
	LLM_NO_MODEL,  /* 404 */
	LLM_SERVER,    /* 408, 409, 5xx, time-out, network, nonsense */
	LLM_CALLER,    /* other 4xx: the request's own fault */
	LLM_ABANDONED, /* the reader left, or it was stopped */
};

/* What the provider's headers said of a limit; -1: nothing. */
enum { LLM_RATES = 4 }; /* requests, tokens, input tokens, output tokens */
struct llm_rate {
	int64_t limit, remaining;
	int64_t reset_at; /* clock_mono(); 0: it did not say */
};

/* Where text goes while it is said. */
struct llm_sink {
	/* A piece of visible text (valid UTF-8, whole characters); -1: stop */
	int (*text)(struct llm_sink *, const char *piece, size_t len);
	int (*beat)(struct llm_sink *); /* -1: the reader is gone */
	/* The reader is gone: how many ms to go on before this is asked again;
	 * 0 stop, as without it. */
	int (*gone)(struct llm_sink *);
	int gone_fd;      /* -1 none */
	bool ignore_gone; /* finish though the reader left */
	int beat_ms;
	atomic_bool *cancel;
	struct net_wait **wait;
};

/* What an answer came to; filled as far as it got, also on failure. */
struct llm_reply {
	char model[96]; /* provider:name that answered */
	struct buf text;
	struct llm_tool_call *calls;
	int ncalls;
	struct llm_usage usage;
	enum llm_finish finish;
	bool started; /* visible text has gone out */
	int status;   /* provider's HTTP status, 0 none */
	int attempts;
	int64_t first_token_ns; /* after the start of the call; 0 none */
	char upstream_id[96];
	enum llm_class class;
	int64_t retry_ms; /* as the provider asks; 0: it did not */
	bool rated;       /* rates holds what it said */
	struct llm_rate rates[LLM_RATES];
	struct uuid credential;   /* whose key answered; nil: the environment's,
	                             or none was needed */
	const json_t *raw_blocks; /* provider's own blocks to send back in a
	                             tool loop (Anthropic thinking); or NULL */
};

struct llm_opts {
	int connect_ms, first_byte_ms, idle_ms, total_ms;
	size_t response_max;
	/* What the operator set in the environment; NULL when not. */
	const char *openai_key, *openai_base;
	const char *anthropic_key, *anthropic_base;
	const char *const *default_models;
};

/* Copies what it needs.  Any thread may use the result. */
struct llm *llm_new(struct net *, const struct llm_opts *);
void llm_free(struct llm *);

/* A provider as llm_probe() found it; base and names are static or the
 * struct llm's. */
struct llm_probe {
	const char *provider; /* "openai" */
	const char *key_env;  /* NULL: it needs no key */
	const char *base;     /* NULL: not of the network */
	bool key, asked;      /* is there a key; was it asked */
	int status;           /* its HTTP status, 0 none */
	int64_t took;         /* ns */
};

/*
 * Ask provider ${i} (from 0) for its list of models, if this process could use
 * it.  1 with *out; 0: there are no more; -1 with e and *out: it did not
 * answer.
 */
int llm_probe(struct llm *, struct net *, int i, int64_t deadline,
    struct llm_probe *out, struct err *e);

/* The same with a key that is given.  0 with *out (of which only provider,
 * status and took are set), or -1. */
int llm_try(struct net *, const char *provider, const struct llm_access *,
    int64_t deadline, struct llm_probe *out, struct err *e);

/* The provider's name in ${model}, and where the model's own begins; NULL: not
 * known.  *keyed: it is asked over the network, by a key. */
const char *llm_provider(const char *model, const char **name, bool *keyed);
/* Of llm_opts; ends with NULL. */
const char *const *llm_defaults(const struct llm *);
/* No key for ${wanted}: set ${e} (kind "missing-credential", or
 * "unknown-model"), return -1. */
int llm_missing(const char *wanted, struct err *e);
/* Can this process call ${model} (provider known, key there)? */
bool llm_usable(struct llm *, const char *model);
/* Does the model's provider take options' response_format? */
bool llm_takes_format(const char *model);
/* Is the name well-formed with a provider we know? */
bool llm_known(const char *model);

/*
 * The model that will answer for ${wanted}: itself when usable; with
 * ${fallback} the next usable of default_models; else -1 with ERR_UNAVAILABLE,
 * kind "missing-credential", whose text names the missing key.
 */
int llm_choose(struct llm *, const char *wanted, bool fallback,
    const char **ret, struct err *e);

/*
 * Ask ${rq}->model and pass text to ${sink} as it is said; without rq->access
 * the model must have come from llm_choose.  *reply's memory hangs below
 * ${ctx}.  0, or -1 with e and what was said so far in *reply.
 */
int llm_complete(struct llm *, const struct llm_request *rq,
    struct llm_sink *sink, const void *ctx, struct llm_reply *reply,
    struct err *e);

/* Does the model's provider make vectors? */
bool llm_embeds(const char *model);
/* Rough count: what usage is called when the provider says nothing, and what
 * limits reserve before. */
int64_t llm_estimate_tokens(const char *text, size_t len);
/* The same for everything a request says: system, messages, tools. */
int64_t llm_estimate_request(const struct llm_request *);

#endif
