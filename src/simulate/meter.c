/* Settings, limits and bills by key: one lock for all. */
#include "simulate/meter_priv.h"

#include <pthread.h>
#include <string.h>

#include "util/clock.h"

#include "util/banned.h"

#define KEYS 256
#define OTHERS (KEYS - 1) /* all keys that came when there was no room */
#define MINUTE (60 * CLOCK_S)

struct bill {
	int64_t calls, input, cached, output;
};

struct bucket {
	int64_t limit; /* a minute; 0: none */
	int64_t debt;  /* ns of refilling that are missing to a full one */
	int64_t at;
};

struct key {
	char name[SIMULATE_KEY];
	size_t len;
	char words[PLAN_WORDS]; /* "" nothing is set */
	int times;
	struct bucket rate[RATES];
	struct bill bill[METER_REFUSED + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct key keys[KEYS];
static int nkeys;
static int64_t defaults[RATES];

static void
fresh(struct key *k, const char *name, size_t n)
{
	memset(k, 0, sizeof *k);
	memcpy(k->name, name, n);
	k->len = n;
	for (int i = 0; i < RATES; i++)
		k->rate[i].limit = defaults[i];
}

/* The place of a key, made if need be; OTHERS: there is no room. */
static int
find(const char *name, size_t n)
{
	if (n >= SIMULATE_KEY)
		n = SIMULATE_KEY - 1;
	for (int i = 0; i < nkeys; i++)
		if (keys[i].len == n && memcmp(keys[i].name, name, n) == 0)
			return i;
	if (nkeys == OTHERS)
		return OTHERS;
	fresh(&keys[nkeys], name, n);
	return nkeys++;
}

void
meter_start(int64_t rpm, int64_t tpm, int64_t itpm)
{
	pthread_mutex_lock(&lock);
	defaults[RATE_REQUESTS] = rpm;
	defaults[RATE_TOKENS] = tpm;
	defaults[RATE_INPUT] = itpm;
	for (int i = 0; i < nkeys; i++)
		for (int r = 0; r < RATES; r++)
			if (keys[i].rate[r].limit == 0)
				keys[i].rate[r].limit = defaults[r];
	pthread_mutex_unlock(&lock);
}

int
meter_key(const char *key, size_t n)
{
	int i;

	pthread_mutex_lock(&lock);
	i = find(key, n);
	pthread_mutex_unlock(&lock);
	return i;
}

bool
meter_set(const char *key, size_t n, const char *words, int times,
    const int64_t limit[RATES])
{
	int i;

	if (n == 0 || n >= SIMULATE_KEY ||
	    (words && strlen(words) >= PLAN_WORDS))
		return false;
	for (int r = 0; r < RATES; r++)
		if (limit[r] >= 0 && n == 1 && key[0] == '*')
			return false; /* limits are of one key */
	pthread_mutex_lock(&lock);
	i = find(key, n);
	if (i != OTHERS) {
		struct key *k = &keys[i];

		if (words) {
			memcpy(k->words, words, strlen(words) + 1);
			k->times = times;
		}
		for (int r = 0; r < RATES; r++)
			if (limit[r] >= 0)
				k->rate[r] =
				    (struct bucket){ .limit = limit[r] };
	}
	pthread_mutex_unlock(&lock);
	return i != OTHERS;
}

bool
meter_words(int key, char out[PLAN_WORDS])
{
	struct key *k = &keys[key];
	bool set;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < nkeys && k->words[0] == '\0'; i++)
		if (keys[i].len == 1 && keys[i].name[0] == '*')
			k = &keys[i];
	set = k->words[0] != '\0';
	memcpy(out, k->words, PLAN_WORDS);
	if (k->times > 0 && --k->times == 0)
		k->words[0] = '\0';
	pthread_mutex_unlock(&lock);
	return set;
}

/* What refilling ${n} of a bucket takes, in ns. */
static int64_t
refill(const struct bucket *b, int64_t n)
{
	return (int64_t)((double)n * (double)MINUTE / (double)b->limit);
}

/* The debt as it is ${now}. */
static void
settle(struct bucket *b, int64_t now)
{
	int64_t paid = now - b->at;

	b->debt = paid < b->debt ? b->debt - paid : 0;
	b->at = now;
}

void
meter_take(
    int key, int64_t input, int64_t uncached, int64_t output, struct rates *out)
{
	int64_t want[RATES] = { 1, input + output, uncached };
	struct key *k = &keys[key];
	int64_t now = clock_mono();

	*out = (struct rates){ 0 };
	pthread_mutex_lock(&lock);
	for (int i = 0; i < RATES; i++) {
		struct bucket *b = &k->rate[i];
		int64_t over;

		if (b->limit <= 0)
			continue;
		settle(b, now);
		over = b->debt + refill(b, want[i]) - MINUTE;
		out->limited = true;
		if (over > 0 && over / CLOCK_MS >= out->retry_ms) {
			out->refused = true;
			out->which = i;
			out->retry_ms = over / CLOCK_MS + 1;
		}
	}
	for (int i = 0; i < RATES; i++) {
		struct bucket *b = &k->rate[i];

		if (b->limit <= 0)
			continue;
		if (!out->refused)
			b->debt += refill(b, want[i]);
		out->limit[i] = b->limit;
		out->left[i] = (int64_t)((double)(MINUTE - b->debt) *
					 (double)b->limit / (double)MINUTE);
		if (out->left[i] < 0)
			out->left[i] = 0;
		out->full_ms[i] = b->debt / CLOCK_MS;
	}
	pthread_mutex_unlock(&lock);
}

void
meter_bill(
    int key, enum meter_end how, int64_t input, int64_t cached, int64_t output)
{
	struct bill *b = &keys[key].bill[how];

	pthread_mutex_lock(&lock);
	b->calls++;
	b->input += input;
	b->cached += cached;
	b->output += output;
	pthread_mutex_unlock(&lock);
}

static void
write_bill(struct buf *b, const char *name, const struct bill *v)
{
	buf_addf(b,
	    "\"%s\":{\"calls\":%lld,\"input_tokens\":%lld,"
	    "\"cached_input_tokens\":%lld,\"output_tokens\":%lld}",
	    name, (long long)v->calls, (long long)v->input,
	    (long long)v->cached, (long long)v->output);
}

static void
write_limits(struct buf *b, struct key *k, int64_t now)
{
	static const char *const names[RATES] = { "requests", "tokens",
		"input_tokens" };
	const char *comma = "";

	buf_adds(b, ",\"limits\":{");
	for (int i = 0; i < RATES; i++) {
		struct bucket *r = &k->rate[i];

		if (r->limit <= 0)
			continue;
		settle(r, now);
		buf_addf(b, "%s\"%s\":{\"limit\":%lld,\"left\":%.0f}", comma,
		    names[i], (long long)r->limit,
		    (double)(MINUTE - r->debt) * (double)r->limit /
			(double)MINUTE);
		comma = ",";
	}
	buf_adds(b, "}");
}

void
meter_write(struct buf *b)
{
	int64_t now = clock_mono();

	buf_adds(b, "\"billing\":{");
	pthread_mutex_lock(&lock);
	for (int i = 0; i < nkeys; i++) {
		struct key *k = &keys[i];

		buf_adds(b, i > 0 ? "," : "");
		buf_json_str(b, k->name, k->len);
		buf_adds(b, ":{");
		write_bill(b, "whole", &k->bill[METER_WHOLE]);
		buf_adds(b, ",");
		write_bill(b, "broken", &k->bill[METER_BROKEN]);
		buf_addf(b, ",\"refused\":%lld",
		    (long long)k->bill[METER_REFUSED].calls);
		write_limits(b, k, now);
		buf_adds(b, "}");
	}
	pthread_mutex_unlock(&lock);
	buf_adds(b, "}");
}

void
meter_reset(void)
{
	pthread_mutex_lock(&lock);
	/* Places stay: answers under way know theirs. */
	for (int i = 0; i < KEYS; i++) {
		char name[SIMULATE_KEY];

		memcpy(name, keys[i].name, sizeof name);
		fresh(&keys[i], name, keys[i].len);
	}
	pthread_mutex_unlock(&lock);
}
