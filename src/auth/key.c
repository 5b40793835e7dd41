/*
 * Keys by their hash, through an LRU.  The cache's name for a key is its kind
 * and the whole SHA-256 in hex: no text of a key is kept anywhere, and no two
 * keys can share an entry.
 */
#include "auth/key.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "account/absent.h"
#include "account/account.h"
#include "auth/store.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "shm/epoch.h"
#include "util/clock.h"
#include "util/lru.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define HASH_SIZE 32
#define SECRET_BYTES 32
#define SECRET_MIN 32 /* characters of 24 bytes */
#define SECRET_MAX 43 /* characters of 32 bytes */
#define SHOWN 12
#define ABSENT_PLACES 4096

static const char *const prefixes[] = {
	[KEY_API] = "sb_live_", [KEY_WIDGET] = "sb_pub_"
};

struct keys {
	struct db_pool *db;
	struct lru *lru;
	struct absent *absent;
};

/* What the cache counts; the public part first. */
struct counted {
	struct key k;
	atomic_uint refs;
};

/* What a make needs beside its name. */
struct wanted {
	struct keys *keys;
	enum key_kind kind;
	unsigned char hash[HASH_SIZE];
};

static int
unknown(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "The key is not valid.");
}

static void
value_ref(void *value)
{
	struct counted *c = value;

	atomic_fetch_add(&c->refs, 1);
}

static void
value_unref(void *value)
{
	struct counted *c = value;

	if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1)
		mem_free(c);
}

static bool
value_fresh(const void *value)
{
	const struct key *k = value;

	return epoch_current(k->account_slot, k->epoch, k->general);
}

/* NULL when the row is none that a key may be made of. */
static struct counted *
from_row(enum key_kind kind, const struct db_result *r, uint64_t general)
{
	struct counted *c = mem_new(NULL, struct counted);
	struct key *k = &c->k;

	atomic_init(&c->refs, 1);
	k->kind = kind;
	k->general = general;
	if (db_uuid(r, 0, 0, &k->id) != 0 ||
	    db_uuid(r, 0, 1, &k->account_id) != 0 ||
	    role_parse(db_text(r, 0, 3), &k->role) != 0 ||
	    (kind == KEY_API && !role_for_key(k->role)) ||
	    (!db_null(r, 0, 5) && db_uuid(r, 0, 5, &k->agent_id) != 0)) {
		mem_free(c);
		return NULL;
	}
	k->account_slot = (uint32_t)db_int(r, 0, 2);
	k->expires_us = db_int(r, 0, 4);
	k->origins = origin_list(c, db_text(r, 0, 6), &k->norigins);
	k->epoch = (uint64_t)db_int(r, 0, 7);
	return c;
}

static int
value_make(
    void *arg, const char *name, int64_t deadline, void **ret, struct err *e)
{
	const struct wanted *w = arg;
	uint64_t general = epoch_general();
	struct db_call call = { .stmt = w->kind == KEY_API
		                            ? &auth_store_api_key
		                            : &auth_store_widget_key,
		.param = { (const char *)w->hash },
		.nparams = 1,
		.binary = 1,
		.plen = { HASH_SIZE } };
	void *ctx = mem_root("key_make");
	int rc = absent_ask(
	    w->keys->absent, name, w->keys->db, &call, deadline, ctx, e);
	struct counted *c =
	    rc == 1 ? from_row(w->kind, call.result, general) : NULL;

	mem_free(ctx);
	if (c == NULL)
		return rc < 0 ? -1 : unknown(e);
	*ret = c;
	return 0;
}

static const struct lru_ops ops = { value_ref, value_unref, value_fresh,
	value_make };

struct keys *
keys_new(struct db_pool *db, unsigned capacity)
{
	struct keys *ks = mem_new(NULL, struct keys);

	ks->db = db;
	ks->lru = lru_new(capacity, &ops);
	ks->absent = absent_new(ABSENT_PLACES);
	return ks;
}

void
keys_free(struct keys *ks)
{
	if (ks == NULL)
		return;
	lru_free(ks->lru);
	absent_free(ks->absent);
	mem_free(ks);
}

void
keys_stats(struct keys *ks, struct lru_stats *out)
{
	lru_stats(ks->lru, out);
}

bool
key_well_formed(enum key_kind kind, const char *text)
{
	const char *prefix = prefixes[kind];
	size_t n;

	if (!str_starts(text, prefix))
		return false;
	text += strlen(prefix);
	n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789-_");
	return n <= SECRET_MAX && text[n] == '\0' &&
	       (kind == KEY_API ? n == SECRET_MAX : n >= SECRET_MIN);
}

int
keys_find(struct keys *ks, enum key_kind kind, const char *secret,
    int64_t deadline, const struct key **ret, struct err *e)
{
	struct wanted w = { .keys = ks, .kind = kind };
	char name[2 + 2 * HASH_SIZE + 1];
	const struct key *k;
	void *value;

	if (secret == NULL || !key_well_formed(kind, secret))
		return unknown(e);
	key_hash(secret, w.hash);
	name[0] = kind == KEY_API ? 'a' : 'w';
	name[1] = ':';
	str_hex(w.hash, HASH_SIZE, name + 2);
	if (lru_get(ks->lru, name, &w, deadline, &value, e) != 0)
		return -1;
	k = &((struct counted *)value)->k;
	if (k->expires_us != 0 && k->expires_us <= clock_wall_us()) {
		value_unref(value);
		return unknown(e);
	}
	*ret = k;
	return 0;
}

void
key_unref(const struct key *k)
{
	/* The count is no part of the immutable value. */
	value_unref((void *)(uintptr_t)k);
}

void
key_hash(const char *text, unsigned char hash[HASH_SIZE])
{
	crypto_sha256(text, strlen(text), hash);
}

void
key_make(enum key_kind kind, char text[KEY_TEXT], char prefix[KEY_PREFIX],
    unsigned char hash[HASH_SIZE])
{
	unsigned char secret[SECRET_BYTES];
	char encoded[SECRET_MAX + 1];

	id_random(secret, sizeof(secret));
	str_b64url(secret, sizeof(secret), encoded);
	snprintf(text, KEY_TEXT, "%s%s", prefixes[kind], encoded);
	memcpy(prefix, text, SHOWN);
	prefix[SHOWN] = '\0';
	key_hash(text, hash);
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(encoded, sizeof(encoded));
}
