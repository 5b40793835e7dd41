/* What is signed begins with what it is, so that one kind of word is never
 * taken for another; all that follows has a fixed length. */
#include "audit/sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/hex.h"
#include "audit/store.h"
#include "audit/walk.h"
#include "crypto/hash.h"
#include "secret/secret.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PATIENCE (30 * CLOCK_S)
#define PURPOSE "audit-signing"
#define SEALED_HEX (2 * (SIGN_SEED + SECRET_MORE) + 1)
#define MARK 24
#define MOST (MARK + 16 + 3 * 8 + 2 * CHAIN_HASH + 16)
#define NUMBER 24

static const struct uuid platform;

static unsigned char *
put_int(unsigned char *p, int64_t v)
{
	for (int i = 7; i >= 0; i--)
		*p++ = (unsigned char)((uint64_t)v >> 8 * i);
	return p;
}

static unsigned char *
put(unsigned char *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

static size_t
checkpoint_text(const struct uuid *account, const struct audit_checkpoint *c,
    unsigned char out[MOST])
{
	static const char mark[MARK] = "sb-audit checkpoint 1";
	unsigned char *p = put(out, mark, MARK);

	p = put(p, account->b, 16);
	p = put_int(p, c->seq);
	p = put_int(p, c->at_us);
	p = put(p, c->hash, CHAIN_HASH);
	p = put(p, c->key.b, 16);
	return (size_t)(p - out);
}

static size_t
seal_text(const struct uuid *account, const struct audit_seal *s,
    unsigned char out[MOST])
{
	static const char mark[MARK] = "sb-audit export 1";
	unsigned char *p = put(out, mark, MARK);

	p = put(p, account->b, 16);
	p = put_int(p, s->first);
	p = put(p, s->start, CHAIN_HASH);
	p = put_int(p, s->last);
	p = put(p, s->hash, CHAIN_HASH);
	p = put_int(p, s->at_us);
	p = put(p, s->key.b, 16);
	return (size_t)(p - out);
}

/* --- keys ---------------------------------------------------------------- */

static struct secret_place
place_of_key(const struct uuid *id)
{
	return (struct secret_place){
		.row = *id, .purpose = PURPOSE, .version = 1
	};
}

/* Make a key, unless another process does. */
static int
key_make(struct db_pool *db, struct vault *v, struct err *e)
{
	unsigned char seed[SIGN_SEED], public_key[SIGN_PUBLIC], *sealed = NULL;
	char id[UUID_TEXT], hex[2 * SIGN_PUBLIC + 1], sealed_hex[SEALED_HEX];
	struct db_call call = { .stmt = &audit_store_key_add,
		.param = { id, hex, sealed_hex },
		.nparams = 3 };
	void *ctx = mem_root("audit key");
	struct uuid u;
	int rc;

	id_new(&u);
	id_random(seed, sizeof(seed));
	sign_public(seed, public_key);
	struct secret_place place = place_of_key(&u);

	rc = secret_seal(v, &place, seed, sizeof(seed), clock_mono() + PATIENCE,
	    ctx, &sealed, e);
	crypto_wipe(seed, sizeof(seed));
	if (rc == 0) {
		id_format(&u, id);
		str_hex(public_key, sizeof(public_key), hex);
		str_hex(sealed, SIGN_SEED + SECRET_MORE, sealed_hex);
		rc = db_run(db, DB_CONTROL, &platform, &call, 1,
		    clock_mono() + PATIENCE, ctx, e);
	}
	mem_free(ctx);
	return rc;
}

/* The newest key; its sealed seed, too, unless NULL.  ERR_NOT_FOUND. */
static int
key_find(struct db_pool *db, struct audit_key *out, unsigned char *sealed,
    struct err *e)
{
	struct db_call call = { .stmt = &audit_store_key_newest };
	void *ctx = mem_root("audit key");
	int rc = db_run(
	    db, DB_READ, &platform, &call, 1, clock_mono() + PATIENCE, ctx, e);

	if (rc == 0 && db_rows(call.result) == 0)
		rc = err_set(e, ERR_NOT_FOUND, "no signing key");
	else if (rc == 0 && (db_uuid(call.result, 0, 0, &out->id) != 0 ||
				hex_bytes(db_text(call.result, 0, 1),
				    out->public_key, SIGN_PUBLIC) != 0 ||
				(sealed != NULL &&
				    hex_bytes(db_text(call.result, 0, 2),
					sealed, SIGN_SEED + SECRET_MORE) != 0)))
		rc =
		    err_set(e, ERR_INTERNAL, "the signing key has an odd form");
	mem_free(ctx);
	return rc;
}

static int
key_ready(struct db_pool *db, struct vault *v, struct audit_key *out,
    unsigned char *sealed, struct err *e)
{
	struct err why = { 0 };

	if (key_find(db, out, sealed, &why) == 0)
		return 0;
	if (why.code != ERR_NOT_FOUND) {
		if (e != NULL)
			*e = why;
		return -1;
	}
	if (key_make(db, v, e) != 0)
		return -1;
	return key_find(db, out, sealed, e);
}

int
audit_key_get(
    struct db_pool *db, struct vault *v, struct audit_key *out, struct err *e)
{
	return key_ready(db, v, out, NULL, e);
}

/* The newest key's seed, opened for a moment. */
static int
seed_open(struct db_pool *db, struct vault *v, struct uuid *id,
    struct secret **seed, struct err *e)
{
	unsigned char sealed[SIGN_SEED + SECRET_MORE];
	struct audit_key key;

	if (key_ready(db, v, &key, sealed, e) != 0)
		return -1;
	struct secret_place place = place_of_key(&key.id);

	*id = key.id;
	return secret_open(v, &place, sealed, sizeof(sealed),
	    clock_mono() + PATIENCE, seed, e);
}

int
audit_keys(struct db_pool *db, const void *ctx, struct audit_key **ret, int *n,
    struct err *e)
{
	struct db_call call = { .stmt = &audit_store_keys };
	void *tmp = mem_root("audit keys");
	struct audit_key *keys = NULL;
	int rc = db_run(
	    db, DB_READ, &platform, &call, 1, clock_mono() + PATIENCE, tmp, e);

	*n = rc == 0 ? db_rows(call.result) : 0;
	if (rc == 0)
		keys = mem_array(ctx, struct audit_key, (size_t)*n + 1);
	for (int i = 0; rc == 0 && i < *n; i++)
		if (db_uuid(call.result, i, 0, &keys[i].id) != 0 ||
		    hex_bytes(db_text(call.result, i, 1), keys[i].public_key,
			SIGN_PUBLIC) != 0)
			rc = err_set(
			    e, ERR_INTERNAL, "a signing key has an odd form");
	*ret = keys;
	mem_free(tmp);
	return rc;
}

/* --- checkpoints --------------------------------------------------------- */

int
audit_checkpoint_make(struct db_pool *db, struct vault *v,
    const struct uuid *account, struct err *e)
{
	char id[UUID_TEXT], seq[NUMBER], at[NUMBER], key[UUID_TEXT],
	    hash[2 * CHAIN_HASH + 1], signature[2 * SIGN_SIZE + 1];
	struct db_call call = { .stmt = &audit_store_checkpoint_add,
		.param = { id, seq, at, hash, key, signature },
		.nparams = 6 };
	struct audit_checkpoint c = { .at_us = clock_wall_us() };
	unsigned char text[MOST];
	struct secret *seed;
	void *ctx;
	int rc;

	if (audit_head(db, account, &c.seq, c.hash, e) != 0)
		return -1;
	if (c.seq == 0)
		return 0;
	if (seed_open(db, v, &c.key, &seed, e) != 0)
		return -1;
	sign_make(secret_bytes(seed), text, checkpoint_text(account, &c, text),
	    c.signature);
	secret_free(seed);
	id_format(account, id);
	id_format(&c.key, key);
	snprintf(seq, sizeof(seq), "%" PRId64, c.seq);
	snprintf(at, sizeof(at), "%" PRId64, c.at_us);
	str_hex(c.hash, sizeof(c.hash), hash);
	str_hex(c.signature, sizeof(c.signature), signature);
	ctx = mem_root("checkpoint");
	rc = db_run(
	    db, DB_WRITE, account, &call, 1, clock_mono() + PATIENCE, ctx, e);
	mem_free(ctx);
	return rc;
}

int
audit_seal_make(struct db_pool *db, struct vault *v, const struct uuid *account,
    struct audit_seal *s, struct err *e)
{
	unsigned char text[MOST];
	struct secret *seed;

	if (seed_open(db, v, &s->key, &seed, e) != 0)
		return -1;
	sign_make(secret_bytes(seed), text, seal_text(account, s, text),
	    s->signature);
	secret_free(seed);
	return 0;
}

bool
audit_checkpoint_ok(const struct audit_key *key, const struct uuid *account,
    const struct audit_checkpoint *c)
{
	unsigned char text[MOST];

	return sign_ok(key->public_key, text, checkpoint_text(account, c, text),
	    c->signature);
}

bool
audit_seal_ok(const struct audit_key *key, const struct uuid *account,
    const struct audit_seal *s)
{
	unsigned char text[MOST];

	return sign_ok(
	    key->public_key, text, seal_text(account, s, text), s->signature);
}

int
audit_checkpoints(struct db_pool *db, const struct uuid *account, int64_t first,
    int64_t last, const void *ctx, struct audit_checkpoint **ret, int *n,
    struct err *e)
{
	char id[UUID_TEXT], from[NUMBER], to[NUMBER];
	struct db_call call = { .stmt = &audit_store_checkpoints,
		.param = { id, from, to },
		.nparams = 3 };
	void *tmp = mem_root("checkpoints");
	struct audit_checkpoint *all = NULL;
	int rc;

	id_format(account, id);
	snprintf(from, sizeof(from), "%" PRId64, first);
	snprintf(to, sizeof(to), "%" PRId64, last);
	rc = db_run(
	    db, DB_READ, account, &call, 1, clock_mono() + PATIENCE, tmp, e);
	*n = rc == 0 ? db_rows(call.result) : 0;
	if (rc == 0)
		all = mem_array(ctx, struct audit_checkpoint, (size_t)*n + 1);
	for (int i = 0; rc == 0 && i < *n; i++) {
		all[i].seq = db_int(call.result, i, 0);
		all[i].at_us = db_int(call.result, i, 1);
		if (hex_bytes(db_text(call.result, i, 2), all[i].hash,
			CHAIN_HASH) != 0 ||
		    db_uuid(call.result, i, 3, &all[i].key) != 0 ||
		    hex_bytes(db_text(call.result, i, 4), all[i].signature,
			SIGN_SIZE) != 0)
			rc = err_set(
			    e, ERR_INTERNAL, "a checkpoint has an odd form");
	}
	*ret = all;
	mem_free(tmp);
	return rc;
}
