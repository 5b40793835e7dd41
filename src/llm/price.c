/*
 * The price table.  Readers share a lock for as long as it takes to look
 * through some hundred rows; a new table is made before the lock is taken and
 * the old one freed after it.
 */
#include "llm/price.h"

#include <pthread.h>
#include <string.h>

#include "llm/llm.h"
#include "util/mem.h"

#include "util/banned.h"

struct table {
	int n;
	struct price row[];
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct table *table;

void
price_set(const struct price *rows, int n)
{
	struct table *fresh = NULL, *old;

	if (n > 0) {
		size_t bytes = (size_t)n * sizeof(*rows);
		fresh = mem_zalloc(NULL, sizeof(*fresh) + bytes, "prices");
		fresh->n = n;
		memcpy(fresh->row, rows, bytes);
	}
	pthread_rwlock_wrlock(&lock);
	old = table;
	table = fresh;
	pthread_rwlock_unlock(&lock);
	mem_free(old);
}

/* How well a row's name fits: 0 not, else more for a longer one; an exact name
 * beats every prefix. */
static size_t
price_fits(const struct price *p, const char *model)
{
	size_t n = strnlen(p->model, sizeof(p->model));

	if (n > 0 && p->model[n - 1] == '*')
		return strncmp(p->model, model, n - 1) == 0 ? n : 0;
	return strlen(model) == n && memcmp(p->model, model, n) == 0
	           ? sizeof(p->model) + 1
	           : 0;
}

static bool
price_find(const char *model, int64_t wall_us, struct price *out)
{
	const struct price *best = NULL;
	size_t best_fit = 0;

	pthread_rwlock_rdlock(&lock);
	for (int i = 0; table && i < table->n; i++) {
		const struct price *p = &table->row[i];
		size_t fit = price_fits(p, model);
		if (fit == 0 || p->from_us > wall_us ||
		    (p->until_us != 0 && p->until_us <= wall_us))
			continue;
		if (fit > best_fit ||
		    (fit == best_fit && p->from_us > best->from_us)) {
			best = p;
			best_fit = fit;
		}
	}
	if (best)
		*out = *best;
	pthread_rwlock_unlock(&lock);
	return best != NULL;
}

bool
price_cost(const char *model, const struct llm_usage *u, int64_t wall_us,
    int64_t *nano)
{
	struct price p;
	__int128 sum = 0;

	if (!price_find(model, wall_us, &p))
		return false;
	/* cached and cache_write are parts of input. */
	int64_t plain = u->input - u->cached - u->cache_write;
	if (plain < 0)
		plain = 0;
	sum += (__int128)plain * p.input;
	sum += (__int128)u->cached * p.cached;
	sum += (__int128)u->cache_write * p.cache_write;
	sum += (__int128)u->output * p.output;
	if (sum < 0)
		sum = 0;
	*nano = sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
	return true;
}
