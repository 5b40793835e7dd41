/*
 * Each kept provider has a lock of its own, held while its document or keys are
 * fetched: who needs them meanwhile waits for that one call.  A document that
 * is replaced goes with its last holder, keys likewise.
 */
#include "sso/provider.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "crypto/hash.h"
#include "crypto/jws.h"
#include "shm/pace.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define WAITING_MOST 8            /* for one provider's fetch */
#define FETCH_MOST (10 * CLOCK_S) /* of one document */
#define KEEP_USUAL 3600           /* seconds, where nothing is said */
#define KEEP_LEAST 300
#define KEEP_MOST 86400
#define STALE_MOST (24 * 3600 * CLOCK_S)
#define RETRY (60 * CLOCK_S)      /* after a failure, with old ones at hand */
#define FAILED_KEEP (5 * CLOCK_S) /* a failure is repeated so long */

/* Keys as they were at one time. */
struct keys_held {
	atomic_int refs;
	struct jwks *set;
};

/* A document as it was at one time; its texts hang below it. */
struct document {
	atomic_int refs;
	struct discovery d;
};

struct kept {
	struct uuid account;
	char issuer[ISSUER_MAX + 1];
	int users;    /* under the table's lock */
	int64_t used; /* likewise */
	pthread_mutex_t lock;
	atomic_int waiting;
	struct document *doc;
	int64_t doc_until, doc_got;
	struct keys_held *keys;
	int64_t keys_until, keys_got;
	char etag[128];
	struct err failed; /* the last try's, until failed_until */
	int64_t failed_until;
};

struct provider {
	struct kept *kept;
	struct document *doc;
};

struct providers {
	const struct fetcher *f;
	pthread_mutex_t lock;
	unsigned n, max;
	struct kept **kept;
};

/* --- counted things ------------------------------------------------------- */

static void
document_unref(struct document *d)
{
	if (d != NULL && atomic_fetch_sub(&d->refs, 1) == 1)
		mem_free(d);
}

static void
keys_unref(struct keys_held *k)
{
	if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	jwks_free(k->set);
	mem_free(k);
}

static struct keys_held *
keys_ref(struct keys_held *k)
{
	atomic_fetch_add(&k->refs, 1);
	return k;
}

/* --- the table ------------------------------------------------------------ */

struct providers *
providers_new(const struct fetcher *f, unsigned n)
{
	struct providers *ps = mem_new(NULL, struct providers);

	ps->f = f;
	ps->max = n;
	ps->kept = mem_array(ps, struct kept *, n);
	pthread_mutex_init(&ps->lock, NULL);
	return ps;
}

static void
kept_free(struct kept *k)
{
	document_unref(k->doc);
	keys_unref(k->keys);
	pthread_mutex_destroy(&k->lock);
	mem_free(k);
}

void
providers_free(struct providers *ps)
{
	if (ps == NULL)
		return;
	for (unsigned i = 0; i < ps->n; i++)
		kept_free(ps->kept[i]);
	pthread_mutex_destroy(&ps->lock);
	mem_free(ps);
}

/* A place for one more: a new one, or that of the one unused for longest; NULL
 * when all are in use. */
static struct kept **
place(struct providers *ps)
{
	struct kept **oldest = NULL;

	if (ps->n < ps->max)
		return &ps->kept[ps->n++];
	for (unsigned i = 0; i < ps->n; i++) {
		struct kept **k = &ps->kept[i];

		if ((*k)->users == 0 &&
		    (oldest == NULL || (*k)->used < (*oldest)->used))
			oldest = k;
	}
	if (oldest != NULL)
		kept_free(*oldest);
	return oldest;
}

static struct kept *
kept_find(struct providers *ps, const struct uuid *account, const char *issuer)
{
	for (unsigned i = 0; i < ps->n; i++)
		if (id_eq(&ps->kept[i]->account, account) &&
		    strcmp(ps->kept[i]->issuer, issuer) == 0)
			return ps->kept[i];
	return NULL;
}

static struct kept *
kept_get(struct providers *ps, const struct uuid *account, const char *issuer)
{
	struct kept *k, **at;

	pthread_mutex_lock(&ps->lock);
	k = kept_find(ps, account, issuer);
	if (k == NULL && (at = place(ps)) != NULL) {
		k = *at = mem_new(NULL, struct kept);
		k->account = *account;
		memcpy(k->issuer, issuer, strlen(issuer) + 1);
		pthread_mutex_init(&k->lock, NULL);
	}
	if (k != NULL) {
		k->users++;
		k->used = clock_mono();
	}
	pthread_mutex_unlock(&ps->lock);
	return k;
}

static void
kept_put(struct providers *ps, struct kept *k)
{
	pthread_mutex_lock(&ps->lock);
	k->users--;
	pthread_mutex_unlock(&ps->lock);
}

/* The provider to oneself, by ${deadline}. */
static int
kept_lock(struct kept *k, int64_t deadline, struct err *e)
{
	struct timespec until = { .tv_sec = deadline / CLOCK_S,
		.tv_nsec = deadline % CLOCK_S };
	int rc;

	if (atomic_fetch_add(&k->waiting, 1) >= WAITING_MOST) {
		atomic_fetch_sub(&k->waiting, 1);
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 5,
		    "too many wait for the identity provider");
	}
	rc = pthread_mutex_clocklock(&k->lock, CLOCK_MONOTONIC, &until);
	atomic_fetch_sub(&k->waiting, 1);
	return rc == 0 ? 0
	               : err_set(e, ERR_TIMEOUT,
			     "the identity provider does not answer");
}

/* --- fetching ------------------------------------------------------------- */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
keep_until(int64_t now, int max_age)
{
	int s = max_age < 0 ? KEEP_USUAL : max_age;

	s = s < KEEP_LEAST ? KEEP_LEAST : s > KEEP_MOST ? KEEP_MOST : s;
	return now + s * CLOCK_S;
}

static int
status_wrong(const char *what, int status, struct err *e)
{
	return err_set(e, ERR_UPSTREAM,
	    "the identity provider answered %d when asked for its %s", status,
	    what);
}

static int
fetch_document(const struct fetcher *f, const void *ctx, const char *issuer,
    int64_t deadline, struct discovery *out, int *age, struct err *e)
{
	static const char *const headers[] = { "Accept: application/json",
		NULL };
	void *tmp = mem_root("discovery");
	struct fetched got;
	int rc;

	rc = discovery_issuer_ok(f, issuer, e);
	if (rc == 0)
		rc = fetch(f, tmp, discovery_url(tmp, issuer), headers, NULL,
		    least(deadline, clock_mono() + FETCH_MOST), &got, e);
	if (rc == 0 && got.status != 200)
		rc = status_wrong("discovery document", got.status, e);
	if (rc == 0)
		rc = discovery_parse(f, ctx, issuer, got.body, got.len, out, e);
	if (rc == 0)
		*age = got.max_age;
	mem_free(tmp);
	return rc;
}

/* 1: they have not changed; 0 with *set; -1. */
static int
fetch_keys(const struct fetcher *f, const char *uri, int64_t deadline,
    const char *was, struct jwks **set, struct fetched *got, struct err *e)
{
	void *tmp = mem_root("jwks");
	const char *headers[] = { "Accept: application/json, "
				  "application/jwk-set+json",
		was != NULL ? mem_printf(tmp, "If-None-Match: %s", was) : NULL,
		NULL };
	int rc = fetch(f, tmp, uri, headers, NULL,
	    least(deadline, clock_mono() + FETCH_MOST), got, e);

	if (rc == 0 && was != NULL && got->status == 304)
		rc = 1;
	else if (rc == 0 && got->status != 200)
		rc = status_wrong("keys", got->status, e);
	else if (rc == 0)
		rc = jwks_parse(got->body, got->len, set, e);
	mem_free(tmp);
	return rc;
}

/* Locked.  A failure counts for a moment, so that a flood of sign-ins is none
 * of calls. */
static int
failed_before(const struct kept *k, int64_t now, struct err *e)
{
	if (now >= k->failed_until)
		return 0;
	*e = k->failed;
	return -1;
}

static int
has_failed(struct kept *k, const struct err *e)
{
	k->failed = *e;
	k->failed_until = clock_mono() + FAILED_KEEP;
	log_event(LOG_WARN, "identity_provider_failed", "issuer", k->issuer,
	    "error", e->text, NULL);
	return -1;
}

/* Locked: the document, as old as it may be. */
static int
need_document(
    const struct fetcher *f, struct kept *k, int64_t deadline, struct err *e)
{
	int64_t now = clock_mono();
	struct document *new;
	int age;

	if (k->doc != NULL && now < k->doc_until)
		return 0;
	if (failed_before(k, now, e) != 0)
		return -1;
	new = mem_new(NULL, struct document);
	atomic_init(&new->refs, 1);
	if (fetch_document(f, new, k->issuer, deadline, &new->d, &age, e) !=
	    0) {
		mem_free(new);
		if (k->doc == NULL || now - k->doc_got > STALE_MOST)
			return has_failed(k, e);
		k->doc_until = now + RETRY;
		return 0;
	}
	if (k->doc != NULL && strcmp(k->doc->d.jwks_uri, new->d.jwks_uri) != 0)
		k->keys_until = 0;
	document_unref(k->doc);
	k->doc = new;
	k->doc_got = now;
	k->doc_until = keep_until(now, age);
	return 0;
}

/* Locked: fetch the keys. */
static int
renew_keys(const struct fetcher *f, struct kept *k, const char *uri,
    int64_t deadline, struct err *e)
{
	int64_t now = clock_mono();
	struct jwks *set = NULL;
	struct fetched got;
	int rc = fetch_keys(f, uri, deadline,
	    k->keys != NULL && k->etag[0] != '\0' ? k->etag : NULL, &set, &got,
	    e);

	if (rc < 0) {
		if (k->keys == NULL || now - k->keys_got > STALE_MOST)
			return has_failed(k, e);
		k->keys_until = now + RETRY;
		return 0;
	}
	if (rc == 0) {
		keys_unref(k->keys);
		k->keys = mem_new(NULL, struct keys_held);
		atomic_init(&k->keys->refs, 1);
		k->keys->set = set;
		memcpy(k->etag, got.etag, sizeof(k->etag));
	}
	k->keys_got = now;
	k->keys_until = keep_until(now, got.max_age);
	return 0;
}

/* One turn in half a minute for each account and issuer. */
static bool
may_refetch(const struct kept *k)
{
	char text[UUID_TEXT + ISSUER_MAX + 2];
	unsigned char hash[32];
	uint64_t h;
	size_t n = strlen(k->issuer);

	id_format(&k->account, text);
	memcpy(text + UUID_TEXT - 1, k->issuer, n);
	crypto_sha256(text, UUID_TEXT - 1 + n, hash);
	memcpy(&h, hash, sizeof(h));
	return pace_take(h, clock_mono(), PROVIDER_REFETCH_S * CLOCK_S);
}

/* The keys, to be given back; with ${old}, newer ones than those, or NULL with
 * e->code ERR_NONE when there may be none yet. */
static struct keys_held *
get_keys(struct providers *ps, struct provider *p, const struct keys_held *old,
    int64_t deadline, struct err *e)
{
	struct kept *k = p->kept;
	struct keys_held *ret = NULL;
	int64_t now;
	int rc = kept_lock(k, deadline, e);

	if (rc != 0)
		return NULL;
	now = clock_mono();
	if (old != NULL) {
		if (k->keys == old && now >= k->keys_got + CLOCK_S &&
		    may_refetch(k))
			rc = renew_keys(
			    ps->f, k, p->doc->d.jwks_uri, deadline, e);
	} else if (k->keys == NULL || now >= k->keys_until) {
		rc = k->keys == NULL ? failed_before(k, now, e) : 0;
		if (rc == 0)
			rc = renew_keys(
			    ps->f, k, p->doc->d.jwks_uri, deadline, e);
	}
	if (rc == 0 && k->keys != old)
		ret = keys_ref(k->keys);
	pthread_mutex_unlock(&k->lock);
	return ret;
}

/* --- for callers ---------------------------------------------------------- */

int
providers_get(struct providers *ps, const struct uuid *account,
    const char *issuer, int64_t deadline, struct provider **ret, struct err *e)
{
	struct kept *k;
	int rc;

	if (strlen(issuer) > ISSUER_MAX)
		return err_set(e, ERR_INVALID, "the issuer is too long");
	k = kept_get(ps, account, issuer);
	if (k == NULL)
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 5,
		    "too many identity providers are in use");
	rc = kept_lock(k, deadline, e);
	if (rc == 0) {
		rc = need_document(ps->f, k, deadline, e);
		if (rc == 0) {
			*ret = mem_new(NULL, struct provider);
			(*ret)->kept = k;
			(*ret)->doc = k->doc;
			atomic_fetch_add(&k->doc->refs, 1);
		}
		pthread_mutex_unlock(&k->lock);
	}
	if (rc != 0)
		kept_put(ps, k);
	return rc;
}

void
provider_unref(struct providers *ps, struct provider *p)
{
	if (p == NULL)
		return;
	document_unref(p->doc);
	kept_put(ps, p->kept);
	mem_free(p);
}

const struct discovery *
provider_discovery(const struct provider *p)
{
	return &p->doc->d;
}

int
provider_verify(struct providers *ps, struct provider *p, const char *token,
    const char *typ, int64_t deadline, json_t **claims, enum jws_alg *alg,
    struct err *e)
{
	struct err none = { 0 };
	struct keys_held *keys = get_keys(ps, p, NULL, deadline, e), *newer;
	enum jws_answer a;

	if (keys == NULL)
		return -1;
	a = jws_verify_claims(
	    keys->set, token, p->doc->d.algs, typ, claims, alg);
	if (a == JWS_UNKNOWN_KEY &&
	    (newer = get_keys(ps, p, keys, deadline, &none)) != NULL) {
		keys_unref(keys);
		keys = newer;
		a = jws_verify_claims(
		    keys->set, token, p->doc->d.algs, typ, claims, alg);
	}
	keys_unref(keys);
	if (a == JWS_GOOD)
		return 0;
	return err_set(e, ERR_UNKNOWN,
	    a == JWS_UNKNOWN_KEY
		? "The identity provider's token is signed by a key that it "
		  "does not publish."
		: "The identity provider's token is not rightly signed.");
}

int
provider_probe(const struct fetcher *f, const void *ctx, const char *issuer,
    int64_t deadline, struct discovery *out, size_t *keys, struct err *e)
{
	struct jwks *set = NULL;
	struct fetched got;
	int age;

	if (fetch_document(f, ctx, issuer, deadline, out, &age, e) != 0 ||
	    fetch_keys(f, out->jwks_uri, deadline, NULL, &set, &got, e) < 0)
		return -1;
	*keys = jwks_count(set);
	jwks_free(set);
	return *keys > 0 ? 0
	                 : err_set(e, ERR_UPSTREAM,
			       "the key set has no key that is taken");
}
