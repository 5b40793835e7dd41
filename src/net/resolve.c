/*
 * The resolver pool: a short list of names, each with its answer and the
 * callers that wait for it, and a few threads that work through those without
 * a fresh answer.  One lock; it is never held across a lookup.
 */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define NAMES_MAX 256
#define STACK_SIZE ((size_t)256 * 1024)
#define FREE_WAIT_S 1

enum name_state { NAME_IDLE, NAME_QUEUED, NAME_RUNNING };

struct resolve_name {
	char host[RESOLVE_NAME];
	enum name_state state;
	struct resolved good;
	int64_t good_at, good_until; /* 0: no answer */
	int64_t bad_until;           /* a failure is remembered */
	int64_t used_at;
	struct resolve_ask *asks;
	struct resolve_name *next;
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t work, ended;
	struct resolve_opts opts;
	struct resolve_name *names;
	unsigned nnames, queued, threads, idle;
	bool stopping, abandoned;
};

static int
lookup_system(const char *host, struct resolved *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list = NULL;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return -1;
	out->n = 0;
	for (struct addrinfo *a = list; a && out->n < RESOLVE_ADDRS;
	     a = a->ai_next) {
		const void *p = NULL;
		if (a->ai_family == AF_INET)
			p = &((struct sockaddr_in *)(void *)a->ai_addr)
			         ->sin_addr;
		else if (a->ai_family == AF_INET6)
			p = &((struct sockaddr_in6 *)(void *)a->ai_addr)
			         ->sin6_addr;
		if (p && inet_ntop(a->ai_family, p, out->addr[out->n],
			     sizeof(out->addr[0])))
			out->n++;
	}
	freeaddrinfo(list);
	return out->n > 0 ? 0 : -1;
}

struct resolver *
resolve_new(const struct resolve_opts *o)
{
	struct resolver *r = mem_new(NULL, struct resolver);
	pthread_condattr_t attr;

	r->opts = *o;
	if (!r->opts.lookup)
		r->opts.lookup = lookup_system;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->work, &attr);
	pthread_cond_init(&r->ended, &attr);
	pthread_condattr_destroy(&attr);
	return r;
}

static void
resolver_destroy(struct resolver *r)
{
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->work);
	pthread_cond_destroy(&r->ended);
	for (struct resolve_name *n = r->names, *next; n; n = next) {
		next = n->next;
		mem_free(n);
	}
	mem_free(r);
}

void
resolve_free(struct resolver *r)
{
	struct timespec until;

	if (!r)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FREE_WAIT_S;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->work);
	while (r->threads > 0 &&
	       pthread_cond_timedwait(&r->ended, &r->lock, &until) != ETIMEDOUT)
		;
	r->abandoned = r->threads > 0;
	bool mine = !r->abandoned;
	pthread_mutex_unlock(&r->lock);
	if (mine)
		resolver_destroy(r);
}

/* With the lock held: keep what was found, and tell those who wait. */
static void
name_answer(struct resolver *r, struct resolve_name *n, int rc,
    const struct resolved *got)
{
	int64_t now = clock_mono();

	n->state = NAME_IDLE;
	if (rc == 0) {
		n->good = *got;
		n->good_at = now;
		n->good_until = now + r->opts.ttl_ms * CLOCK_MS;
		n->bad_until = 0;
	} else {
		/* An answer that is still good outlives a failed refresh. */
		n->bad_until = now + r->opts.negative_ms * CLOCK_MS;
	}
	/* Copied to the caller, for the name may be forgotten before it looks.
	 */
	while (n->asks) {
		struct resolve_ask *ask = n->asks;
		n->asks = ask->next;
		ask->name = NULL;
		ask->state = rc == 0 ? RESOLVE_DONE : RESOLVE_FAILED;
		ask->got = *got;
		ask->ready(ask->arg);
	}
}

static struct resolve_name *
name_queued(struct resolver *r)
{
	/* Oldest first: new names are put at the head. */
	struct resolve_name *found = NULL;

	for (struct resolve_name *n = r->names; n; n = n->next)
		if (n->state == NAME_QUEUED)
			found = n;
	return found;
}

static void *
resolve_thread(void *arg)
{
	struct resolver *r = arg;
	bool last;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping) {
		struct resolve_name *n = name_queued(r);
		if (!n) {
			r->idle++;
			pthread_cond_wait(&r->work, &r->lock);
			r->idle--;
			continue;
		}
		struct resolved got = { 0 };
		n->state = NAME_RUNNING;
		r->queued--;
		pthread_mutex_unlock(&r->lock);
		int rc = r->opts.lookup(n->host, &got);
		pthread_mutex_lock(&r->lock);
		name_answer(r, n, rc, &got);
	}
	r->threads--;
	last = r->abandoned && r->threads == 0;
	pthread_cond_signal(&r->ended);
	pthread_mutex_unlock(&r->lock);
	if (last)
		resolver_destroy(r);
	return NULL;
}

/* With the lock held: see that somebody works. */
static void
resolve_staff(struct resolver *r)
{
	pthread_attr_t attr;
	pthread_t t;
	sigset_t all, old;

	if (r->idle >= r->queued || r->threads >= r->opts.threads) {
		pthread_cond_signal(&r->work);
		return;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&t, &attr, resolve_thread, r) == 0)
		r->threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}

/* With the lock held: forget the name that was wanted longest ago. */
static bool
name_evict(struct resolver *r)
{
	struct resolve_name **oldest = NULL;

	for (struct resolve_name **p = &r->names; *p; p = &(*p)->next)
		if ((*p)->state == NAME_IDLE && !(*p)->asks &&
		    (!oldest || (*p)->used_at < (*oldest)->used_at))
			oldest = p;
	if (!oldest)
		return false;
	struct resolve_name *n = *oldest;
	*oldest = n->next;
	mem_free(n);
	r->nnames--;
	return true;
}

/* With the lock held; NULL: too many names are being looked up. */
static struct resolve_name *
name_get(struct resolver *r, const char *host)
{
	struct resolve_name *n;

	for (n = r->names; n; n = n->next)
		if (strcasecmp(n->host, host) == 0)
			return n;
	if (r->nnames >= NAMES_MAX && !name_evict(r))
		return NULL;
	n = mem_new(NULL, struct resolve_name);
	memcpy(n->host, host, strlen(host) + 1);
	n->next = r->names;
	r->names = n;
	r->nnames++;
	return n;
}

static void
name_queue(struct resolver *r, struct resolve_name *n)
{
	if (n->state != NAME_IDLE)
		return;
	n->state = NAME_QUEUED;
	r->queued++;
	resolve_staff(r);
}

/* With the lock held: the answer of ${n} as it stands now. */
static enum resolve_state
name_state(const struct resolve_name *n, int64_t now, struct resolved *out)
{
	if (n->good_until > now) {
		*out = n->good;
		return RESOLVE_DONE;
	}
	return n->bad_until > now ? RESOLVE_FAILED : RESOLVE_WAIT;
}

bool
resolve_literal(const char *host, struct resolved *out)
{
	unsigned char bin[sizeof(struct in6_addr)];
	char bare[INET6_ADDRSTRLEN];
	size_t n = strlen(host);

	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (n >= sizeof(bare))
		return false;
	memcpy(bare, host, n);
	bare[n] = '\0';
	if (inet_pton(AF_INET, bare, bin) != 1 &&
	    inet_pton(AF_INET6, bare, bin) != 1)
		return false;
	out->n = 1;
	memcpy(out->addr[0], bare, n + 1);
	return true;
}

enum resolve_state
resolve_start(struct resolver *r, const char *host, struct resolve_ask *ask,
    struct resolved *out)
{
	enum resolve_state state;
	int64_t now = clock_mono();

	ask->name = NULL;
	ask->next = NULL;
	ask->state = RESOLVE_WAIT;
	if (resolve_literal(host, out))
		return RESOLVE_DONE;
	if (host[0] == '\0' || strlen(host) >= RESOLVE_NAME)
		return RESOLVE_FAILED;
	pthread_mutex_lock(&r->lock);
	struct resolve_name *n = name_get(r, host);
	if (!n) {
		pthread_mutex_unlock(&r->lock);
		return RESOLVE_FAILED;
	}
	n->used_at = now;
	state = name_state(n, now, out);
	if (state == RESOLVE_WAIT) {
		name_queue(r, n);
		ask->name = n;
		ask->next = n->asks;
		n->asks = ask;
	} else if (state == RESOLVE_DONE && n->bad_until <= now &&
		   now - n->good_at > (n->good_until - n->good_at) / 2) {
		/* Refreshed while it still answers, so that nobody waits. */
		name_queue(r, n);
	}
	pthread_mutex_unlock(&r->lock);
	return state;
}

enum resolve_state
resolve_take(struct resolver *r, struct resolve_ask *ask, struct resolved *out)
{
	enum resolve_state state;

	pthread_mutex_lock(&r->lock);
	state = ask->state;
	if (state == RESOLVE_DONE)
		*out = ask->got;
	pthread_mutex_unlock(&r->lock);
	return state;
}

void
resolve_stop(struct resolver *r, struct resolve_ask *ask)
{
	pthread_mutex_lock(&r->lock);
	if (ask->name)
		for (struct resolve_ask **p = &ask->name->asks; *p;
		     p = &(*p)->next)
			if (*p == ask) {
				*p = ask->next;
				break;
			}
	ask->name = NULL;
	pthread_mutex_unlock(&r->lock);
}
