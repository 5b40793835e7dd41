/* Direct-mapped tables under one lock, whose holders only copy. */
#include "chat/recall.h"

#include <pthread.h>
#include <string.h>

#include "util/hash.h"
#include "util/mem.h"

#include "util/banned.h"

#define SESSIONS 2048
#define NAMES 8192

struct session_place {
	struct uuid account, session; /* nil: free */
	struct recall_session what;
};

/* Of a name only its keyed hash is kept: what it gives is confirmed anyway. */
struct name_place {
	struct uuid account, session;
	uint64_t name;
};

struct recall {
	pthread_mutex_t lock;
	uint64_t seed[2]; /* so that nobody outside can aim at a place */
	struct session_place *session;
	struct name_place *name;
};

struct recall *
recall_new(void)
{
	struct recall *r = mem_new(NULL, struct recall);

	pthread_mutex_init(&r->lock, NULL);
	id_random(r->seed, sizeof(r->seed));
	r->session = mem_array(r, struct session_place, SESSIONS);
	r->name = mem_array(r, struct name_place, NAMES);
	return r;
}

void
recall_free(struct recall *r)
{
	if (r == NULL)
		return;
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
}

static struct session_place *
session_place(struct recall *r, const struct uuid *session)
{
	return &r->session[hash_keyed(r->seed, (const char *)session->b,
			       sizeof(session->b)) %
			   SESSIONS];
}

bool
recall_session(struct recall *r, const struct uuid *account,
    const struct uuid *session, struct recall_session *out)
{
	const struct session_place *p;
	bool there;

	if (r == NULL)
		return false;
	p = session_place(r, session);
	pthread_mutex_lock(&r->lock);
	there = id_eq(&p->session, session) && id_eq(&p->account, account);
	if (there)
		*out = p->what;
	pthread_mutex_unlock(&r->lock);
	return there;
}

void
recall_keep_session(struct recall *r, const struct uuid *account,
    const struct uuid *session, const struct recall_session *what)
{
	struct session_place *p;

	if (r == NULL)
		return;
	p = session_place(r, session);
	pthread_mutex_lock(&r->lock);
	p->account = *account;
	p->session = *session;
	p->what = *what;
	pthread_mutex_unlock(&r->lock);
}

static struct name_place *
name_place(struct recall *r, const char *name, uint64_t *hash)
{
	*hash = hash_keyed(r->seed, name, strlen(name));
	return &r->name[*hash % NAMES];
}

bool
recall_name(struct recall *r, const struct uuid *account, const char *name,
    struct uuid *session)
{
	const struct name_place *p;
	uint64_t hash;
	bool there;

	if (r == NULL)
		return false;
	p = name_place(r, name, &hash);
	pthread_mutex_lock(&r->lock);
	there = p->name == hash && id_eq(&p->account, account) &&
	        !id_is_nil(&p->session);
	if (there)
		*session = p->session;
	pthread_mutex_unlock(&r->lock);
	return there;
}

void
recall_keep_name(struct recall *r, const struct uuid *account, const char *name,
    const struct uuid *session)
{
	struct name_place *p;
	uint64_t hash;

	if (r == NULL)
		return;
	p = name_place(r, name, &hash);
	pthread_mutex_lock(&r->lock);
	p->account = *account;
	p->session = *session;
	p->name = hash;
	pthread_mutex_unlock(&r->lock);
}
