/*
 * A call of a model by whichever key can answer it: the account's own, else the
 * platform's, else the one of the process's environment.  When one fails before
 * anything was said, the next is asked, at most GATEWAY_ATTEMPTS of them, as
 * DESIGN section 8 has it.
 */
#ifndef GATEWAY_COMPLETE_H
#define GATEWAY_COMPLETE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/health.h"
#include "gateway/select.h"
#include "llm/llm.h"
#include "util/err.h"
#include "util/id.h"

struct account;
struct credentials;
struct gateway;

/* Both outlive it.  Without ${credentials} the environment's keys are all there
 * is.  Any thread may use the result. */
struct gateway *gateway_new(struct llm *, struct credentials *);
void gateway_free(struct gateway *);

/*
 * The model that will answer for ${wanted}: itself where there is a key for it;
 * with ${fallback} the next of default_models for which there is one; else -1
 * as llm_choose().  Whether the key can be asked now is no matter here.
 * *ret is ${wanted} or lives as long as the gateway.
 */
int gateway_choose(struct gateway *, const struct account *, const char *wanted,
    bool fallback, int64_t deadline, const char **ret, struct err *e);

#define GATEWAY_ATTEMPTS 3 /* distinct keys a call */
#define GATEWAY_STORY 24   /* attempts of a turn that are kept */

enum gateway_source {
	GATEWAY_NO_KEY, /* the model needs none */
	GATEWAY_ENVIRONMENT,
	GATEWAY_ACCOUNT,
	GATEWAY_PLATFORM,
};
/* "none" "environment" "account" "platform" */
const char *gateway_source_name(enum gateway_source);

/* One call that went out.  Texts lie below the ctx of the call. */
struct gateway_attempt {
	enum gateway_source source;
	struct uuid credential; /* nil: the environment's, or none */
	uint32_t slot;
	const char *name; /* NULL as well */
	int round;        /* of the turn: which call of the model, from 0 */
	int status;       /* the provider's, 0 none */
	enum health_outcome outcome;
	const char *error; /* kind of the error, a static word; NULL none */
	int64_t ms;
	struct llm_usage usage;
	bool injected; /* a drill's fault: nobody was asked */
};

/* A key that could have answered, as it was when the last one was chosen. */
struct gateway_candidate {
	struct uuid credential;
	uint32_t slot;
	const char *name;
	const char *refused; /* a static word; NULL: it could be asked */
	double score;
	enum health_state state;
	enum health_reason reason;
	int64_t rpm_left, tpm_left; /* -1: not limited */
	double load;
};

/* Who goes along with a turn's calls. */
struct gateway_watch {
	/* Before each call goes out: by whose key; NULL none of the pool. */
	void (*asking)(void *arg, const struct uuid *credential);
	void *arg;
	/* A drill: calls by this key are the first to be made, and fail so
	 * (gateway/fault.h); NULL none. */
	const char *fault;
	struct uuid faulty;
};

/* What a turn's calls went through, for its why record.  Zeroed before the
 * first; each call adds to it. */
struct gateway_story {
	const struct gateway_watch *watch; /* NULL: nobody */
	int rounds;
	int nattempts; /* that are kept; more were made if nattempts < made */
	int made;
	struct gateway_attempt attempts[GATEWAY_STORY];
	/* Of the last choice. */
	enum gateway_source source;
	enum select_strategy strategy;
	struct gateway_candidate *candidates;
	int ncandidates;
};

/*
 * As llm_complete(), by the account's keys.  reply->credential and attempts say
 * who answered and after how many calls; usage is that of all of them, as far
 * as the provider counted it.  When no key can be asked: ERR_UNAVAILABLE, kind
 * "credentials-exhausted", with the time until the first one can.
 */
int gateway_complete(struct gateway *, const struct account *,
    const struct llm_request *, struct llm_sink *, const void *ctx,
    struct llm_reply *, struct gateway_story *, struct err *e);

#endif
