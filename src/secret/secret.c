/* Opened secrets, and the vault that seals and opens them. */
#include "secret/secret.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/locked.h"
#include "secret/data_key.h"
#include "secret/store.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define CACHED 512  /* data keys of this process */
#define PAGE "5000" /* of a check */
#define PURPOSE_MAX 64
#define VERSION_SIZE                                                           \
	4 /* bytes of a data key's version in front of what it sealed          \
	   */
#define NUMBER 12

struct secret {
	size_t n;
	unsigned char *bytes;
};

/* A place of the cache; version 0: empty. */
struct cached {
	struct uuid account;
	int version;
	unsigned char key[ENVELOPE_KEY];
};

struct vault {
	struct db_pool *db;
	char *file;
	pthread_mutex_t lock; /* of what follows */
	struct keyring *ring; /* NULL: not read yet */
	struct cached *cache; /* locked memory */
};

/* --- opened secrets ------------------------------------------------------ */

const unsigned char *
secret_bytes(const struct secret *s)
{
	return s->bytes;
}

size_t
secret_len(const struct secret *s)
{
	return s->n;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	crypto_locked_free(s->bytes);
	mem_free(s);
}

/* --- the vault ----------------------------------------------------------- */

struct vault *
vault_new(struct db_pool *db, const char *master_key_file)
{
	struct vault *v = mem_new(NULL, struct vault);

	v->db = db;
	v->file = mem_strdup(v, master_key_file);
	v->cache = crypto_locked(CACHED * sizeof(*v->cache));
	(void)pthread_mutex_init(&v->lock, NULL);
	return v;
}

void
vault_free(struct vault *v)
{
	if (v == NULL)
		return;
	keyring_free(v->ring);
	crypto_locked_free(v->cache);
	(void)pthread_mutex_destroy(&v->lock);
	mem_free(v);
}

/* The master keys, read anew where the file has changed.  With the lock. */
static int
ring_now(struct vault *v, struct err *e)
{
	struct keyring *new;

	if (v->ring != NULL && !keyring_stale(v->ring))
		return 0;
	if (keyring_read(v->file, &new, e) != 0)
		return -1;
	keyring_free(v->ring);
	v->ring = new;
	return 0;
}

static struct cached *
place_of(struct vault *v, const struct uuid *account, int version)
{
	/* The end of an id of ours is random. */
	unsigned at = (unsigned)account->b[15] | (unsigned)account->b[14] << 8;

	return &v->cache[(at / 4 + (unsigned)version) % CACHED];
}

static bool
cache_get(struct vault *v, const struct uuid *account, int version,
    unsigned char key[ENVELOPE_KEY])
{
	const struct cached *c = place_of(v, account, version);
	bool found;

	(void)pthread_mutex_lock(&v->lock);
	found = c->version == version && id_eq(&c->account, account);
	if (found)
		memcpy(key, c->key, ENVELOPE_KEY);
	(void)pthread_mutex_unlock(&v->lock);
	return found;
}

/* Open ${k} and keep it. */
static int
cache_put(struct vault *v, const struct data_key *k,
    unsigned char key[ENVELOPE_KEY], struct err *e)
{
	struct cached *c = place_of(v, &k->account, k->version);
	int rc;

	(void)pthread_mutex_lock(&v->lock);
	rc = ring_now(v, e);
	if (rc == 0)
		rc = data_key_unwrap(k, v->ring, key, e);
	if (rc == 0) {
		c->account = k->account;
		c->version = k->version;
		memcpy(c->key, key, ENVELOPE_KEY);
	}
	(void)pthread_mutex_unlock(&v->lock);
	return rc;
}

/* The stored data key of that version, or (0) the newest; ERR_NOT_FOUND. */
static int
stored(struct vault *v, const struct uuid *account, int version,
    int64_t deadline, struct data_key *out, struct err *e)
{
	char id[UUID_TEXT], number[NUMBER];
	struct db_call call = { .stmt = &secret_store_find,
		.param = { id, version > 0 ? number : NULL },
		.nparams = 2 };
	void *ctx = mem_root("data key");
	int rc;

	id_format(account, id);
	snprintf(number, sizeof(number), "%d", version);
	rc = db_run(v->db, DB_READ, account, &call, 1, deadline, ctx, e);
	if (rc == 0 && db_rows(call.result) == 0)
		rc = err_set(e, ERR_NOT_FOUND, "there is no such data key");
	if (rc == 0)
		rc = data_key_row(call.result, 0, out, e);
	mem_free(ctx);
	return rc;
}

/* Make the first data key of the account, unless another process does. */
static int
make(struct vault *v, const struct uuid *account, int64_t deadline,
    struct err *e)
{
	struct data_key k = { .account = *account, .version = 1 };
	unsigned char *key = crypto_locked(ENVELOPE_KEY);
	char id[UUID_TEXT], hex[DATA_KEY_HEX];
	struct db_call call = { .stmt = &secret_store_add,
		.param = { id, "1", k.master_id, hex },
		.nparams = 4 };
	void *ctx = mem_root("data key");
	int rc;

	id_random(key, ENVELOPE_KEY);
	(void)pthread_mutex_lock(&v->lock);
	rc = ring_now(v, e);
	if (rc == 0)
		data_key_wrap(&k, v->ring, 0, key);
	(void)pthread_mutex_unlock(&v->lock);
	if (rc == 0) {
		id_format(account, id);
		str_hex(k.wrapped, DATA_KEY_WRAPPED, hex);
		rc = db_run(
		    v->db, DB_CONTROL, account, &call, 1, deadline, ctx, e);
	}
	crypto_locked_free(key);
	mem_free(ctx);
	return rc;
}

/* The key of that version, or (0) the newest, made where ${may_make}. */
static int
key_of(struct vault *v, const struct uuid *account, int *version, bool may_make,
    int64_t deadline, unsigned char key[ENVELOPE_KEY], struct err *e)
{
	struct data_key k;
	struct err why = { 0 };

	if (*version > 0 && cache_get(v, account, *version, key))
		return 0;
	if (stored(v, account, *version, deadline, &k, &why) != 0) {
		if (why.code != ERR_NOT_FOUND || !may_make) {
			if (e != NULL)
				*e = why;
			return -1;
		}
		if (make(v, account, deadline, e) != 0 ||
		    stored(v, account, 0, deadline, &k, e) != 0)
			return -1;
	}
	*version = k.version;
	return cache_put(v, &k, key, e);
}

/* What is bound to a sealed value, each part with its length or of a fixed
 * one; its length. */
static size_t
bound(const struct secret_place *p, int version,
    unsigned char out[16 + 16 + 8 + 4 + 1 + PURPOSE_MAX])
{
	size_t n = strlen(p->purpose), at = 0;

	memcpy(out, p->account.b, 16);
	memcpy(out + 16, p->row.b, 16);
	at = 32;
	for (int i = 0; i < 8; i++)
		out[at++] = (unsigned char)((uint64_t)p->version >> 8 * i);
	for (int i = 0; i < VERSION_SIZE; i++)
		out[at++] = (unsigned char)((uint32_t)version >> 8 * i);
	out[at++] = (unsigned char)n;
	memcpy(out + at, p->purpose, n);
	return at + n;
}

static bool
place_ok(const struct secret_place *p)
{
	size_t n = strlen(p->purpose);

	return n > 0 && n <= PURPOSE_MAX;
}

/* A master key that is not here is nothing that a caller was denied. */
static int
our_fault(struct err *e)
{
	if (e != NULL && e->code == ERR_DENIED)
		e->code = ERR_INTERNAL;
	return -1;
}

int
secret_seal(struct vault *v, const struct secret_place *place,
    const void *plain, size_t n, int64_t deadline, const void *ctx,
    unsigned char **sealed, struct err *e)
{
	unsigned char key[ENVELOPE_KEY], aad[16 + 16 + 8 + 4 + 1 + PURPOSE_MAX],
	    *out;
	int version = 0;
	size_t len;

	if (n > SECRET_MAX || !place_ok(place))
		return err_set(e, ERR_INVALID, "too long for a secret");
	if (key_of(v, &place->account, &version, true, deadline, key, e) != 0)
		return our_fault(e);
	len = bound(place, version, aad);
	out = mem_zalloc(ctx, n + SECRET_MORE, "sealed");
	for (int i = 0; i < VERSION_SIZE; i++)
		out[i] = (unsigned char)((uint32_t)version >> 8 * i);
	envelope_seal(key, aad, len, plain, n, out + VERSION_SIZE);
	crypto_wipe(key, sizeof(key));
	*sealed = out;
	return 0;
}

static int
not_ours(struct err *e)
{
	return err_set(e, ERR_INVALID,
	    "a sealed value does not open here: it was changed, or sealed for "
	    "another place");
}

int
secret_open(struct vault *v, const struct secret_place *place,
    const unsigned char *sealed, size_t len, int64_t deadline,
    struct secret **ret, struct err *e)
{
	unsigned char key[ENVELOPE_KEY], aad[16 + 16 + 8 + 4 + 1 + PURPOSE_MAX];
	struct err why = { 0 };
	uint32_t number = 0;
	struct secret *s;
	int version, rc;

	if (len < SECRET_MORE || len > SECRET_MAX + SECRET_MORE ||
	    !place_ok(place))
		return not_ours(e);
	for (int i = 0; i < VERSION_SIZE; i++)
		number |= (uint32_t)sealed[i] << 8 * i;
	if (number == 0 || number > INT32_MAX)
		return not_ours(e);
	version = (int)number;
	if (key_of(v, &place->account, &version, false, deadline, key, &why) !=
	    0) {
		if (why.code == ERR_NOT_FOUND)
			return not_ours(e);
		if (e != NULL)
			*e = why;
		return our_fault(e);
	}
	s = mem_new(NULL, struct secret);
	s->n = len - SECRET_MORE;
	s->bytes = crypto_locked(s->n + 1); /* a text ends in a NUL */
	rc = envelope_open(key, aad, bound(place, version, aad),
	    sealed + VERSION_SIZE, len - VERSION_SIZE, s->bytes);
	crypto_wipe(key, sizeof(key));
	if (rc != 0) {
		secret_free(s);
		return not_ours(e);
	}
	*ret = s;
	return 0;
}

/* --- looking at all of them ---------------------------------------------- */

/* Open a page of rows; *last is its last. */
static int
check_page(struct vault *v, const struct db_result *r, struct data_key *last,
    struct err *e)
{
	unsigned char *key = crypto_locked(ENVELOPE_KEY);
	int rc;

	(void)pthread_mutex_lock(&v->lock);
	rc = ring_now(v, e);
	for (int i = 0; rc == 0 && i < db_rows(r); i++) {
		rc = data_key_row(r, i, last, e);
		if (rc == 0)
			rc = data_key_unwrap(last, v->ring, key, e);
	}
	(void)pthread_mutex_unlock(&v->lock);
	crypto_locked_free(key);
	return rc;
}

int
vault_check(
    struct vault *v, bool may_make, int64_t deadline, int64_t *n, struct err *e)
{
	static const struct uuid platform;
	unsigned char key[ENVELOPE_KEY];
	struct data_key last = { 0 };
	int version = 0, rows, rc = 0;

	if (may_make)
		rc = key_of(v, &platform, &version, true, deadline, key, e);
	crypto_wipe(key, sizeof(key));
	*n = 0;
	do {
		char id[UUID_TEXT], number[NUMBER];
		struct db_call call = { .stmt = &secret_store_all,
			.param = { id, number, PAGE },
			.nparams = 3 };
		void *ctx = mem_root("vault_check");

		id_format(&last.account, id);
		snprintf(number, sizeof(number), "%d", last.version);
		rows = 0;
		if (rc == 0)
			rc = db_run(
			    v->db, DB_READ, NULL, &call, 1, deadline, ctx, e);
		if (rc == 0) {
			rows = db_rows(call.result);
			rc = check_page(v, call.result, &last, e);
		}
		*n += rows;
		mem_free(ctx);
	} while (rc == 0 && rows > 0);
	return rc;
}
