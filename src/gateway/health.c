/*
 * Where the state of the credentials lies, and a call's way through it: noted,
 * counted as under way, taken from the minute, let through by the breaker; and
 * back.
 */
#include "gateway/health.h"

#include <stddef.h>
#include <string.h>

#include "gateway/health_priv.h"
#include "gateway/notes_priv.h"
#include "shm/procs.h"
#include "shm/shm.h"
#include "telemetry/metric.h"
#include "util/clock.h"

#include "util/banned.h"

#define MODEL_TAG UINT64_C(0x3fffff)
#define MODEL_UNTIL_AT 22

static struct {
	uint32_t slots;
	bool tuned;
	struct health_params params;
	/* Shared from here on. */
	_Atomic(unsigned) *processes; /* above the greatest slot seen */
	struct health_slot *slot;
	_Atomic(uint64_t) *turns;
} map;

static int
or_else(int given, int otherwise)
{
	return given > 0 ? given : otherwise;
}

void
health_tune(const struct health_params *p)
{
	map.params = (struct health_params){
		.failures = or_else(p->failures, 5),
		.open_ms = or_else(p->open_ms, 30000),
		.open_max_ms = or_else(p->open_max_ms, 300000),
		.probe_ms = or_else(p->probe_ms, 60000),
		.out_ms = or_else(p->out_ms, 60000),
		.out_max_ms = or_else(p->out_max_ms, 900000),
		.cool_ms = or_else(p->cool_ms, 500),
		.cool_max_ms = or_else(p->cool_max_ms, 60000),
		.retry_max_ms = or_else(p->retry_max_ms, 3600000),
		.model_ms = or_else(p->model_ms, 600000),
	};
	map.tuned = true;
}

void
health_map(uint32_t max_slots)
{
	const struct health_params defaults = { 0 };

	map.slots = max_slots;
	map.slot = shm_map(sizeof(*map.slot) * ((size_t)max_slots + 1));
	map.turns = shm_map(sizeof(*map.turns) * ((size_t)max_slots + 1));
	map.processes = shm_map(sizeof(*map.processes));
	notes_map();
	share_map(max_slots);
	if (!map.tuned)
		health_tune(&defaults);
}

struct health_slot *
health_slot(uint32_t slot)
{
	return map.slot != NULL && slot <= map.slots ? &map.slot[slot] : NULL;
}

static void
count(struct health_slot *s, unsigned which)
{
	atomic_fetch_add_explicit(&s->counts[which], 1, memory_order_relaxed);
}

static void
tell(struct health_slot *s, unsigned which, enum metric_id of_all)
{
	count(s, which);
	metric_add(of_all, 1);
}

/* --- models --------------------------------------------------------------- */

static uint64_t
model_tag(uint64_t hash)
{
	uint64_t tag = (hash ^ hash >> MODEL_UNTIL_AT ^ hash >> 43) & MODEL_TAG;

	return tag != 0 ? tag : 1;
}

static int64_t
model_until(const struct health_slot *s, uint64_t hash, int64_t now)
{
	uint64_t tag = model_tag(hash), seen;
	int64_t until;

	if (hash == 0)
		return 0;
	for (int i = 0; i < HEALTH_MODELS; i++) {
		seen = atomic_load(&s->models[i]);
		until = (int64_t)(seen >> MODEL_UNTIL_AT) * CLOCK_MS;
		if ((seen & MODEL_TAG) == tag && until > now)
			return until;
	}
	return 0;
}

/* In the place it has, else in that of the one which ends first. */
static void
model_gone(struct health_slot *s, uint64_t hash, int64_t now)
{
	uint64_t tag = model_tag(hash), seen, first, next;
	int64_t until = (now + CLOCK_MS - 1) / CLOCK_MS + map.params.model_ms;
	int at;

	if (hash == 0)
		return;
	next = tag | (uint64_t)until << MODEL_UNTIL_AT;
	do {
		at = 0;
		first = UINT64_MAX;
		for (int i = 0; i < HEALTH_MODELS; i++) {
			seen = atomic_load(&s->models[i]);
			if ((seen & MODEL_TAG) == tag) {
				at = i;
				first = seen;
				break;
			}
			if (seen >> MODEL_UNTIL_AT < first >> MODEL_UNTIL_AT) {
				at = i;
				first = seen;
			}
		}
	} while (!atomic_compare_exchange_strong(&s->models[at], &first, next));
}

/* --- looking -------------------------------------------------------------- */

static int
inflight(const struct health_slot *s)
{
	unsigned n = atomic_load(map.processes);
	int sum = 0;

	for (unsigned i = 0; i < n && i < PROCS_MAX; i++)
		sum +=
		    atomic_load_explicit(&s->inflight[i], memory_order_relaxed);
	return sum;
}

void
health_look(uint32_t slot, uint64_t model_hash, const struct health_limits *l,
    int64_t now, struct health_view *v)
{
	const struct health_slot *s;

	*v = (struct health_view){
		.rpm_left = -1, .tpm_left = -1, .itpm_left = -1, .otpm_left = -1
	};
	if (map.slot == NULL)
		return;
	if (slot > map.slots) {
		v->state = HEALTH_OUT;
		v->reason = HEALTH_WHY_NO_SLOT;
		return;
	}
	s = &map.slot[slot];
	breaker_look(&s->breaker, now, v);
	capacity_look(&s->capacity, l, now, v);
	v->inflight = inflight(s);
	v->model_until = model_until(s, model_hash, now);
	v->model_gone = v->model_until != 0;
}

/* --- a call --------------------------------------------------------------- */

static void
processes_raise(unsigned to)
{
	unsigned n = atomic_load(map.processes);

	while (n < to && !atomic_compare_exchange_weak(map.processes, &n, to))
		continue;
}

/* Noted before it is counted, and counted before it is forgotten: see
 * notes_priv.h. */
static bool
enter(struct health_call *c, struct health_slot *s)
{
	c->process = procs_self_slot();
	c->place = notes_put(c->process, c->slot);
	if (c->place == 0)
		return false;
	processes_raise(c->process + 1);
	atomic_fetch_add(&s->inflight[c->process], 1);
	return true;
}

static void
leave(struct health_call *c, struct health_slot *s)
{
	atomic_fetch_sub(&s->inflight[c->process], 1);
	notes_clear(c->process, c->place);
	c->place = 0;
}

/* Noted after it is taken, cleared before it is given back: a death between
 * leaves it taken, which the minute heals, and gives nothing back twice. */
static bool
reserve(struct health_call *c, struct health_slot *s, int64_t input,
    int64_t output, int64_t now)
{
	const int64_t need[CAPACITIES] = { [CAPACITY_RPM] = 1,
		[CAPACITY_TPM] = input + output,
		[CAPACITY_ITPM] = input,
		[CAPACITY_OTPM] = output };
	int64_t back[CAPACITIES];

	if (!capacity_take(&s->capacity, &c->limits, need, now, c->took))
		return false;
	memcpy(back, c->took, sizeof(back));
	back[CAPACITY_RPM] = 0; /* it was asked, whoever dies */
	notes_took(c->process, c->place, back);
	return true;
}

static void
unreserve(struct health_call *c, struct health_slot *s, int64_t now)
{
	notes_took(c->process, c->place, (const int64_t[CAPACITIES]){ 0 });
	capacity_give(&s->capacity, c->took, now);
}

static bool
admitted(struct health_call *c, struct health_slot *s, int64_t input,
    int64_t output, int64_t now)
{
	if (model_until(s, c->model_hash, now) != 0)
		return false;
	if (!reserve(c, s, input, output, now))
		return false;
	switch (breaker_begin(&s->breaker, now, &map.params, c->process,
	    c->place, &c->gen, &c->lease)) {
	case BREAKER_YES:
		return true;
	case BREAKER_PROBE:
		c->probe = true;
		count(s, COUNT_PROBES);
		return true;
	default:
		unreserve(c, s, now);
		return false;
	}
}

bool
health_begin(struct health_call *c, uint32_t slot, uint64_t model_hash,
    const struct health_limits *l, int64_t input_tokens, int64_t output_tokens,
    int64_t now)
{
	struct health_slot *s;

	*c = (struct health_call){ .slot = slot,
		.model_hash = model_hash,
		.begun = now,
		.limits = *l };
	if (map.slot == NULL)
		return true;
	if (slot > map.slots)
		return false;
	s = &map.slot[slot];
	if (enter(c, s)) {
		if (admitted(c, s, input_tokens > 0 ? input_tokens : 0,
			output_tokens > 0 ? output_tokens : 0, now)) {
			count(s, COUNT_BEGUN);
			return true;
		}
		leave(c, s);
	}
	count(s, COUNT_REFUSED);
	return false;
}

static void
settle(struct health_call *c, struct health_slot *s,
    enum health_outcome outcome, int64_t input, int64_t cached, int64_t output,
    int64_t now)
{
	int64_t used[CAPACITIES] = { 0 };

	/* A request that was refused for its rate is no use of it. */
	used[CAPACITY_RPM] = outcome == HEALTH_LIMIT ? 0 : 1;
	used[CAPACITY_TPM] = input + output;
	used[CAPACITY_ITPM] = input > cached ? input - cached : 0;
	used[CAPACITY_OTPM] = output;
	notes_took(c->process, c->place, (const int64_t[CAPACITIES]){ 0 });
	capacity_settle(&s->capacity, &c->limits, c->took, used, now);
	share_used(c->slot, s, used);
}

/* True: it opened or went out. */
static bool
judge(struct health_call *c, struct health_slot *s, enum health_outcome outcome,
    int64_t retry_after_ms, int64_t now)
{
	struct breaker *b = &s->breaker;
	bool moved = false;

	switch (outcome) {
	case HEALTH_OK:
		breaker_passed(b, c->gen, c->begun, now);
		break;
	case HEALTH_LIMIT:
		if (breaker_limited(b, retry_after_ms, now, &map.params))
			tell(s, COUNT_COOLDOWNS, M_BREAKER_COOLED);
		break;
	case HEALTH_DENIED:
	case HEALTH_EXHAUSTED:
		moved = breaker_refused(b, c->gen,
		    outcome == HEALTH_DENIED ? HEALTH_WHY_DENIED
					     : HEALTH_WHY_EXHAUSTED,
		    retry_after_ms, now, &map.params);
		if (moved)
			tell(s, COUNT_OUTS, M_BREAKER_OUT);
		break;
	case HEALTH_NO_MODEL:
		model_gone(s, c->model_hash, now);
		break;
	case HEALTH_SERVER:
		if (c->follows && !c->probe)
			break;
		moved = breaker_failed(b, c->gen, now, &map.params);
		if (moved)
			tell(s, COUNT_OPENINGS, M_BREAKER_OPENED);
		break;
	case HEALTH_CALLER:
	case HEALTH_ABANDONED:
		break;
	}
	return moved;
}

bool
health_end(struct health_call *c, enum health_outcome outcome,
    int64_t retry_after_ms, int64_t input_tokens, int64_t cached_tokens,
    int64_t output_tokens, int64_t now)
{
	struct health_slot *s;
	uint64_t before;
	bool moved;

	if (map.slot == NULL || c->place == 0)
		return false;
	s = &map.slot[c->slot];
	tell(s, outcome, M_ATTEMPTS + outcome);
	before = breaker_stamp(&s->breaker);
	moved = judge(c, s, outcome, retry_after_ms, now);
	if (breaker_stamp(&s->breaker) != before)
		share_changed(c->slot);
	breaker_probe_free(&s->breaker, c->lease);
	settle(c, s, outcome, input_tokens > 0 ? input_tokens : 0,
	    cached_tokens > 0 ? cached_tokens : 0,
	    output_tokens > 0 ? output_tokens : 0, now);
	leave(c, s);
	return moved;
}

/* --- and beside it -------------------------------------------------------- */

void
health_rates(uint32_t slot, const struct health_rates *r, int64_t now)
{
	struct health_slot *s = health_slot(slot);

	if (s != NULL)
		capacity_learn(&s->capacity, r, now);
}

void
health_set(uint32_t slot, enum health_order order, int64_t now)
{
	struct health_slot *s = health_slot(slot);

	if (s == NULL)
		return;
	breaker_order(&s->breaker, order, now);
	share_changed(slot);
	if (order != HEALTH_RESET_IT)
		return;
	capacity_forget(&s->capacity);
	for (int i = 0; i < HEALTH_MODELS; i++)
		atomic_store(&s->models[i], 0);
	for (int i = 0; i < COUNTS; i++)
		atomic_store(&s->counts[i], 0);
}

void
health_counts(uint32_t slot, struct health_counts *out)
{
	const struct health_slot *s = health_slot(slot);

	*out = (struct health_counts){ 0 };
	if (s == NULL)
		return;
	for (int i = 0; i < HEALTH_OUTCOMES; i++)
		out->outcomes[i] = atomic_load(&s->counts[i]);
	out->begun = atomic_load(&s->counts[COUNT_BEGUN]);
	out->openings = atomic_load(&s->counts[COUNT_OPENINGS]);
	out->cooldowns = atomic_load(&s->counts[COUNT_COOLDOWNS]);
	out->outs = atomic_load(&s->counts[COUNT_OUTS]);
	out->probes = atomic_load(&s->counts[COUNT_PROBES]);
	out->refused = atomic_load(&s->counts[COUNT_REFUSED]);
}

uint64_t
health_turn(uint32_t account_slot)
{
	if (map.turns == NULL || account_slot > map.slots)
		return 0;
	return atomic_fetch_add(&map.turns[account_slot], 1);
}

static void
left_behind(unsigned process, uint32_t slot, const int64_t took[CAPACITIES],
    int64_t now)
{
	struct health_slot *s = health_slot(slot);

	if (s == NULL)
		return;
	atomic_store(&s->inflight[process], 0);
	breaker_probe_reap(&s->breaker, process);
	capacity_give(&s->capacity, took, now);
}

void
health_reap(unsigned process, int64_t now)
{
	if (map.slot != NULL && process < PROCS_MAX)
		notes_reap(process, now, left_behind);
}

/* --- names ---------------------------------------------------------------- */

const char *
health_state_name(enum health_state s)
{
	static const char *const names[] = { [HEALTH_CLOSED] = "closed",
		[HEALTH_OPEN] = "open",
		[HEALTH_HALF_OPEN] = "half_open",
		[HEALTH_COOLING] = "cooling",
		[HEALTH_OUT] = "out" };

	return names[s];
}

const char *
health_reason_name(enum health_reason r)
{
	static const char *const names[] = { [HEALTH_WHY_NONE] = "none",
		[HEALTH_WHY_FAILURES] = "failures",
		[HEALTH_WHY_LIMITED] = "limited",
		[HEALTH_WHY_DENIED] = "denied",
		[HEALTH_WHY_EXHAUSTED] = "exhausted",
		[HEALTH_WHY_OPERATOR] = "operator",
		[HEALTH_WHY_NO_SLOT] = "slot" };

	return names[r];
}

const char *
health_outcome_name(enum health_outcome o)
{
	static const char *const names[] = { [HEALTH_OK] = "ok",
		[HEALTH_LIMIT] = "limit",
		[HEALTH_DENIED] = "denied",
		[HEALTH_EXHAUSTED] = "exhausted",
		[HEALTH_NO_MODEL] = "no_model",
		[HEALTH_SERVER] = "server",
		[HEALTH_CALLER] = "caller",
		[HEALTH_ABANDONED] = "abandoned" };

	return names[o];
}
