/*
 * Accounts: an immutable, counted snapshot of what a request needs to know of
 * one, kept by a per-process LRU and proven fresh by the account's epoch.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct tiers;
struct accounts;
struct lru_stats;

#define ACCOUNT_UNLIMITED INT64_C(-1)

/* A budget, for the ledger (usage/budget.h). */
struct account_budget {
	struct uuid id, subject; /* subject: nil for the account */
	uint32_t slot;
	const char *name;
	char scope;     /* 'a'ccount, a'g'ent, 'k'ey */
	bool month;     /* else a day */
	bool usd;       /* else tokens */
	int64_t amount; /* 1e-9 USD, or tokens */
	bool hard;      /* refuses what would exceed it */
};

struct account {
	struct uuid id;
	uint32_t slot;
	uint64_t epoch;          /* config_epoch its data was read at */
	uint64_t platform_epoch; /* the tier table is the platform's */
	char slug[65];
	const char *name;
	char tier[33];
	bool active;
	int64_t max_agents, requests_per_hour; /* or ACCOUNT_UNLIMITED */
	/* Union of its widget keys' origins: exact, or ending in ":*". */
	char **origins;
	int norigins;
	const struct account_budget *budgets;
	int nbudgets;
};

/* Keeps up to ${hot} accounts in this process.  The tiers must outlive it;
 * their pool may be sb_chat's or sb_admin's. */
struct accounts *accounts_new(const struct tiers *, unsigned hot);
void accounts_free(struct accounts *);

/*
 * The account with this slug, active or not; the caller gives the reference
 * back.  Any thread; no query while a fresh one is cached.
 * ERR_NOT_FOUND, ERR_UNAVAILABLE.
 */
int accounts_by_slug(struct accounts *, const char *slug, int64_t deadline,
    const struct account **ret, struct err *e);
/* To the metrics; one thread, now and then. */
void accounts_tell(struct accounts *);
void accounts_stats(struct accounts *, struct lru_stats *out);
void account_unref(const struct account *);

/*
 * Does the value of an Origin header match one entry?  Exactly, or, where the
 * entry ends in ":*", its scheme and host with any port or none.  "null" never
 * does.  Scheme and host are lower-case in both, as browsers send them.
 */
bool origin_allowed(const char *origin, char *const *list, int n);
/* Is ${entry} one that such a list may hold: "scheme://host", with a port or
 * ":*"?  For those who write lists. */
bool origin_entry_ok(const char *entry);

/* A JSON array of texts as a list below ctx; what is no text is left out. */
char **origin_list(const void *ctx, const char *json, int *n);

#endif
