/* The arithmetic of one GCRA bucket. */
#include "usage/bucket.h"

#include "util/banned.h"

#define LIMIT_MAX INT64_C(1000000000000)
#define PERIOD_MAX                                                             \
	(INT64_C(31) * 86400) /* size * DEBT_BUCKETS fits 63 bits              \
	                       */
#define DEBT_BUCKETS 24

struct bucket_rate
bucket_rate(int64_t limit, int64_t period_s)
{
	struct bucket_rate r = { 0 };
	int64_t ticks;

	if (period_s < 1)
		period_s = 1;
	if (period_s > PERIOD_MAX)
		period_s = PERIOD_MAX;
	if (limit > LIMIT_MAX)
		limit = LIMIT_MAX;
	ticks = period_s * BUCKET_TICKS_S;
	if (limit <= 0) {
		/* Nothing ever passes; the period is what a reader is told. */
		r.step = ticks;
		return r;
	}
	r.limit = limit;
	r.step = (ticks + limit - 1) / limit;
	r.size = r.step * limit;
	return r;
}

int64_t
bucket_ticks(const struct bucket_rate *r, int64_t n)
{
	int64_t most = r->size * DEBT_BUCKETS, ticks;

	if (n <= 0)
		return 0;
	if (__builtin_mul_overflow(n, r->step, &ticks) || ticks > most)
		return most;
	return ticks;
}

bool
bucket_decide(int64_t tat, const struct bucket_rate *r, int64_t cost,
    int64_t now, int64_t *next, struct bucket_view *v)
{
	int64_t owed = tat > now ? tat - now : 0;
	int64_t need = bucket_ticks(r, cost);
	/* An ask larger than the bucket waits for a full one. */
	int64_t room = cost > r->limit ? 0 : r->size - need;
	bool pass = r->limit > 0 && owed <= room;

	if (pass) {
		owed += need;
		*next = now + owed;
	}
	v->full = owed;
	v->remaining = owed < r->size ? (r->size - owed) / r->step : 0;
	v->wait = pass ? 0 : r->limit > 0 ? owed - room : r->step;
	return pass;
}

bool
bucket_take(bucket_t *b, const struct bucket_rate *r, int64_t cost,
    bucket_clock *clk, struct bucket_view *v)
{
	int64_t tat = atomic_load(b), next;

	do {
		if (!bucket_decide(tat, r, cost, clk(), &next, v))
			return false;
	} while (!atomic_compare_exchange_weak(b, &tat, next));
	return true;
}

int64_t
bucket_given(int64_t tat, const struct bucket_rate *r, int64_t n, int64_t now)
{
	int64_t back = bucket_ticks(r, n);

	return tat - now > back ? tat - back : now;
}

void
bucket_give(
    bucket_t *b, const struct bucket_rate *r, int64_t n, bucket_clock *clk)
{
	int64_t tat = atomic_load(b), now;

	do {
		now = clk();
		if (tat <= now)
			return; /* full already */
	} while (!atomic_compare_exchange_weak(
	    b, &tat, bucket_given(tat, r, n, now)));
}

void
bucket_charge(
    bucket_t *b, const struct bucket_rate *r, int64_t n, bucket_clock *clk)
{
	int64_t tat = atomic_load(b), more = bucket_ticks(r, n), now, next,
		most;

	do {
		now = clk();
		most = now + r->size * DEBT_BUCKETS;
		next = tat > now ? tat : now;
		if (next < most)
			next = most - next > more ? next + more : most;
	} while (!atomic_compare_exchange_weak(b, &tat, next));
}
