/* Counters and copies of requests: one lock for all. */
#include "simulate/stats_priv.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "simulate/meter_priv.h"
#include "util/clock.h"

#include "util/banned.h"

#define NAMES 256
#define LOG 64
#define GONE 1024
#define KEEP_BODY ((size_t)262144)
#define KEEP_HEAD ((size_t)65536)

struct count {
	char name[128];
	long n;
};

struct copy {
	char path[64];
	struct buf head, body;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool keep;
static struct {
	long calls, opened, open, answering, answering_most, gone;
	struct count path[NAMES], key[NAMES], model[NAMES];
	struct {
		char model[128];
		long chunks;
		int64_t at_ms;
	} left[GONE];
} st;
static struct copy copies[LOG];
static unsigned long ncopies;
static atomic_long chunks;

void
stats_start(bool keep_requests)
{
	keep = keep_requests;
	for (int i = 0; i < LOG; i++) {
		buf_init(&copies[i].head, NULL, KEEP_HEAD);
		buf_init(&copies[i].body, NULL, KEEP_BODY);
	}
}

void
stats_opened(void)
{
	pthread_mutex_lock(&lock);
	st.opened++;
	st.open++;
	pthread_mutex_unlock(&lock);
}

void
stats_closed(void)
{
	pthread_mutex_lock(&lock);
	st.open--;
	pthread_mutex_unlock(&lock);
}

void
stats_answer_begin(void)
{
	pthread_mutex_lock(&lock);
	if (++st.answering > st.answering_most)
		st.answering_most = st.answering;
	pthread_mutex_unlock(&lock);
}

void
stats_answer_end(void)
{
	pthread_mutex_lock(&lock);
	st.answering--;
	pthread_mutex_unlock(&lock);
}

void
stats_chunk(void)
{
	atomic_fetch_add_explicit(&chunks, 1, memory_order_relaxed);
}

void
stats_client_gone(const char *model, int said)
{
	pthread_mutex_lock(&lock);
	long i = st.gone++ % GONE;
	snprintf(st.left[i].model, sizeof(st.left[i].model), "%s", model);
	st.left[i].chunks = said < 0 ? 0 : said;
	st.left[i].at_ms = clock_wall_us() / 1000;
	pthread_mutex_unlock(&lock);
}

static void
count(struct count *list, const char *name, size_t n)
{
	if (n >= sizeof(list->name))
		n = sizeof(list->name) - 1;
	for (int i = 0; i < NAMES; i++) {
		if (list[i].n == 0) {
			memcpy(list[i].name, name, n);
			list[i].name[n] = '\0';
		}
		if (strncmp(list[i].name, name, n) == 0 &&
		    list[i].name[n] == '\0') {
			list[i].n++;
			return;
		}
	}
}

void
stats_request(const char *path, const char *key, size_t kn, const char *model,
    const char *head, size_t hn, const char *body, size_t bn)
{
	pthread_mutex_lock(&lock);
	st.calls++;
	count(st.path, path, strlen(path));
	count(st.key, key, kn);
	count(st.model, model, strlen(model));
	if (keep) {
		struct copy *c = &copies[ncopies++ % LOG];
		snprintf(c->path, sizeof(c->path), "%.63s", path);
		buf_clear(&c->head);
		buf_clear(&c->body);
		buf_add(&c->head, head, hn < KEEP_HEAD ? hn : KEEP_HEAD);
		buf_add(&c->body, body, bn < KEEP_BODY ? bn : KEEP_BODY);
	}
	pthread_mutex_unlock(&lock);
}

static void
write_counts(struct buf *b, const char *name, const struct count *list)
{
	buf_addf(b, ",\"%s\":{", name);
	for (int i = 0; i < NAMES && list[i].n > 0; i++) {
		buf_adds(b, i ? "," : "");
		buf_json_str(b, list[i].name, strlen(list[i].name));
		buf_addf(b, ":%ld", list[i].n);
	}
	buf_adds(b, "}");
}

void
stats_write(struct buf *b)
{
	pthread_mutex_lock(&lock);
	buf_addf(b,
	    "{\"calls\":%ld,\"connections\":%ld,\"connections_open\":%ld,"
	    "\"answering\":%ld,\"answering_most\":%ld,\"chunks\":%ld,"
	    "\"clients_gone\":%ld",
	    st.calls, st.opened, st.open, st.answering, st.answering_most,
	    atomic_load_explicit(&chunks, memory_order_relaxed), st.gone);
	write_counts(b, "paths", st.path);
	write_counts(b, "keys", st.key);
	write_counts(b, "models", st.model);
	buf_adds(b, ",\"gone\":[");
	long from = st.gone > GONE ? st.gone - GONE : 0;
	for (long i = from; i < st.gone; i++) {
		buf_adds(b, i > from ? ",{\"model\":" : "{\"model\":");
		buf_json_str(b, st.left[i % GONE].model,
		    strlen(st.left[i % GONE].model));
		buf_addf(b, ",\"chunks\":%ld,\"at_ms\":%lld}",
		    st.left[i % GONE].chunks,
		    (long long)st.left[i % GONE].at_ms);
	}
	buf_adds(b, "],");
	pthread_mutex_unlock(&lock);
	meter_write(b);
	buf_adds(b, "}");
}

static void
write_copy(struct buf *b, const struct copy *c)
{
	buf_adds(b, "{\"path\":");
	buf_json_str(b, c->path, strlen(c->path));
	buf_adds(b, ",\"head\":");
	buf_json_str(b, c->head.data, c->head.len);
	buf_adds(b, ",\"body\":");
	buf_json_str(b, c->body.data, c->body.len);
	buf_adds(b, "}");
}

static unsigned long
oldest(void)
{
	return ncopies > LOG ? ncopies - LOG : 0;
}

void
stats_log(struct buf *b)
{
	pthread_mutex_lock(&lock);
	buf_adds(b, "[");
	for (unsigned long i = oldest(); i < ncopies; i++) {
		buf_adds(b, i > oldest() ? "," : "");
		write_copy(b, &copies[i % LOG]);
	}
	buf_adds(b, "]");
	pthread_mutex_unlock(&lock);
}

void
stats_last(struct buf *b)
{
	bool first = true;

	pthread_mutex_lock(&lock);
	buf_adds(b, "{");
	for (unsigned long i = ncopies; i > oldest(); i--) {
		const struct copy *c = &copies[(i - 1) % LOG];
		bool newer = false;
		for (unsigned long k = i; k < ncopies; k++)
			newer |= strcmp(copies[k % LOG].path, c->path) == 0;
		if (newer)
			continue;
		buf_adds(b, first ? "" : ",");
		buf_json_str(b, c->path, strlen(c->path));
		buf_adds(b, ":");
		write_copy(b, c);
		first = false;
	}
	buf_adds(b, "}");
	pthread_mutex_unlock(&lock);
}

void
stats_reset(void)
{
	pthread_mutex_lock(&lock);
	long open = st.open, answering = st.answering;
	memset(&st, 0, sizeof(st));
	st.open = open;
	st.answering = answering;
	ncopies = 0;
	atomic_store(&chunks, 0);
	pthread_mutex_unlock(&lock);
}
