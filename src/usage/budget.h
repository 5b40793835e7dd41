/*
 * The ledger of budgets: reserve (an estimate) -> settle (what it was) ->
 * release.  A host takes slices of what is left of a budget from the database
 * and spends them without asking: one 64-bit compare-and-swap a reservation,
 * usable whatever a dying worker was doing.
 *
 * What may happen beyond a hard budget, written down:
 * - On a host reservations never exceed what it was granted, nor all hosts
 *   together what is left.  What a turn used beyond its estimate (answers to
 *   tools, a provider that counts otherwise) counts when it is settled: an
 *   overshoot of at most that much by each turn that runs at the edge.
 * - A worker that is killed gives back what its turns had reserved; what these
 *   had used is not known, and not counted in the roll-ups either.  One that
 *   dies between two instructions may leave one reservation taken.
 * - Who has been silent for 30 s is gone, and what it had been granted and not
 *   used is others'; if it lives after all it may still use that.
 * - A turn counts in the period in which it began; after a restart, in the one
 *   in which it ended.
 * - An answer without a known price counts for tokens only, and as "unpriced".
 */
#ifndef USAGE_BUDGET_H
#define USAGE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct account;
struct db_pool;

/* In the master, before the fork; a second call starts anew.  ${place}: what no
 * two servers that run at once have in common (host and run_dir). */
void budget_map(uint32_t max_slots, const char *place);

struct budget_ask {
	const struct account *account;
	struct uuid agent, key; /* key: whoever asks, by its id */
	int64_t tokens;         /* the estimate */
	int64_t cost_nano;      /* 1e-9 USD; 0: no price is known */
};

/* What a request holds of the budgets that it counts in. */
struct budget_hold;

/*
 * Reserve the estimate in all budgets that the request counts in, or in none.
 * *ret hangs below ctx, NULL when there are none.  Asks the database only when
 * the host has nothing granted that suffices: at its first use in a period,
 * and at most once a second when there is nothing left.  0, or -1:
 * ERR_LIMIT (kind "budget-exceeded"; the text names the budget and when it
 * resets; retry_after), ERR_UNAVAILABLE when what is left cannot be known.
 */
int budget_reserve(struct db_pool *, const struct budget_ask *, const void *ctx,
    int64_t deadline, struct budget_hold **ret, struct err *);
/* It never reached a provider.  NULL does nothing. */
void budget_release(struct budget_hold *);
/* What it came to, whatever its end; ${priced}: cost_nano is known. */
void budget_settle(
    struct budget_hold *, int64_t tokens, int64_t cost_nano, bool priced);

/* In the master: the process of ${slot} has ended. */
void budget_reap(unsigned slot);

/* A budget of which so much is spent that it wants an alert. */
struct budget_alert {
	struct uuid account, budget;
	int64_t starts_us;
};
/*
 * For one thread of the host, about once a second: tell the database what was
 * settled, give back what others lack, and call ${alert} for those that want
 * one.  0, or -1 when the database does not answer: what was not told stays.
 */
int budget_flush(struct db_pool *, int64_t deadline,
    int (*alert)(void *arg, const struct budget_alert *, struct err *),
    void *arg, struct err *);

#endif
