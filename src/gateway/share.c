/*
 * Bits by slot say what there is to tell.  One that is being told lies in a
 * second map until it has been, so that the teller's death forgets none.
 */
#include "gateway/share.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "gateway/health_priv.h"
#include "gateway/store_share.h"
#include "shm/shm.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

static struct {
	uint32_t words;
	_Atomic(uint64_t) *changed, *telling, *used;
	_Atomic(bool) *loaded;
	bool others; /* there are other hosts, as of the last tick */
} share;

void
share_map(uint32_t max_slots)
{
	share.words = max_slots / 64 + 1;
	share.changed = shm_map(sizeof(*share.changed) * share.words);
	share.telling = shm_map(sizeof(*share.telling) * share.words);
	share.used = shm_map(sizeof(*share.used) * share.words);
	share.loaded = shm_map(sizeof(*share.loaded));
}

static void
mark(_Atomic(uint64_t) *map, uint32_t slot)
{
	uint64_t bit = UINT64_C(1) << slot % 64;

	if ((atomic_load(&map[slot / 64]) & bit) == 0)
		atomic_fetch_or(&map[slot / 64], bit);
}

void
share_changed(uint32_t slot)
{
	mark(share.changed, slot);
}

void
share_used(uint32_t slot, struct health_slot *s, const int64_t used[CAPACITIES])
{
	for (int k = 0; k < HEALTH_SHARED; k++)
		if (used[k] != 0)
			atomic_fetch_add(&s->used[k], used[k]);
	mark(share.used, slot);
}

/* --- telling -------------------------------------------------------------- */

static const char *const states[] = { [BREAKER_CLOSED] = "closed",
	[BREAKER_OPEN] = "open",
	[BREAKER_OUT] = "out" };
#define STATES 3

static json_t *
state_of(uint32_t slot, const struct health_slot *s, int64_t now)
{
	struct breaker_bits w = breaker_read(&s->breaker);
	int64_t cool_ms, ms = now / CLOCK_MS;
	json_t *counts = json_array(), *o;
	unsigned cool_power;

	breaker_cool_read(&s->breaker, &cool_ms, &cool_power);
	for (int i = 0; i < COUNTS; i++)
		json_array_append_new(counts,
		    json_integer((json_int_t)atomic_load(&s->counts[i])));
	o = json_pack("{s:i, s:s, s:s, s:i, s:i, s:I, s:i, s:o}", "slot",
	    (int)slot, "state", states[w.state % STATES], "reason",
	    health_reason_name((enum health_reason)w.reason), "failures",
	    (int)w.failures, "power", (int)w.power, "since_ms",
	    (json_int_t)(ms - atomic_load(&s->breaker.since)), "cool_power",
	    (int)cool_power, "counts", counts);
	if (w.until != 0)
		json_object_set_new(o, "until_ms", json_integer(w.until - ms));
	if (cool_ms > ms)
		json_object_set_new(o, "cool_ms", json_integer(cool_ms - ms));
	return o;
}

/* All slots whose bit is set, whose bits go to ${after} unless it is NULL. */
static void
each(_Atomic(uint64_t) *map, _Atomic(uint64_t) *after,
    void (*what)(uint32_t slot, struct health_slot *, void *), void *arg)
{
	for (uint32_t i = 0; i < share.words; i++) {
		uint64_t bits = atomic_load(&map[i]);

		if (after != NULL && bits != 0)
			atomic_fetch_or(&after[i], bits);
		if (bits != 0)
			atomic_fetch_and(&map[i], ~bits);
		if (after != NULL)
			bits = atomic_load(&after[i]);
		for (; bits != 0; bits &= bits - 1) {
			uint32_t slot =
			    i * 64 + (uint32_t)__builtin_ctzll(bits);

			if (health_slot(slot) != NULL)
				what(slot, health_slot(slot), arg);
		}
	}
}

static void
tell_state(uint32_t slot, struct health_slot *s, void *arg)
{
	json_array_append_new(arg, state_of(slot, s, clock_mono()));
}

static void
tell_used(uint32_t slot, struct health_slot *s, void *arg)
{
	json_int_t n[HEALTH_SHARED];

	for (int k = 0; k < HEALTH_SHARED; k++)
		n[k] = atomic_exchange(&s->used[k], 0);
	/* With nobody to tell it is forgotten. */
	if (share.others)
		json_array_append_new(
		    arg, json_pack("{s:i, s:I, s:I, s:I}", "slot", (int)slot,
			     "requests", n[CAPACITY_RPM], "tokens",
			     n[CAPACITY_TPM], "input", n[CAPACITY_ITPM]));
}

static int64_t
number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* What could not be told will be. */
static void
untold(const json_t *used)
{
	const json_t *o;
	size_t i;

	json_array_foreach(used, i, o)
	{
		uint32_t slot = (uint32_t)number(o, "slot");
		const int64_t n[CAPACITIES] = { [CAPACITY_RPM] =
						    number(o, "requests"),
			[CAPACITY_TPM] = number(o, "tokens"),
			[CAPACITY_ITPM] = number(o, "input") };

		share_used(slot, health_slot(slot), n);
	}
}

static void
told(const json_t *list)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		uint32_t slot = (uint32_t)number(o, "slot");

		atomic_fetch_and(
		    &share.telling[slot / 64], ~(UINT64_C(1) << slot % 64));
	}
}

/* --- hearing -------------------------------------------------------------- */

/* A row of gate.credentials_heard(). */
struct heard {
	uint32_t slot;
	bool own, order; /* this host's; an operator's */
	int64_t version;
	struct breaker_news news;
	bool reset;
	int64_t used[HEALTH_SHARED];
	json_t *counts;
};

static unsigned
reason_of(const char *name)
{
	for (unsigned i = 0; i < HEALTH_REASONS; i++)
		if (strcmp(name, health_reason_name((enum health_reason)i)) ==
		    0)
			return i;
	return HEALTH_WHY_OPERATOR; /* "reset" */
}

/* A time in ${ms} from now, on our clock; 0 stays for "none". */
static int64_t
at(int64_t now, int64_t ms)
{
	int64_t t = now / CLOCK_MS + ms;

	return t > 0 ? t : 1;
}

static void
read_row(const struct db_result *r, int i, int64_t now, struct heard *h)
{
	struct breaker_bits *w = &h->news.bits;
	struct err e;

	*h = (struct heard){ .slot = (uint32_t)db_int(r, i, 0),
		.own = db_bool(r, i, 1),
		.order = db_bool(r, i, 2),
		.version = db_int(r, i, 3),
		.reset = strcmp(db_text(r, i, 5), "reset") == 0 };
	for (unsigned s = 0; s < STATES; s++)
		if (strcmp(db_text(r, i, 4), states[s]) == 0)
			w->state = s;
	w->reason = reason_of(db_text(r, i, 5));
	w->failures = (unsigned)db_int(r, i, 6);
	w->power = (unsigned)db_int(r, i, 7);
	h->news.since = at(now, -db_int(r, i, 8));
	w->until = db_null(r, i, 9) ? 0 : at(now, db_int(r, i, 9));
	h->news.cool_until = db_null(r, i, 10) ? 0 : at(now, db_int(r, i, 10));
	h->news.cool_power = (unsigned)db_int(r, i, 11);
	if (json_parse(db_text(r, i, 12), db_len(r, i, 12),
		&JSON_LIMITS_REQUEST, &h->counts, &e) != 0)
		h->counts = NULL;
	for (int k = 0; k < HEALTH_SHARED; k++)
		h->used[k] = db_int(r, i, 13 + k);
}

/* Is the order a new one?  Of several processes that read it, to one. */
static bool
version_raise(struct health_slot *s, int64_t to)
{
	int64_t seen = atomic_load(&s->version);

	while (seen < to)
		if (atomic_compare_exchange_weak(&s->version, &seen, to))
			return true;
	return false;
}

static void
take_over(const struct heard *h, struct health_slot *s, bool fresh, int64_t now)
{
	if (h->order && !version_raise(s, h->version))
		return;
	breaker_adopt(&s->breaker, &h->news, now);
	if (h->reset && !fresh)
		health_set(h->slot, HEALTH_RESET_IT, now);
}

/* After a restart: what this host has counted before. */
static void
counts_restore(const struct heard *h, struct health_slot *s)
{
	for (size_t i = 0; i < COUNTS; i++)
		atomic_fetch_add(&s->counts[i],
		    (uint64_t)json_integer_value(json_array_get(h->counts, i)));
}

/* All that others have used of ${s} by now, ${sum}: what is new is taken from
 * the minute here, where a limit is known (so not after a restart, when all of
 * it is new). */
static void
others_used(
    struct health_slot *s, const int64_t sum[HEALTH_SHARED], int64_t now)
{
	int64_t more[CAPACITIES] = { 0 };

	for (int k = 0; k < HEALTH_SHARED; k++) {
		int64_t seen = atomic_exchange(&s->others[k], sum[k]);

		/* Less: the row of a host that is long gone was deleted. */
		if (sum[k] > seen)
			more[k] = sum[k] - seen;
	}
	capacity_charge(&s->capacity, more, now);
}

/* ${fresh}: after a restart, so that one's own rows are news as well. */
static void
hear(const struct db_result *r, bool fresh)
{
	int64_t sum[HEALTH_SHARED] = { 0 }, now = clock_mono();
	int n = db_rows(r);

	for (int i = 0; i < n; i++) {
		struct health_slot *s;
		struct heard h;

		read_row(r, i, now, &h);
		s = health_slot(h.slot);
		if (s != NULL && (fresh || !h.own))
			take_over(&h, s, fresh, now);
		if (s != NULL && fresh && h.own)
			counts_restore(&h, s);
		for (int k = 0; !h.own && k < HEALTH_SHARED; k++)
			sum[k] += h.used[k];
		if (i + 1 == n || db_int(r, i + 1, 0) != (int64_t)h.slot) {
			if (s != NULL)
				others_used(s, sum, now);
			memset(sum, 0, sizeof(sum));
		}
		json_decref(h.counts);
	}
}

/* --- and all of it -------------------------------------------------------- */

int
share_load(
    struct db_pool *db, const char *host, int64_t deadline, struct err *e)
{
	struct db_call c = { .stmt = &store_share_heard,
		.param = { host, "true" },
		.nparams = 2 };
	bool loaded = false;
	void *ctx;
	int rc;

	if (share.loaded == NULL || atomic_load(share.loaded))
		return 0;
	ctx = mem_root("credential states");
	rc = db_run(db, DB_CONTROL, NULL, &c, 1, deadline, ctx, e);
	/* Of several that have read it one takes it over. */
	if (rc == 0 &&
	    atomic_compare_exchange_strong(share.loaded, &loaded, true))
		hear(c.result, true);
	mem_free(ctx);
	return rc;
}

void
share_skip(void)
{
	if (share.loaded != NULL)
		atomic_store(share.loaded, true);
}

static int
exchange(struct db_pool *db, const char *host, const char *states_text,
    const char *used_text, bool all, int64_t deadline, struct err *e)
{
	struct db_call c[] = {
		{ .stmt = &store_share_tell,
		    .param = { host, states_text, used_text },
		    .nparams = 3 },
		{ .stmt = &store_share_heard,
		    .param = { host, all ? "true" : "false" },
		    .nparams = 2 },
		{ .stmt = &store_share_others, .param = { host }, .nparams = 1 }
	};
	void *ctx = mem_root("credential states");
	int rc = db_run(db, DB_CONTROL, NULL, c, 3, deadline, ctx, e);

	if (rc == 0) {
		hear(c[1].result, false);
		share.others = db_bool(c[2].result, 0, 0);
	}
	mem_free(ctx);
	return rc;
}

int
share_tick(struct db_pool *db, const char *host, bool *all, int64_t deadline,
    struct err *e)
{
	json_auto_t *changed = json_array(), *used = json_array();
	char *changed_text, *used_text;
	int rc;

	if (share.loaded == NULL || !atomic_load(share.loaded))
		return 0;
	each(share.changed, share.telling, tell_state, changed);
	each(share.used, NULL, tell_used, used);
	changed_text = json_dumps(changed, JSON_COMPACT);
	used_text = json_dumps(used, JSON_COMPACT);
	rc = exchange(db, host, changed_text, used_text, *all, deadline, e);
	if (rc == 0)
		told(changed);
	else
		untold(used);
	*all = rc != 0;
	free(changed_text);
	free(used_text);
	return rc;
}
