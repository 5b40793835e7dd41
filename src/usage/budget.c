/* Reserving, settling and releasing in shared memory. */
#include "usage/budget.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "shm/procs.h"
#include "shm/shm.h"
#include "telemetry/metric.h"
#include "usage/budget_priv.h"
#include "usage/reserve_priv.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
/* How long a caller waits for what others give back. */
#define PATIENCE (2 * CLOCK_S)
/* Who asks may be dead by then, and somebody else asks; twice does no harm. */
#define ASK_MOST (500 * CLOCK_MS)
#define ASK_PAUSE (100 * CLOCK_MS)
#define DRY (CLOCK_S)
#define AWAY (250 * CLOCK_MS)
#define LOOK_MS 2

static struct {
	uint32_t slots;
	struct entry *entries;   /* two a slot */
	_Atomic(uint64_t) *used; /* a bit an entry */
	struct budget_run *run;
} ledger;

struct held {
	uint32_t at;
	int64_t amount;
	unsigned place; /* where it is noted, for budget_reap() */
	bool usd;
};

struct budget_hold {
	int n;
	struct held *row;
};

void
budget_map(uint32_t max_slots, const char *place)
{
	uint32_t n = 2 * (max_slots + 1);

	ledger.slots = max_slots;
	ledger.entries = shm_map(sizeof(struct entry) * n);
	ledger.used = shm_map((n / 64 + 1) * sizeof(*ledger.used));
	ledger.run = shm_map(sizeof(*ledger.run));
	id_new(&ledger.run->id);
	snprintf(ledger.run->place, sizeof(ledger.run->place), "%s", place);
	atomic_store(&ledger.run->servers, 1);
	reserve_map(RESERVE_BUDGETS);
}

struct budget_run *
budget_the_run(void)
{
	return ledger.run;
}

/* --- periods ------------------------------------------------------------- */

/* Days from 1970 to the month of that number: those since the year 0. */
static int64_t
month_day(int64_t month)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
		273, 304, 334 };
	int64_t y = month / 12, past = y - 1;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return 365 * y + past / 4 - past / 100 + past / 400 +
	       before[month % 12] + (leap && month % 12 > 1) - 719527;
}

/* No gmtime_r(): that takes a lock of the whole process. */
int64_t
budget_period(bool month, int64_t us)
{
	int64_t days = us / DAY_US, n;

	if (!month)
		return days;
	n = 1970 * 12 + days * 12 / 366; /* that or a little later */
	while (month_day(n + 1) <= days)
		n++;
	return n;
}

int64_t
budget_starts(bool month, int64_t period)
{
	return (month ? month_day(period) : period) * DAY_US;
}

/* --- entries ------------------------------------------------------------- */

struct entry *
budget_next(uint32_t *at)
{
	uint32_t n = 2 * (ledger.slots + 1), i;
	uint64_t word;

	for (i = *at; ledger.entries != NULL && i < n; i++) {
		word = atomic_load(&ledger.used[i / 64]) >> (i % 64);
		if (word == 0) {
			i |= 63; /* nothing more in these */
			continue;
		}
		i += (uint32_t)__builtin_ctzll(word);
		*at = i + 1;
		if (atomic_load(&ledger.entries[i].period) != 0)
			return &ledger.entries[i];
	}
	return NULL;
}

void
budget_forget(uint32_t at)
{
	at--;
	atomic_fetch_and(&ledger.used[at / 64], ~(UINT64_C(1) << (at % 64)));
}

static void
fill(struct entry *en, const struct account *a, const struct account_budget *b,
    int64_t period)
{
	_Atomic(int64_t) *const numbers[] = { &en->left, &en->reserved,
		&en->applied, &en->settled, &en->returned, &en->unpriced,
		&en->told_settled, &en->told_returned, &en->told_reserved,
		&en->amount, &en->asking, &en->dry };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		atomic_store(numbers[i], 0);
	atomic_store(&en->known, false);
	atomic_store(&en->alert, false);
	atomic_store(&en->away, false);
	en->account = a->id;
	en->budget = b->id;
	en->subject = b->subject;
	en->scope = b->scope;
	en->usd = b->usd;
	en->month = b->month;
	en->starts_us = budget_starts(b->month, period);
}

/*
 * The entry of a budget for this period.  What was there before is two periods
 * old and nobody's.  Who dies while filling it is found by budget_reap().
 */
static uint32_t
entry_of(const struct account *a, const struct account_budget *b, int64_t us)
{
	int64_t period = budget_period(b->month, us);
	uint32_t at = 2 * b->slot + (uint32_t)(period & 1);
	struct entry *en = &ledger.entries[at];
	unsigned nobody;

	while (atomic_load(&en->period) != period + 1) {
		/* First: by this the entry is found when we die. */
		atomic_fetch_or(
		    &ledger.used[at / 64], UINT64_C(1) << (at % 64));
		nobody = 0;
		if (!atomic_compare_exchange_strong(
			&en->opening, &nobody, procs_self_slot() + 1)) {
			poll(NULL, 0, LOOK_MS);
			continue;
		}
		if (atomic_load(&en->period) != period + 1) {
			fill(en, a, b, period);
			atomic_store(&en->period, period + 1);
		}
		atomic_store(&en->opening, 0);
	}
	return at;
}

static bool
take(struct entry *en, int64_t n)
{
	int64_t left = atomic_load(&en->left);

	do {
		if (left < n)
			return n == 0; /* nothing that could be counted */
	} while (!atomic_compare_exchange_weak(&en->left, &left, left - n));
	atomic_fetch_add(&en->reserved, n);
	return true;
}

static void
put_back(uint32_t at, int64_t n)
{
	struct entry *en = &ledger.entries[at];

	atomic_fetch_sub(&en->reserved, n);
	atomic_fetch_add(&en->left, n);
}

/* --- reserving ----------------------------------------------------------- */

enum got { GOT, GOT_NOTHING, GOT_NO_ANSWER };

static enum got
dry(const struct entry *en)
{
	return atomic_load(&en->away) ? GOT_NO_ANSWER : GOT_NOTHING;
}

/* Ask for what lacks; whoever waits for the answer looks again afterwards.
 * True: look again, false: there is none. */
static bool
ask(struct db_pool *db, struct entry *en, int64_t n, int64_t until)
{
	int64_t left = atomic_load(&en->left), now;
	struct synced s = { 0 };
	struct err e = { 0 };
	int rc = budget_sync(
	    db, ledger.run, en, n > left ? n - left : 0, until, &s, &e);

	now = clock_mono();
	if (rc == 0 && (atomic_load(&en->left) >= n || s.gone)) {
		atomic_store(&en->dry, 0);
		atomic_store(&en->asking, 0);
		return !s.gone;
	}
	if (rc == 0 && s.elsewhere > 0 && now + ASK_PAUSE < until) {
		/* They are asked to give back by this. */
		atomic_store(&en->asking, now + ASK_PAUSE);
		return true;
	}
	atomic_store(&en->away, rc != 0);
	atomic_store(&en->dry, now + (rc != 0 ? AWAY : DRY));
	atomic_store(&en->asking, 0);
	return false;
}

static enum got
obtain(struct db_pool *db, struct entry *en, int64_t n, int64_t amount,
    int64_t deadline)
{
	int64_t until = clock_mono() + PATIENCE, now, asking;
	bool asked = false;

	if (until > deadline)
		until = deadline;
	for (;;) {
		bool same = asked || atomic_load(&en->amount) == amount;

		if (same && take(en, n))
			return GOT;
		now = clock_mono();
		if (same && atomic_load(&en->dry) > now)
			return dry(en);
		if (now >= until) {
			atomic_store(&en->away, !atomic_load(&en->known));
			atomic_store(&en->dry, now + DRY);
			return dry(en);
		}
		asking = atomic_load(&en->asking);
		if (asking > now || !atomic_compare_exchange_strong(
					&en->asking, &asking, now + ASK_MOST)) {
			poll(NULL, 0, LOOK_MS);
			continue;
		}
		asked = true;
		if (!ask(db, en, n, until))
			return dry(en);
	}
}

static bool
applies(const struct account_budget *b, const struct budget_ask *ask)
{
	switch (b->scope) {
	case 'g':
		return id_eq(&b->subject, &ask->agent);
	case 'k':
		return id_eq(&b->subject, &ask->key);
	default:
		return true;
	}
}

static int
refuse(const struct account_budget *b, const struct entry *en, int64_t n,
    enum got why, struct err *e)
{
	char at[CLOCK_RFC3339_SIZE];
	int64_t reserved = atomic_load(&en->reserved),
		period = budget_period(b->month, en->starts_us),
		resets = budget_starts(b->month, period + 1),
		s = (resets - clock_wall_us()) / SECOND_US + 1;

	if (why == GOT_NO_ANSWER)
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
		    "what is left of a budget cannot be looked up");
	metric_add(M_BUDGET_REFUSED, 1);
	clock_rfc3339(resets, at);
	if (reserved > 0 && atomic_load(&en->left) + reserved >= n)
		return err_set_kind(e, ERR_LIMIT, "budget-exceeded", 1,
		    "What is left of the budget \"%s\" is held by requests "
		    "that run; it resets at %s.",
		    b->name, at);
	return err_set_kind(e, ERR_LIMIT, "budget-exceeded", s > 1 ? (int)s : 1,
	    "The budget \"%s\" of this %s is used up, or what is left does not "
	    "suffice; it resets at %s.",
	    b->name, b->month ? "month" : "day", at);
}

/* One budget; its row is added to the hold when it was reserved. */
static int
reserve(struct db_pool *db, const struct budget_ask *ask,
    const struct account_budget *b, int64_t deadline, struct budget_hold *h,
    struct err *e)
{
	struct held *row = &h->row[h->n];
	int64_t n = b->usd ? ask->cost_nano : ask->tokens;
	struct entry *en;
	enum got got;

	if (b->slot > ledger.slots)
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 60,
		    "slot %" PRIu32 " is beyond max_slots (%" PRIu32 ")",
		    b->slot, ledger.slots);
	*row = (struct held){ .usd = b->usd,
		.at = entry_of(ask->account, b, clock_wall_us()) };
	en = &ledger.entries[row->at];
	if (b->hard) {
		got = obtain(db, en, n, b->amount, deadline);
		if (got != GOT)
			return refuse(b, en, n, got, e);
		row->amount = n;
		if (n > 0)
			row->place = reserve_note(RESERVE_BUDGETS, row->at, n);
	}
	h->n++;
	return 0;
}

int
budget_reserve(struct db_pool *db, const struct budget_ask *ask,
    const void *ctx, int64_t deadline, struct budget_hold **ret, struct err *e)
{
	const struct account *a = ask->account;
	struct budget_hold *h;

	*ret = NULL;
	if (a->nbudgets == 0 || ledger.entries == NULL)
		return 0;
	h = mem_new(ctx, struct budget_hold);
	h->row = mem_array(h, struct held, (size_t)a->nbudgets);
	for (int i = 0; i < a->nbudgets; i++) {
		if (!applies(&a->budgets[i], ask))
			continue;
		if (reserve(db, ask, &a->budgets[i], deadline, h, e) != 0) {
			budget_release(h);
			return -1;
		}
	}
	*ret = h;
	return 0;
}

void
budget_release(struct budget_hold *h)
{
	for (int i = 0; h != NULL && i < h->n; i++) {
		reserve_clear(RESERVE_BUDGETS, h->row[i].place);
		put_back(h->row[i].at, h->row[i].amount);
	}
	if (h != NULL)
		h->n = 0;
}

void
budget_settle(
    struct budget_hold *h, int64_t tokens, int64_t cost_nano, bool priced)
{
	for (int i = 0; h != NULL && i < h->n; i++) {
		const struct held *row = &h->row[i];
		struct entry *en = &ledger.entries[row->at];
		int64_t used = !row->usd ? tokens : priced ? cost_nano : 0;

		/* First: who dies after this line leaves it taken, who dies
		 * before has it given back; so nothing is given back twice. */
		reserve_clear(RESERVE_BUDGETS, row->place);
		atomic_fetch_add(&en->settled, used);
		if (!priced && tokens > 0)
			atomic_fetch_add(&en->unpriced, 1);
		atomic_fetch_sub(&en->reserved, row->amount);
		atomic_fetch_add(&en->left, row->amount - used);
	}
	if (h != NULL)
		h->n = 0;
}

static void
reaped(uint32_t at, int64_t n)
{
	if (at < 2 * (ledger.slots + 1))
		put_back(at, n);
}

void
budget_reap(unsigned slot)
{
	uint32_t n = 2 * (ledger.slots + 1);
	unsigned opener;

	if (ledger.entries == NULL)
		return;
	reserve_reap(RESERVE_BUDGETS, slot, reaped);
	for (uint32_t i = 0; i < n; i++) {
		if (atomic_load(&ledger.used[i / 64]) == 0) {
			i |= 63;
			continue;
		}
		opener = slot + 1;
		atomic_compare_exchange_strong(
		    &ledger.entries[i].opening, &opener, 0);
	}
}
