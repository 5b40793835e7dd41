/* A call on its way through the keys that may answer it. */
#ifndef GATEWAY_COMPLETE_PRIV_H
#define GATEWAY_COMPLETE_PRIV_H

#include "gateway/complete.h"
#include "gateway/credential.h"

struct candidate {
	const struct credential *credential;
	const char *refused; /* for this call: "tried", "busy"; NULL not */
};

struct failover {
	struct llm *llm;
	const struct llm_request *rq;
	struct llm_sink *sink;
	const void *ctx; /* of the reply */
	struct llm_reply *reply;
	struct gateway_story *story;
	const struct account *account;
	enum gateway_source source;
	enum select_strategy strategy;
	const char *provider;
	uint64_t model_hash, turn;
	int64_t input, output; /* tokens, about */
	int64_t cost_nano;
	void *tmp;
	struct candidate *list;
	struct select_candidate *choice; /* as many */
	int n;
	int made;           /* attempts */
	bool injected;      /* the last one was a drill's fault */
	bool server_failed; /* one of them by the server's fault */
	int64_t soonest;    /* of the last choice that found none */
};

/* Who may answer for ${model} (without the provider's name); n is 0 where
 * nobody may. */
void failover_begin(struct failover *, const struct credential_set *,
    const char *provider, const char *model);
void failover_end(struct failover *);
/* The best of them now, written down in the story; NULL: none. */
struct candidate *failover_choose(struct failover *);
/* The one whose calls are to fail, while it was not tried; -1: none. */
int failover_faulty(const struct failover *);
/* Is there one that was not tried? */
bool failover_left(const struct failover *);
/* Nobody answered: say so with the time to come back, or leave the last
 * attempt's error where one could be asked again at once.  -1. */
int failover_exhausted(struct failover *, struct err *e);

#endif
