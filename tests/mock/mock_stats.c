/* Counters, copies of requests, and settings by key: one lock for all. */
#include "mock_stats.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES 256
#define LOG 64
#define GONE 1024
#define KEEP_BODY ((size_t)262144)

struct count {
	char name[128];
	long n;
};

struct copy {
	char path[64];
	struct bytes head, body;
};

struct setting {
	char key[128], words[256];
	int times;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool keep;
static struct {
	long calls, opened, open, answering, answering_most, chunks, gone;
	struct count path[NAMES], key[NAMES], model[NAMES];
	struct {
		char model[128];
		long chunks, long_ms;
	} left[GONE];
} st;
static struct copy copies[LOG];
static unsigned long ncopies;
static struct setting settings[NAMES];

#define LOCKED(code)                                                           \
	do {                                                                   \
		pthread_mutex_lock(&lock);                                     \
		code;                                                          \
		pthread_mutex_unlock(&lock);                                   \
	} while (0)

void
stats_start(bool keep_requests)
{
	keep = keep_requests;
}

void
stats_opened(void)
{
	LOCKED(st.opened++; st.open++);
}

void
stats_closed(void)
{
	LOCKED(st.open--);
}

void
stats_answer_begin(void)
{
	LOCKED(if (++st.answering > st.answering_most) st.answering_most =
		   st.answering);
}

void
stats_answer_end(void)
{
	LOCKED(st.answering--);
}

void
stats_chunk(void)
{
	__atomic_add_fetch(&st.chunks, 1, __ATOMIC_RELAXED);
}

void
stats_client_gone(const char *model, int chunks)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	pthread_mutex_lock(&lock);
	long i = st.gone++ % GONE;
	snprintf(st.left[i].model, sizeof(st.left[i].model), "%s", model);
	st.left[i].chunks = chunks < 0 ? 0 : chunks;
	st.left[i].long_ms = t.tv_sec * 1000 + t.tv_nsec / 1000000;
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
		c->head.n = c->body.n = 0;
		bytes_add(&c->head, head, hn);
		bytes_add(&c->body, body, bn < KEEP_BODY ? bn : KEEP_BODY);
	}
	pthread_mutex_unlock(&lock);
}

static void
write_counts(struct bytes *b, const char *name, const struct count *list)
{
	bytes_addf(b, ",\"%s\":{", name);
	for (int i = 0; i < NAMES && list[i].n > 0; i++) {
		bytes_adds(b, i ? "," : "");
		bytes_json(b, list[i].name, strlen(list[i].name));
		bytes_addf(b, ":%ld", list[i].n);
	}
	bytes_adds(b, "}");
}

void
stats_write(struct bytes *b)
{
	pthread_mutex_lock(&lock);
	bytes_addf(b,
	    "{\"calls\":%ld,\"connections\":%ld,\"connections_open\":%ld,"
	    "\"answering\":%ld,\"answering_most\":%ld,\"chunks\":%ld,"
	    "\"clients_gone\":%ld",
	    st.calls, st.opened, st.open, st.answering, st.answering_most,
	    __atomic_load_n(&st.chunks, __ATOMIC_RELAXED), st.gone);
	write_counts(b, "paths", st.path);
	write_counts(b, "keys", st.key);
	write_counts(b, "models", st.model);
	bytes_adds(b, ",\"gone\":[");
	long from = st.gone > GONE ? st.gone - GONE : 0;
	for (long i = from; i < st.gone; i++) {
		bytes_adds(b, i > from ? ",{\"model\":" : "{\"model\":");
		bytes_json(b, st.left[i % GONE].model,
		    strlen(st.left[i % GONE].model));
		bytes_addf(b, ",\"chunks\":%ld,\"at_ms\":%ld}",
		    st.left[i % GONE].chunks, st.left[i % GONE].long_ms);
	}
	bytes_adds(b, "]}");
	pthread_mutex_unlock(&lock);
}

static void
write_copy(struct bytes *b, const struct copy *c)
{
	bytes_adds(b, "{\"path\":");
	bytes_json(b, c->path, strlen(c->path));
	bytes_adds(b, ",\"head\":");
	bytes_json(b, c->head.p, c->head.n);
	bytes_adds(b, ",\"body\":");
	bytes_json(b, c->body.p, c->body.n);
	bytes_adds(b, "}");
}

static unsigned long
oldest(void)
{
	return ncopies > LOG ? ncopies - LOG : 0;
}

void
stats_log(struct bytes *b)
{
	pthread_mutex_lock(&lock);
	bytes_adds(b, "[");
	for (unsigned long i = oldest(); i < ncopies; i++) {
		bytes_adds(b, i > oldest() ? "," : "");
		write_copy(b, &copies[i % LOG]);
	}
	bytes_adds(b, "]");
	pthread_mutex_unlock(&lock);
}

void
stats_last(struct bytes *b)
{
	bool first = true;

	pthread_mutex_lock(&lock);
	bytes_adds(b, "{");
	for (unsigned long i = ncopies; i > oldest(); i--) {
		const struct copy *c = &copies[(i - 1) % LOG];
		bool newer = false;
		for (unsigned long k = i; k < ncopies; k++)
			newer |= strcmp(copies[k % LOG].path, c->path) == 0;
		if (newer)
			continue;
		bytes_adds(b, first ? "" : ",");
		bytes_json(b, c->path, strlen(c->path));
		bytes_adds(b, ":");
		write_copy(b, c);
		first = false;
	}
	bytes_adds(b, "}");
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
	memset(settings, 0, sizeof(settings));
	pthread_mutex_unlock(&lock);
}

bool
stats_set(const char *body, size_t n)
{
	json_t *v = json_loadb(body, n, 0, NULL);
	const char *key = json_string_value(json_object_get(v, "key"));
	const char *words = json_string_value(json_object_get(v, "do"));
	bool ok = false;

	if (key && *key && words && strlen(key) < 128 && strlen(words) < 256) {
		pthread_mutex_lock(&lock);
		struct setting *s = NULL;
		for (int i = 0; i < NAMES; i++)
			if (strcmp(settings[i].key, key) == 0)
				s = &settings[i];
		for (int i = 0; i < NAMES && !s; i++)
			if (settings[i].key[0] == '\0')
				s = &settings[i];
		if (s) {
			memset(s, 0, sizeof(*s));
			if (*words) {
				memcpy(s->key, key, strlen(key));
				memcpy(s->words, words, strlen(words));
				s->times = (int)json_integer_value(
				    json_object_get(v, "times"));
			}
			ok = true;
		}
		pthread_mutex_unlock(&lock);
	}
	json_decref(v);
	return ok;
}

bool
stats_setting(const char *key, size_t n, char *out, size_t size)
{
	struct setting *s = NULL;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < NAMES; i++)
		if (settings[i].key[0] &&
		    ((strlen(settings[i].key) == n &&
			 memcmp(settings[i].key, key, n) == 0) ||
			(!s && strcmp(settings[i].key, "*") == 0)))
			s = &settings[i];
	if (s) {
		snprintf(out, size, "%s", s->words);
		if (s->times > 0 && --s->times == 0)
			memset(s, 0, sizeof(*s));
	}
	pthread_mutex_unlock(&lock);
	return s != NULL;
}
