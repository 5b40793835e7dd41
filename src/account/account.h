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

struct db_pool;
struct accounts;

#define ACCOUNT_UNLIMITED INT64_C(-1)

struct account {
	struct uuid id;
	uint32_t slot;
	uint64_t epoch;	   /* config_epoch its data was read at */
	uint64_t general;  /* epoch_general() before it was read */
	char slug[65];
	char name[201];
	char tier[33];
	bool active;
	int64_t max_agents, requests_per_hour; /* or ACCOUNT_UNLIMITED */
	/* Union of its widget keys' origins: exact, or ending in ":*". */
	char **origins;
	int norigins;
};

struct accounts *accounts_new(struct db_pool *, unsigned capacity);
void accounts_free(struct accounts *);

/*
 * The account with this slug or id, active or not; the caller gives the
 * reference back.  ERR_NOT_FOUND, ERR_UNAVAILABLE.
 */
int accounts_by_slug(struct accounts *, const char *slug, int64_t deadline,
    const struct account **ret, struct err *e);
int accounts_by_id(struct accounts *, const struct uuid *id, int64_t deadline,
    const struct account **ret, struct err *e);
void account_unref(const struct account *);

/* Does ${origin} match one entry?  Exact, or scheme and host equal and the
 * entry ends in ":*". */
bool origin_allowed(const char *origin, char *const *list, int n);

#endif
