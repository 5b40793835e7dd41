/*
 * What the host and the database tell each other of a budget.  All that is told
 * grows, and what is granted is added by whoever first moves "applied" to it:
 * so any process may do this at any time, and may die in it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "usage/budget.h"
#include "usage/budget_priv.h"
#include "usage/store.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* In every round: who has come lacks what we hold, and waits for it. */
#define SEEN_EVERY (500 * CLOCK_MS)

int
budget_seen(
    struct db_pool *db, struct budget_run *run, int64_t deadline, struct err *e)
{
	int64_t servers;

	if (store_budget_seen(
		db, &run->id, run->place, &servers, deadline, e) != 0)
		return -1;
	atomic_store(&run->servers, (int)servers);
	atomic_store(&run->seen, clock_mono());
	atomic_store(&run->known, true);
	return 0;
}

/* What was granted since is left. */
static void
apply(struct entry *en, int64_t granted)
{
	int64_t applied = atomic_load(&en->applied);

	while (granted > applied)
		if (atomic_compare_exchange_weak(
			&en->applied, &applied, granted)) {
			atomic_fetch_add(&en->left, granted - applied);
			return;
		}
}

/* Give back up to ${n} of what is left; true: something. */
static bool
give_back(struct entry *en, int64_t n)
{
	int64_t left = atomic_load(&en->left), back;

	do {
		back = left < n ? left : n;
		if (back <= 0)
			return false;
	} while (!atomic_compare_exchange_weak(&en->left, &left, left - back));
	atomic_fetch_add(&en->returned, back);
	return true;
}

static int
exchange(struct db_pool *db, struct budget_run *run, struct entry *en,
    int64_t want, int64_t deadline, struct synced *out, struct err *e)
{
	struct store_budget_sync s = { .run = &run->id,
		.en = en,
		.want = want,
		.know = !atomic_load(&en->known),
		.applied = atomic_load(&en->applied),
		.settled = atomic_load(&en->settled),
		.returned = atomic_load(&en->returned),
		.unpriced = atomic_load(&en->unpriced),
		.reserved = atomic_load(&en->reserved) };

	if (store_budget_sync(db, &s, deadline, e) != 0)
		return -1;
	if (s.look && !s.know) {
		s.know = true;
		if (store_budget_sync(db, &s, deadline, e) != 0)
			return -1;
	}
	*out = (struct synced){
		.free = s.free, .elsewhere = s.elsewhere, .gone = s.gone
	};
	if (s.gone)
		return 0;
	apply(en, s.granted);
	atomic_store(&en->known, true);
	atomic_store(&en->amount, s.amount);
	if (s.alert)
		atomic_store(&en->alert, true);
	atomic_store(&en->told_settled, s.settled);
	atomic_store(&en->told_returned, s.returned);
	atomic_store(&en->told_reserved, s.reserved);
	return 0;
}

int
budget_sync(struct db_pool *db, struct budget_run *run, struct entry *en,
    int64_t want, int64_t deadline, struct synced *out, struct err *e)
{
	if (!atomic_load(&run->known) && budget_seen(db, run, deadline, e) != 0)
		return -1;
	if (exchange(db, run, en, want, deadline, out, e) != 0)
		return -1;
	/* The limit was lowered below what the host holds. */
	if (!out->gone && out->free < 0 && give_back(en, -out->free))
		return exchange(db, run, en, 0, deadline, out, e);
	return 0;
}

/* --- once a second ------------------------------------------------------- */

static bool
untold(const struct entry *en)
{
	return atomic_load(&en->settled) != atomic_load(&en->told_settled) ||
	       atomic_load(&en->returned) != atomic_load(&en->told_returned) ||
	       atomic_load(&en->reserved) != atomic_load(&en->told_reserved);
}

/* Its period is over, and nobody begins anything in it. */
static bool
over(const struct entry *en)
{
	return budget_period(en->month, clock_wall_us()) >
	       atomic_load(&en->period) - 1;
}

/* 0; 1 it may be forgotten; -1. */
static int
tend(struct db_pool *db, struct budget_run *run, struct entry *en,
    int64_t deadline, struct err *e)
{
	bool last = over(en), lend = atomic_load(&run->servers) > 1;
	struct synced s = { 0 };

	if (last)
		give_back(en, atomic_load(&en->left));
	if (!untold(en) && !(lend && atomic_load(&en->left) > 0))
		return last && atomic_load(&en->reserved) == 0;
	if (budget_sync(db, run, en, 0, deadline, &s, e) != 0)
		return -1;
	if (s.gone)
		return atomic_load(&en->reserved) == 0;
	/* Others may lack what lies here. */
	if (lend && s.free < atomic_load(&en->left) &&
	    give_back(en, (atomic_load(&en->left) - s.free) / 2) &&
	    budget_sync(db, run, en, 0, deadline, &s, e) != 0)
		return -1;
	return 0;
}

static int
tell(struct entry *en,
    int (*alert)(void *, const struct budget_alert *, struct err *), void *arg,
    struct err *e)
{
	const struct budget_alert a = { .account = en->account,
		.budget = en->budget,
		.starts_us = en->starts_us };

	if (!atomic_load(&en->alert))
		return 0;
	if (alert(arg, &a, e) != 0)
		return -1;
	atomic_store(&en->alert, false);
	return 0;
}

int
budget_flush(struct db_pool *db, int64_t deadline,
    int (*alert)(void *arg, const struct budget_alert *, struct err *),
    void *arg, struct err *e)
{
	struct budget_run *run = budget_the_run();
	struct entry *en;
	uint32_t at = 0;
	int rc, all = 0;

	if (clock_mono() - atomic_load(&run->seen) >= SEEN_EVERY ||
	    !atomic_load(&run->known))
		if (budget_seen(db, run, deadline, e) != 0)
			return -1;
	while ((en = budget_next(&at)) != NULL) {
		rc = tend(db, run, en, deadline, e);
		if (rc >= 0 && tell(en, alert, arg, e) != 0)
			rc = -1;
		if (rc > 0)
			budget_forget(at);
		if (rc >= 0)
			continue;
		if (e->code == ERR_UNAVAILABLE)
			return -1;
		all = -1; /* one that cannot be told keeps no other back */
	}
	return all;
}
