/*
 * The places are an array for each process slot, written by that process only
 * (but for "asked").  Others read ids word by word: ids are never used twice,
 * so a place whose turn reads equal before and after is that turn's.
 *
 * Which places are free is known to the owning process alone; low places are
 * used first, and a high-water mark tells readers where to stop.
 */
#include "chat/live.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "shm/procs.h"
#include "shm/shm.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

struct head {
	_Atomic(unsigned) top; /* places used so far */
	char pad[60];          /* a cache line of its own */
};

static struct head *heads;
static struct live *places;
static unsigned nslots, per_slot;

/* This process's own; made at its first turn. */
static struct {
	pthread_mutex_t mu;
	struct live *base;
	struct head *head;
	unsigned *free;
	unsigned nfree;
	_Atomic(struct net_wait *) *waits;
	void (*wake)(struct net_wait *);
} own = { .mu = PTHREAD_MUTEX_INITIALIZER };

void
live_map(unsigned workers, unsigned per_worker)
{
	nslots = workers;
	per_slot = per_worker;
	heads = shm_map(sizeof(*heads) * workers);
	places = shm_map(sizeof(*places) * workers * per_worker);
}

static void
word_copy(struct uuid *to, const struct uuid *from)
{
	uint64_t *t = (void *)to;
	const uint64_t *f = (const void *)from;

	__atomic_store_n(&t[0], f[0], __ATOMIC_RELAXED);
	__atomic_store_n(&t[1], f[1], __ATOMIC_RELAXED);
}

static void
word_read(struct uuid *to, const struct uuid *from)
{
	uint64_t *t = (void *)to;
	const uint64_t *f = (const void *)from;

	t[0] = __atomic_load_n(&f[0], __ATOMIC_RELAXED);
	t[1] = __atomic_load_n(&f[1], __ATOMIC_RELAXED);
}

/* A copy that may be read by words. */
struct word_id {
	_Alignas(8) struct uuid id;
};

/* The random half of an id; never 0 in practice, and then merely deaf. */
static uint64_t
id_tail(const struct uuid *u)
{
	uint64_t v = 0;
	size_t i;

	for (i = 8; i < 16; i++)
		v = v << 8 | u->b[i];
	return v;
}

struct live *
live_enter(const struct uuid *turn, const struct uuid *account,
    const struct uuid *session)
{
	struct word_id t = { *turn }, a = { *account }, s = { *session };
	struct word_id none = { { { 0 } } };
	struct live *l;
	unsigned i, top;

	if (places == NULL || procs_self() == NULL)
		return NULL;
	pthread_mutex_lock(&own.mu);
	if (own.base == NULL) {
		own.head = &heads[procs_self_slot()];
		own.free = mem_array(NULL, unsigned, per_slot);
		own.waits = mem_zalloc_array(
		    NULL, sizeof(*own.waits), per_slot, "wait");
		own.base = &places[(size_t)procs_self_slot() * per_slot];
	}
	top = atomic_load(&own.head->top);
	if (own.nfree == 0 && top == per_slot) {
		pthread_mutex_unlock(&own.mu);
		return NULL;
	}
	i = own.nfree > 0 ? own.free[--own.nfree] : top;
	l = &own.base[i];
	atomic_store(&l->state, 1);
	atomic_store(&own.waits[i], NULL);
	atomic_store(&l->asked, 0);
	atomic_store(&l->heard, 0);
	atomic_store(&l->cancel, false);
	word_copy(&l->turn, &t.id);
	word_copy(&l->account, &a.id);
	word_copy(&l->session, &s.id);
	word_copy(&l->owner, &none.id);
	word_copy(&l->key, &none.id);
	word_copy(&l->credential, &none.id);
	atomic_store(&l->attempts, 0);
	atomic_store(&l->characters, 0);
	live_doing(l, "");
	atomic_store(&l->state, 2);
	if (i == top)
		atomic_store(&own.head->top, top + 1);
	pthread_mutex_unlock(&own.mu);
	return l;
}

void
live_leave(struct live *l)
{
	if (l == NULL)
		return;
	pthread_mutex_lock(&own.mu);
	atomic_store(&l->state, 0);
	bell_ring(&l->said);
	own.free[own.nfree++] = (unsigned)(l - own.base);
	pthread_mutex_unlock(&own.mu);
}

struct net_wait **
live_wait(struct live *l)
{
	/* The call stores with a lock or an atomic of its own. */
	return (struct net_wait **)(void *)&own.waits[l - own.base];
}

static bool
is_turn(const struct live *l, const struct uuid *turn)
{
	struct word_id t;

	if (atomic_load(&l->state) != 2)
		return false;
	word_read(&t.id, &l->turn);
	return id_eq(&t.id, turn);
}

/* The place of a running turn, and the slot it is in; NULL: none. */
static struct live *
find_place(const struct uuid *turn, unsigned *slot)
{
	unsigned i, k, top;
	struct live *l;

	for (i = 0; places != NULL && i < nslots; i++) {
		top = atomic_load(&heads[i].top);
		for (k = 0; k < top; k++) {
			l = &places[(size_t)i * per_slot + k];
			if (is_turn(l, turn)) {
				*slot = i;
				return l;
			}
		}
	}
	return NULL;
}

/* The same, of this account. */
static struct live *
find(const struct uuid *turn, const struct uuid *account, unsigned *slot,
    struct uuid *session)
{
	struct live *l = find_place(turn, slot);
	struct word_id a, s;

	if (l == NULL)
		return NULL;
	word_read(&a.id, &l->account);
	word_read(&s.id, &l->session);
	atomic_thread_fence(memory_order_acquire);
	if (!is_turn(l, turn) || !id_eq(&a.id, account))
		return NULL;
	*session = s.id;
	return l;
}

bool
live_find(
    const struct uuid *turn, const struct uuid *account, struct uuid *session)
{
	struct uuid s;
	unsigned slot;

	if (find(turn, account, &slot, &s) == NULL)
		return false;
	if (session != NULL)
		*session = s;
	return true;
}

/* By words: a reader may see a name half old, half new, for a moment, but
 * never bytes that were not written. */
void
live_doing(struct live *l, const char *what)
{
	uint64_t words[LIVE_DOING / 8] = { 0 };

	if (l == NULL)
		return;
	memcpy(words, what, strnlen(what, LIVE_DOING - 1));
	for (size_t i = 0; i < LIVE_DOING / 8; i++)
		atomic_store_explicit(
		    &l->doing[i], words[i], memory_order_relaxed);
}

void
live_asking(struct live *l, const struct uuid *credential)
{
	struct word_id c = { { { 0 } } };

	if (l == NULL)
		return;
	if (credential != NULL)
		c.id = *credential;
	word_copy(&l->credential, &c.id);
	atomic_fetch_add_explicit(&l->attempts, 1, memory_order_relaxed);
	live_doing(l, "model");
}

void
live_spoke(struct live *l, unsigned characters)
{
	if (l != NULL)
		atomic_fetch_add_explicit(
		    &l->characters, characters, memory_order_relaxed);
}

bool
live_progress(const struct uuid *turn, struct live_progress *out)
{
	uint64_t words[LIVE_DOING / 8];
	struct word_id c;
	unsigned slot;
	const struct live *l = find_place(turn, &slot);

	if (l == NULL)
		return false;
	word_read(&c.id, &l->credential);
	out->credential = c.id;
	out->attempts = atomic_load(&l->attempts);
	out->characters = atomic_load(&l->characters);
	for (size_t i = 0; i < LIVE_DOING / 8; i++)
		words[i] = atomic_load(&l->doing[i]);
	memcpy(out->doing, words, LIVE_DOING);
	out->doing[LIVE_DOING - 1] = '\0';
	out->doing[str_utf8_prefix(out->doing, strlen(out->doing))] = '\0';
	atomic_thread_fence(memory_order_acquire);
	return is_turn(l, turn);
}

void
live_owner(struct live *l, const struct uuid *owner)
{
	struct word_id w = { *owner };

	word_copy(&l->owner, &w.id);
}

void
live_session(struct live *l, const struct uuid *session)
{
	struct word_id s = { *session };

	word_copy(&l->session, &s.id);
}

void
live_key(struct live *l, const struct uuid *key)
{
	struct word_id k = { *key };

	word_copy(&l->key, &k.id);
}

/* As the turn's id is read before and after, so is the key: it is random
 * enough to be used once. */
static bool
is_of_key(const struct live *l, const struct uuid *key,
    const struct uuid *account, struct uuid *turn)
{
	struct word_id k, a, t;

	word_read(&k.id, &l->key);
	if (!id_eq(&k.id, key) || atomic_load(&l->state) != 2)
		return false;
	word_read(&a.id, &l->account);
	word_read(&t.id, &l->turn);
	atomic_thread_fence(memory_order_acquire);
	word_read(&k.id, &l->key);
	*turn = t.id;
	return id_eq(&k.id, key) && id_eq(&a.id, account);
}

bool
live_find_key(
    const struct uuid *key, const struct uuid *account, struct uuid *turn)
{
	unsigned i, k, top;

	for (i = 0; places != NULL && i < nslots; i++) {
		top = atomic_load(&heads[i].top);
		for (k = 0; k < top; k++)
			if (is_of_key(&places[(size_t)i * per_slot + k], key,
				account, turn))
				return true;
	}
	return false;
}

bool
live_runs(const struct uuid *turn)
{
	unsigned slot;

	return find_place(turn, &slot) != NULL;
}

bool
live_follow(const struct uuid *turn, struct follow *f)
{
	unsigned slot;

	f->turn = *turn;
	f->place = find_place(turn, &slot);
	return live_follow_runs(f);
}

bool
live_follow_runs(struct follow *f)
{
	if (f->place == NULL)
		return false;
	f->heard = bell_heard(&f->place->said);
	if (!is_turn(f->place, &f->turn)) {
		f->place = NULL;
		return false;
	}
	/* The next turn of the place may get this mark: it then waits a moment
	 * longer for its reader. */
	atomic_store(&f->place->heard, clock_mono());
	return true;
}

void
live_follow_wait(struct follow *f, int ms)
{
	if (f->place != NULL)
		bell_wait(&f->place->said, f->heard, ms);
}

void
live_said(struct live *l)
{
	bell_ring(&l->said);
}

int64_t
live_heard(const struct live *l)
{
	return atomic_load(&l->heard);
}

bool
live_of_owner(const struct uuid *turn, const struct uuid *account,
    const struct uuid *owner)
{
	struct uuid session;
	struct word_id t, w;
	unsigned slot;
	struct live *l;

	l = find(turn, account, &slot, &session);
	if (l == NULL)
		return false;
	word_read(&w.id, &l->owner);
	atomic_thread_fence(memory_order_acquire);
	word_read(&t.id, &l->turn);
	return id_eq(&t.id, turn) && id_eq(&w.id, owner);
}

bool
live_cancel(const struct uuid *turn, const struct uuid *account)
{
	struct uuid session;
	struct live *l;
	unsigned slot;

	l = find(turn, account, &slot, &session);
	if (l == NULL)
		return false;
	atomic_store(&l->asked, id_tail(turn));
	procs_wake(slot);
	return true;
}

void
live_waker(void (*wake)(struct net_wait *))
{
	own.wake = wake;
}

static void
stop_turns(bool all)
{
	struct net_wait *w;
	unsigned i, top;
	struct live *l;

	pthread_mutex_lock(&own.mu);
	top = own.base != NULL ? atomic_load(&own.head->top) : 0;
	for (i = 0; i < top; i++) {
		l = &own.base[i];
		if (atomic_load(&l->state) != 2)
			continue;
		if (!all && atomic_load(&l->asked) != id_tail(&l->turn))
			continue;
		atomic_store(&l->cancel, true);
		w = atomic_load(&own.waits[i]);
		if (w != NULL && own.wake != NULL)
			own.wake(w);
	}
	pthread_mutex_unlock(&own.mu);
}

void
live_wake_cancelled(void)
{
	stop_turns(false);
}

void
live_cancel_all(void)
{
	stop_turns(true);
}

void
live_reap(unsigned slot,
    void (*lost)(
	void *arg, const struct uuid *turn, const struct uuid *account),
    void *arg)
{
	unsigned k, top;
	struct live *l;

	if (places == NULL || slot >= nslots)
		return;
	top = atomic_load(&heads[slot].top);
	for (k = 0; k < top; k++) {
		l = &places[(size_t)slot * per_slot + k];
		if (atomic_load(&l->state) == 2 && lost != NULL)
			lost(arg, &l->turn, &l->account);
		atomic_store(&l->state, 0);
		bell_ring(&l->said);
	}
	atomic_store(&heads[slot].top, 0);
}
