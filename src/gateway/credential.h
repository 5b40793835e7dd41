/*
 * The keys that may answer an account's calls: an immutable, counted snapshot
 * of its own and the platform's active credentials, kept by a per-process LRU
 * and proven fresh by the account's epoch and the platform's, as accounts are.
 * The keys are opened once a snapshot, into locked memory, and wiped with it.
 */
#ifndef GATEWAY_CREDENTIAL_H
#define GATEWAY_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/health.h"
#include "gateway/select.h"
#include "llm/llm.h"
#include "util/err.h"
#include "util/id.h"

struct credentials;
struct egress;
struct lru_stats;
struct tiers;
struct vault;

struct credential {
	struct uuid id;
	struct uuid account; /* whose it is; nil: the platform's */
	uint32_t slot;       /* its place in shared memory */
	const char *provider, *name;
	struct llm_access access;
	struct health_limits limits;
	int tier, weight, priority;
	const char **models; /* patterns; none: all */
	int nmodels;
};

struct credential_set {
	uint32_t slot; /* the account's */
	uint64_t epoch, platform_epoch;
	enum select_strategy strategy;
	struct credential *own, *platform;
	int nown, nplatform;
};

/* Keeps the sets of up to ${hot} accounts.  The tiers, whose pool is sb_chat's,
 * the vault and the guard for addresses that accounts typed must outlive it. */
struct credentials *credentials_new(
    const struct tiers *, struct vault *, const struct egress *, unsigned hot);
void credentials_free(struct credentials *);

/*
 * The set of an account; the caller gives the reference back.  Any thread; no
 * query while a fresh one is cached.  ERR_NOT_FOUND (no such account),
 * ERR_UNAVAILABLE.
 */
int credentials_of(struct credentials *, const struct uuid *account,
    int64_t deadline, const struct credential_set **ret, struct err *e);
void credential_set_unref(const struct credential_set *);
/* To the metrics; one thread, now and then. */
void credentials_tell(struct credentials *);

/* May it be used for ${model} (without the provider's name) of ${provider}? */
bool credential_fits(
    const struct credential *, const char *provider, const char *model);
/*
 * Those that may answer for ${model}: the account's own, or, where none of them
 * fits, the platform's.  How many, pointers to them in *ret below ${ctx}; with
 * ${ctx} NULL only how many.
 */
int credential_set_for(const struct credential_set *, const char *provider,
    const char *model, const void *ctx, const struct credential ***ret);

/* This one has answered: its last_used_at moves within a minute.  Any thread.
 */
void credential_used(const struct credential *);
/* Write down what was used; as db_used_flush(). */
struct db_pool;
int credential_used_flush(struct db_pool *, int64_t deadline, struct err *e);

#endif
