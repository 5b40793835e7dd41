/*
 * What is known of each provider credential, in memory that all workers share:
 * whether it may be asked, what is left of its minute, who is asking it now.
 * By the credential's slot; no database, no network, no lock, and nothing that
 * a worker killed at any instruction would leave behind once health_reap() has
 * been called for it.
 *
 * The classes are those of the providers' errors (DESIGN section 8):
 *
 *   breaker   so many failures of the server in a row open it; after a pause
 *             it is half-open: one call, the probe, may try, and its result
 *             closes it or opens it for longer.  A probe's lease always ends.
 *   cool-down a 429 is no failure: nobody asks again before Retry-After, or
 *             before half a second times 2^n.
 *   out       a refused key or an empty purse: out at the first one, until the
 *             next probe; the pause grows.
 *   model     a model the credential does not have is refused for a while, on
 *             that credential, other models are not.
 *   capacity  requests and tokens a minute, reserved before a call and settled
 *             after it (gateway/capacity.c), corrected by the provider's own
 *             rate headers.
 *
 * Times are clock_mono() in ns, given by the caller; inside they are kept in
 * ms, rounded so that nothing ends too early.  Any thread, any process.
 * Without health_map() (a command of the operator) every credential may be
 * asked and nothing is remembered.
 */
#ifndef GATEWAY_HEALTH_H
#define GATEWAY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/* A minute's limits; <= 0: none given, then what the provider's headers said
 * counts, and where both are known the smaller one. */
struct health_limits {
	int64_t rpm, tpm, itpm;
};

enum health_state {
	HEALTH_CLOSED,    /* asked */
	HEALTH_OPEN,      /* not asked until ${until} */
	HEALTH_HALF_OPEN, /* the pause is over: one probe at a time */
	HEALTH_COOLING,   /* 429: not asked until ${until} */
	HEALTH_OUT,       /* key or purse: not asked until ${until} */
};

/* Why it is not closed. */
enum health_reason {
	HEALTH_WHY_NONE,
	HEALTH_WHY_FAILURES,  /* of the server, in a row */
	HEALTH_WHY_LIMITED,   /* 429 */
	HEALTH_WHY_DENIED,    /* the key was refused */
	HEALTH_WHY_EXHAUSTED, /* quota or credit is used up */
	HEALTH_WHY_OPERATOR,  /* somebody opened it; no probe, until closed */
	HEALTH_WHY_NO_SLOT,   /* its slot is beyond max_slots */
};
#define HEALTH_REASONS 7

/* "closed", "open", "half_open", "cooling", "out" */
const char *health_state_name(enum health_state);
/* "none", "failures", "limited", "denied", "exhausted", "operator", "slot" */
const char *health_reason_name(enum health_reason);

/* How the rules are tuned; 0 of any: the default. */
struct health_params {
	int failures;     /* in a row that open it, 1 to 31: 5 */
	int open_ms;      /* first pause: 30 s, doubled at each */
	int open_max_ms;  /* failed probe up to 5 min */
	int probe_ms;     /* a probe's lease: 60 s */
	int out_ms;       /* 60 s, doubled at each failed probe */
	int out_max_ms;   /* up to 15 min */
	int cool_ms;      /* a 429 without Retry-After: 0.5 s x 2^n */
	int cool_max_ms;  /* up to 60 s */
	int retry_max_ms; /* the most a Retry-After counts for: 1 h */
	int model_ms;     /* a missing model: 10 min */
};

/* In the master, before the fork. */
void health_map(uint32_t max_slots);
/* In the master, before the fork; without it the defaults hold. */
void health_tune(const struct health_params *);

struct health_view {
	enum health_state state;
	enum health_reason reason;
	bool probe_due;  /* half-open, and nobody probes now */
	bool model_gone; /* it does not have this model, until model_until */
	int failures;    /* in a row so far */
	int inflight;    /* calls under way, of all processes */
	int64_t since;   /* the state's begin; 0 not known */
	int64_t until;   /* when it may be asked again; 0: at once, or, of
	                    HEALTH_OPEN by an operator, when he closes it */
	int64_t model_until;
	/* Left of the minute; -1: not limited. */
	int64_t rpm_left, tpm_left, itpm_left, otpm_left;
	/* The limits that hold, as learned or given; 0: none. */
	int64_t rpm, tpm, itpm, otpm;
	int64_t held; /* the provider said that nothing is left until then; 0 */
	double load;  /* 0 to 1: the greatest share used of any limit */
};

/*
 * How is it with ${slot}, for a call of the model of ${model_hash} (any good
 * 64-bit hash of the provider's model name; 0: of no model)?
 */
void health_look(uint32_t slot, uint64_t model_hash,
    const struct health_limits *, int64_t now, struct health_view *);

/* One attempt under way: made by health_begin(), ended by health_end(), both in
 * the same process. */
struct health_call {
	uint32_t slot;
	/*
	 * The caller may set it after health_begin(): another attempt of the
	 * same request has met HEALTH_SERVER before, so that this one's does
	 * not count (a request that no provider survives must not open every
	 * breaker).  A probe's always counts.
	 */
	bool follows;
	bool probe;
	/* The rest is health.c's. */
	unsigned place, gen, process;
	uint64_t model_hash, lease;
	int64_t begun;
	struct health_limits limits;
	int64_t took[4]; /* ticks of the buckets */
};

/*
 * Begin a call that will use about so many tokens: counts it as under way,
 * takes from the minute, takes the probe when it is half-open.  False: not now
 * (health_look() tells why); nothing is taken.
 */
bool health_begin(struct health_call *, uint32_t slot, uint64_t model_hash,
    const struct health_limits *, int64_t input_tokens, int64_t output_tokens,
    int64_t now);

enum health_outcome {
	HEALTH_OK,
	HEALTH_LIMIT,     /* 429 */
	HEALTH_DENIED,    /* 401, 402, 403 */
	HEALTH_EXHAUSTED, /* 429 that says quota or credit */
	HEALTH_NO_MODEL,  /* 404 */
	HEALTH_SERVER,    /* 408, 409, 5xx, 529, time-out, network */
	HEALTH_CALLER,    /* other 4xx: the request's own fault */
	HEALTH_ABANDONED, /* the reader left */
};
#define HEALTH_OUTCOMES 8
/* "ok", "limit", "denied", "exhausted", "no_model", "server", "caller",
 * "abandoned" */
const char *health_outcome_name(enum health_outcome);

/*
 * It ended so.  ${retry_after_ms}: what the provider asked for, 0 nothing.
 * Tokens are those the provider counted (0 of what it did not serve);
 * ${input_tokens} is the whole input and ${cached_tokens} the part of it that
 * was read from a cache.  True: this call opened it or took it out, so tell
 * somebody.
 */
bool health_end(struct health_call *, enum health_outcome,
    int64_t retry_after_ms, int64_t input_tokens, int64_t cached_tokens,
    int64_t output_tokens, int64_t now);

/* One of a provider's rate headers; -1: it did not say. */
struct health_rate {
	int64_t limit, remaining;
	int64_t reset_at; /* clock_mono(); 0: it did not say */
};
#define HEALTH_RATE_NONE                                                       \
	{                                                                      \
		-1, -1, 0                                                      \
	}
struct health_rates {
	struct health_rate requests, tokens, input_tokens, output_tokens;
};
/*
 * What the headers of an answer said.  Where less is left than we think they
 * are believed; where nothing is left, nobody asks until the reset.
 */
void health_rates(uint32_t slot, const struct health_rates *, int64_t now);

enum health_order {
	HEALTH_OPEN_IT,  /* not asked until closed or reset */
	HEALTH_CLOSE_IT, /* asked at once: breaker, out, cool-down end */
	HEALTH_RESET_IT, /* that, and windows, learned limits, models, counts
	                    are forgotten: as new */
};
void health_set(uint32_t slot, enum health_order, int64_t now);

/* For pages. */
struct health_counts {
	uint64_t outcomes[HEALTH_OUTCOMES];
	uint64_t begun, openings, cooldowns, outs, probes;
	uint64_t refused; /* health_begin() said no */
};
void health_counts(uint32_t slot, struct health_counts *);

/* A number that grows with each call of any process, one series an account:
 * for select_best()'s turn. */
uint64_t health_turn(uint32_t account_slot);

/* The process of this slot (shm/procs.h) has died: give back what it held.  In
 * the master, which knows that it has ended. */
void health_reap(unsigned process_slot, int64_t now);

#endif
