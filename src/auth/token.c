/*
 * The key of a row of the table is derived from its name, so the table holds no
 * secret and a worker has to read only names.  While master keys are exchanged
 * there is one from each of them: a kid is the row's name and that of the
 * master key.
 */
#include "auth/token.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "auth/master.h"
#include "auth/store.h"
#include "auth/token_priv.h"
#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "db/db.h"
#include "secret/purpose.h"
#include "shm/person.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define TYP "at+jwt" /* RFC 9068 */
#define TYP_BROWSER "sb-browser+jwt"
#define ISSUER_PREFIX "urn:uuid:"
#define AUDIENCE "switchboard"
#define KEYS_MAX 16
#define KID_ROW 32 /* characters of a row's name */
#define ROOT 32
#define ROOT_NAME 8 /* bytes of a master key's name */
#define LIFE_MAX                                                               \
	"3660" /* seconds: the longest access_token_life, and leeway           \
	        */
#define SECOND_US INT64_C(1000000)
#define AGAIN CLOCK_S /* an unknown key is asked for so often */
#define REFRESH_PREFIX "sb_ref_"
#define REFRESH_BYTES 32
#define REFRESH_CHARS 43

struct signing_key {
	char kid[JWT_KID_MAX + 1];
	unsigned char key[JWT_KEY];
	int64_t until_us; /* 0: not retired */
};

struct tokens {
	struct db_pool *db;
	char *master_key_file;
	pthread_rwlock_t lock; /* guards what follows */
	struct signing_key key[KEYS_MAX * MASTER_MOST];
	int nkeys; /* the newest of the master key in use first: it signs */
	char issuer[64];
	_Atomic(int64_t) asked;
};

int
tokens_new(struct db_pool *db, const char *master_key_file, struct tokens **ret,
    struct err *e)
{
	struct tokens *ts = mem_new(NULL, struct tokens);
	unsigned char root[MASTER_MOST][ROOT];

	ts->db = db;
	ts->master_key_file = mem_strdup(ts, master_key_file);
	if (master_derive_all(master_key_file, PURPOSE_JWT, root, e) < 0) {
		mem_free(ts);
		return -1;
	}
	crypto_wipe(root, sizeof(root));
	pthread_rwlock_init(&ts->lock, NULL);
	*ret = ts;
	return 0;
}

void
tokens_free(struct tokens *ts)
{
	if (ts == NULL)
		return;
	pthread_rwlock_destroy(&ts->lock);
	crypto_wipe(ts->key, sizeof(ts->key));
	mem_free(ts);
}

/* The keys of the rows, of one master key; its name tells them from others. */
static void
add_keys(struct tokens *ts, const struct db_result *r,
    const unsigned char root[ROOT])
{
	unsigned char hash[32];
	char name[2 * ROOT_NAME + 1];

	crypto_hmac_sha256(root, ROOT, "name", 4, hash);
	str_hex(hash, ROOT_NAME, name);
	for (int i = 0; i < db_rows(r) && i < KEYS_MAX; i++) {
		struct signing_key *k = &ts->key[ts->nkeys++];

		snprintf(k->kid, sizeof(k->kid), "%.*s-%s", KID_ROW,
		    db_text(r, i, 0), name);
		k->until_us = db_int(r, i, 1);
		/* the rest of the place stays zero */
		crypto_hmac_sha256(root, ROOT, k->kid, strlen(k->kid), k->key);
	}
}

int
tokens_read(struct tokens *ts, int64_t deadline, struct err *e)
{
	struct db_call call = { .stmt = &auth_store_signing_keys };
	unsigned char root[MASTER_MOST][ROOT];
	void *ctx = mem_root("signing keys");
	int n = master_derive_all(ts->master_key_file, PURPOSE_JWT, root, e);

	if (n < 0 ||
	    db_run(ts->db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0) {
		crypto_wipe(root, sizeof(root));
		mem_free(ctx);
		return -1;
	}
	pthread_rwlock_wrlock(&ts->lock);
	ts->nkeys = 0;
	for (int i = 0; i < n; i++)
		add_keys(ts, call.result, root[i]);
	if (db_rows(call.result) > 0)
		snprintf(ts->issuer, sizeof(ts->issuer), ISSUER_PREFIX "%s",
		    db_text(call.result, 0, 2));
	pthread_rwlock_unlock(&ts->lock);
	crypto_wipe(root, sizeof(root));
	mem_free(ctx);
	return 0;
}

int
tokens_sign(struct tokens *ts, const char *typ, int64_t seconds, json_t *claims,
    const void *ctx, char **ret, struct err *e)
{
	int64_t now = clock_wall_us() / SECOND_US;
	struct signing_key k = { .kid = "" };
	char issuer[sizeof(ts->issuer)];

	pthread_rwlock_rdlock(&ts->lock);
	if (ts->nkeys > 0)
		k = ts->key[0];
	memcpy(issuer, ts->issuer, sizeof(issuer));
	pthread_rwlock_unlock(&ts->lock);
	if (k.kid[0] == '\0')
		return err_set(
		    e, ERR_UNAVAILABLE, "there is no key to sign a token with");
	json_object_set_new(claims, "iss", json_string(issuer));
	json_object_set_new(claims, "iat", json_integer(now));
	json_object_set_new(claims, "exp", json_integer(now + seconds));
	*ret = jwt_sign(ctx, typ, k.kid, k.key, claims);
	crypto_wipe(k.key, sizeof(k.key));
	return 0;
}

static int
make(struct tokens *ts, const char *typ, const struct token *t, int64_t seconds,
    const void *ctx, char **ret, struct err *e)
{
	char user[UUID_TEXT], sign_in[UUID_TEXT];
	json_auto_t *claims = NULL;

	id_format(&t->user, user);
	id_format(&t->sign_in, sign_in);
	claims = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I}", "aud", AUDIENCE,
	    "sub", user, "sid", sign_in, "mfa", (int)t->factor, "slot",
	    (json_int_t)t->slot, "ver", (json_int_t)t->version);
	return tokens_sign(ts, typ, seconds, claims, ctx, ret, e);
}

int
token_make(struct tokens *ts, const struct token *t, int64_t seconds,
    const void *ctx, char **ret, struct err *e)
{
	return make(ts, TYP, t, seconds, ctx, ret, e);
}

int
token_make_browser(struct tokens *ts, const struct token *t, int64_t seconds,
    const void *ctx, char **ret, struct err *e)
{
	return make(ts, TYP_BROWSER, t, seconds, ctx, ret, e);
}

int
tokens_installation(
    struct tokens *ts, char out[INSTALLATION_TEXT], struct err *e)
{
	char issuer[sizeof(ts->issuer)];

	pthread_rwlock_rdlock(&ts->lock);
	memcpy(issuer, ts->issuer, sizeof(issuer));
	pthread_rwlock_unlock(&ts->lock);
	if (!str_starts(issuer, ISSUER_PREFIX))
		return err_set(e, ERR_UNAVAILABLE,
		    "the installation's id is not known yet");
	snprintf(
	    out, INSTALLATION_TEXT, "%.8s", issuer + sizeof(ISSUER_PREFIX) - 1);
	return 0;
}

bool
token_form(const char *text)
{
	return strchr(text, '.') != NULL;
}

/* A signing key that is still good; for jwt_verify. */
static bool
key_of(void *arg, const char *kid, unsigned char out[JWT_KEY])
{
	struct tokens *ts = arg;
	bool found = false;

	pthread_rwlock_rdlock(&ts->lock);
	for (int i = 0; i < ts->nkeys && !found; i++) {
		const struct signing_key *k = &ts->key[i];

		found = strcmp(k->kid, kid) == 0 &&
		        (k->until_us == 0 || clock_wall_us() < k->until_us);
		if (found)
			memcpy(out, k->key, JWT_KEY);
	}
	pthread_rwlock_unlock(&ts->lock);
	return found;
}

static int
verify(struct tokens *ts, const char *typ, const char *aud, const char *text,
    json_t **claims, struct err *e)
{
	char issuer[sizeof(ts->issuer)];
	struct jwt_policy p = { .typ = typ,
		.iss = issuer,
		.aud = aud,
		.now = clock_wall_us() / SECOND_US,
		.key = key_of,
		.arg = ts };

	pthread_rwlock_rdlock(&ts->lock);
	memcpy(issuer, ts->issuer, sizeof(issuer));
	pthread_rwlock_unlock(&ts->lock);
	return jwt_verify(&p, text, claims, e);
}

/* A token may be signed with a key made a moment ago.  One caller a second
 * looks: forged tokens must not become queries. */
static bool
look_again(struct tokens *ts, int64_t deadline)
{
	int64_t now = clock_mono(), asked = atomic_load(&ts->asked);

	return now - asked >= AGAIN &&
	       atomic_compare_exchange_strong(&ts->asked, &asked, now) &&
	       tokens_read(ts, deadline, NULL) == 0;
}

int
tokens_verify(struct tokens *ts, const char *typ, const char *aud,
    const char *text, int64_t deadline, json_t **claims, struct err *e)
{
	if (verify(ts, typ, aud, text, claims, e) == 0)
		return 0;
	return look_again(ts, deadline) ? verify(ts, typ, aud, text, claims, e)
	                                : -1;
}

int
token_id_claim(const json_t *claims, const char *name, struct uuid *out)
{
	const json_t *v = json_object_get(claims, name);

	return json_is_string(v)
	           ? id_parse(json_string_value(v), json_string_length(v), out)
	           : -1;
}

static int
int_claim(const json_t *claims, const char *name, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(claims, name);

	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= 1 && *out <= max ? 0 : -1;
}

static int
check(struct tokens *ts, const char *typ, const char *text, int64_t deadline,
    struct token *out, struct err *e)
{
	json_auto_t *claims = NULL;
	int64_t slot, version;

	if (tokens_verify(ts, typ, AUDIENCE, text, deadline, &claims, e) != 0)
		return -1;
	if (token_id_claim(claims, "sub", &out->user) != 0 ||
	    token_id_claim(claims, "sid", &out->sign_in) != 0 ||
	    int_claim(claims, "slot", UINT32_MAX, &slot) != 0 ||
	    int_claim(claims, "ver", INT64_MAX, &version) != 0 ||
	    !person_current((uint32_t)slot, (uint64_t)version))
		return err_set(e, ERR_UNKNOWN, "The token is not valid.");
	out->slot = (uint32_t)slot;
	out->version = (uint64_t)version;
	out->factor = json_is_true(json_object_get(claims, "mfa"));
	return 0;
}

int
token_check(struct tokens *ts, const char *text, int64_t deadline,
    struct token *out, struct err *e)
{
	return check(ts, TYP, text, deadline, out, e);
}

int
token_check_browser(struct tokens *ts, const char *text, int64_t deadline,
    struct token *out, struct err *e)
{
	return check(ts, TYP_BROWSER, text, deadline, out, e);
}

int
tokens_rotate(struct db_pool *db, bool now, int64_t deadline,
    char kid[SIGNING_KID], struct err *e)
{
	unsigned char raw[(SIGNING_KID - 1) / 2];
	struct db_call calls[] = {
		{ .stmt = &auth_store_signing_key_retire,
		    .param = { now ? "0" : LIFE_MAX },
		    .nparams = 1 },
		{ .stmt = &auth_store_signing_key_add,
		    .param = { kid },
		    .nparams = 1 },
	};
	void *ctx = mem_root("rotate");
	int rc;

	id_random(raw, sizeof(raw));
	str_hex(raw, sizeof(raw), kid);
	rc = db_run(db, DB_WRITE, NULL, calls, 2, deadline, ctx, e);
	mem_free(ctx);
	return rc;
}

int
person_read_all(struct db_pool *db, int64_t deadline, struct err *e)
{
	struct db_call call = { .stmt = &auth_store_person_versions };
	void *ctx = mem_root("person versions");
	int rc;

	rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	for (int i = 0; rc == 0 && i < db_rows(call.result); i++)
		person_raise((uint32_t)db_int(call.result, i, 0),
		    (uint64_t)db_int(call.result, i, 1));
	mem_free(ctx);
	return rc;
}

void
refresh_make(char text[REFRESH_TEXT], unsigned char hash[32])
{
	unsigned char secret[REFRESH_BYTES];
	char encoded[REFRESH_CHARS + 1];

	id_random(secret, sizeof(secret));
	str_b64url(secret, sizeof(secret), encoded);
	snprintf(text, REFRESH_TEXT, REFRESH_PREFIX "%s", encoded);
	crypto_sha256(text, strlen(text), hash);
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(encoded, sizeof(encoded));
}

int
refresh_hash(const char *text, unsigned char hash[32])
{
	if (strnlen(text, REFRESH_TEXT) !=
		sizeof(REFRESH_PREFIX) - 1 + REFRESH_CHARS ||
	    !str_starts(text, REFRESH_PREFIX))
		return -1;
	crypto_sha256(text, strlen(text), hash);
	return 0;
}
