/*
 * What a host knows of a budget in a period: an entry by the budget's slot, two
 * for each, since turns of a period may end in the next.
 *
 * left is what may still be reserved: granted - settled - reserved - returned.
 * Whatever grows (applied, settled, returned, unpriced) is told to the database
 * as it stands, so that telling it twice does no harm.
 */
#ifndef USAGE_BUDGET_PRIV_H
#define USAGE_BUDGET_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

struct entry {
	_Atomic(int64_t) period;   /* its number + 1; 0: never used */
	_Atomic(unsigned) opening; /* process slot + 1 of who makes it ready */
	_Atomic(bool) known;       /* what was used before has been counted */
	_Atomic(bool) alert;       /* the database wants one given */
	_Atomic(bool) away;        /* why it is dry: nobody could be asked */
	_Atomic(int64_t) left, reserved;
	_Atomic(int64_t) applied; /* granted, as far as it is in left */
	_Atomic(int64_t) settled, returned, unpriced;
	_Atomic(int64_t) told_settled, told_returned, told_reserved;
	_Atomic(int64_t) amount; /* the limit, as the database last said */
	_Atomic(int64_t) asking; /* somebody asks, until then at most */
	_Atomic(int64_t) dry;    /* there is no more, asked anew after that */
	/* while period stands: */
	struct uuid account, budget, subject;
	int64_t starts_us;
	char scope; /* 'a'ccount, a'g'ent, 'k'ey */
	bool usd, month;
} __attribute__((aligned(64)));

/* What the database answered. */
struct synced {
	int64_t free;      /* of the budget, after what was granted */
	int64_t elsewhere; /* what other hosts hold */
	bool gone;         /* there is no such budget */
};

/* Of this start of the server, shared. */
struct budget_run {
	struct uuid id;
	char place[512];
	_Atomic(bool) known;   /* the database knows it */
	_Atomic(int) servers;  /* how many run, this one too */
	_Atomic(int64_t) seen; /* when the database was last told */
};

/* Tell what ${en} has done and ask for ${want} more (0: nothing); what is
 * granted is added to left.  0 or -1.  (budget_sync.c) */
int budget_sync(struct db_pool *, struct budget_run *, struct entry *,
    int64_t want, int64_t deadline, struct synced *, struct err *);
/* The server is there. */
int budget_seen(
    struct db_pool *, struct budget_run *, int64_t deadline, struct err *);

/* Of the ledger (budget.c): those in use, one after the other from *at = 0. */
struct entry *budget_next(uint32_t *at);
/* Forget the one that budget_next() gave last with *at. */
void budget_forget(uint32_t at);
struct budget_run *budget_the_run(void);
/* The number of the period at ${us} since 1970, and when it starts. */
int64_t budget_period(bool month, int64_t us);
int64_t budget_starts(bool month, int64_t period);

#endif
