/*
 * Keys by their hash, through an LRU.  The cache's name for a key is its kind
 * and the whole SHA-256 in hex: no text of a key is kept anywhere, and no two
 * keys can share an entry.
 */
#include "auth/key.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "account/proof.h"
#include "account/tiers.h"
#include "auth/store.h"
#include "auth/token.h"
#include "cache/row.h"
#include "crypto/hash.h"
#include "shm/epoch.h"
#include "shm/person.h"
#include "util/clock.h"
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
	struct tier *tier;
};

/* What the cache counts; the public part first. */
struct counted {
	struct key k;
	atomic_uint refs;
};

/* What a make needs beside its name. */
struct wanted {
	enum key_kind kind;
	unsigned char hash[HASH_SIZE];
	const struct token *token;  /* KEY_USER */
	const struct uuid *account; /* KEY_USER: NULL none */
	char user_text[UUID_TEXT], account_text[UUID_TEXT], version_text[24];
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

	return epoch_current(k->account_slot, k->epoch) &&
	       (k->kind != KEY_USER ||
		   person_current(k->user_slot, k->version));
}

static uint32_t
value_slot(const void *value)
{
	return ((const struct key *)value)->account_slot;
}

/* The role in column 3, and in column 8 what it may if it is an account's
 * own. */
static bool
role_of(struct key *k, const struct row *r)
{
	const char *name = row_text(r, 3);

	if (k->kind == KEY_USER && row_null(r, 3))
		name = role_name(ROLE_NONE);
	snprintf(k->role_name, sizeof(k->role_name), "%s", name);
	if (k->kind == KEY_USER && row_null(r, 3)) {
		k->role = ROLE_NONE;
		k->perms = perm_of_role(ROLE_NONE);
		return true;
	}
	if (role_parse(name, &k->role) == 0) {
		k->perms = perm_of_role(k->role);
		return k->kind != KEY_API || role_for_key(k->role);
	}
	if (r->n <= 8 || row_null(r, 8))
		return false;
	k->role = ROLE_CUSTOM;
	k->perms = perm_set_parse(row_text(r, 8));
	return true;
}

static void
read_secrets(struct counted *c, const char *json)
{
	char **list = origin_list(c, json, &c->k.nvisitor_secrets);
	int n = c->k.nvisitor_secrets;

	c->k.visitor_secrets = mem_array(c, struct uuid, (size_t)n + 1);
	for (int i = 0; i < n; i++)
		(void)id_parse(
		    list[i], strlen(list[i]), &c->k.visitor_secrets[i]);
	mem_free(list);
}

/* Does the account want a second factor of this person?  ${roles} has names of
 * roles, or * for everybody, or + for whoever manages the account. */
static bool
wants_factor(const struct key *k, const char *roles)
{
	const perm_set managing =
	    perm_bit(PERM_ACCOUNT_WRITE) | perm_bit(PERM_USER_WRITE) |
	    perm_bit(PERM_KEY_WRITE) | perm_bit(PERM_ROLE_WRITE);
	size_t n;

	for (; *roles != '\0'; roles += n + strspn(roles + n, " ")) {
		n = strcspn(roles, " ");
		if ((n == 1 && *roles == '*') ||
		    (n == 1 && *roles == '+' && (k->perms & managing) != 0) ||
		    (n == strlen(k->role_name) &&
			memcmp(roles, k->role_name, n) == 0))
			return true;
	}
	return false;
}

/* The columns of the statements of auth/store.c.  A row that no key may be
 * made of is no key. */
static int
value_make(void *arg, const struct row *r, void **ret, struct err *e)
{
	const struct wanted *w = arg;
	struct counted *c = mem_new(NULL, struct counted);
	struct key *k = &c->k;

	atomic_init(&c->refs, 1);
	k->kind = w->kind;
	if (row_uuid(r, 0, &k->id) != 0 ||
	    (row_uuid(r, 1, &k->account_id) != 0 && w->kind != KEY_USER) ||
	    !role_of(k, r) ||
	    (!row_null(r, 5) && row_uuid(r, 5, &k->agent_id) != 0)) {
		mem_free(c);
		return unknown(e);
	}
	if (w->kind == KEY_USER) {
		k->user_slot = w->token->slot;
		k->version = w->token->version;
		k->wants_factor = r->n > 9 && wants_factor(k, row_text(r, 9));
	}
	k->account_slot = (uint32_t)row_int(r, 2);
	k->expires_us = row_int(r, 4);
	k->origins = origin_list(c, row_text(r, 6), &k->norigins);
	if (w->kind == KEY_WIDGET && !row_null(r, 8)) {
		k->agent_type = mem_strdup(c, row_text(r, 8));
		k->agent_name = mem_strdup(c, row_text(r, 9));
	}
	if (k->kind == KEY_WIDGET) {
		k->appearance = mem_strdup(c, row_text(r, 10));
		read_secrets(c, row_text(r, 11));
	}
	k->epoch = (uint64_t)row_int(r, 7);
	*ret = c;
	return 0;
}

static void
ask_user(struct wanted *w, struct db_call *call)
{
	call->stmt = &auth_store_person;
	call->param[0] = w->user_text;
	call->param[1] = w->version_text;
	call->param[2] = w->account != NULL ? w->account_text : NULL;
	call->nparams = 3;
}

static void
ask(void *arg, const char *name, struct db_call *call,
    const struct uuid **account)
{
	struct wanted *w = arg;

	(void)name;
	(void)account;
	if (w->kind == KEY_USER) {
		ask_user(w, call);
		return;
	}
	call->stmt =
	    w->kind == KEY_API ? &auth_store_api_key : &auth_store_widget_key;
	call->param[0] = (const char *)w->hash;
	call->plen[0] = HASH_SIZE;
	call->binary = 1;
	call->nparams = 1;
}

static const struct tier_ops ops = { .kind = WARM_KEY,
	.slot = 2,
	.epoch = 7,
	.platform = -1,
	.ref = value_ref,
	.unref = value_unref,
	.fresh = value_fresh,
	.slot_of = value_slot,
	.ask = ask,
	.make = value_make,
	.none = unknown };

struct keys *
keys_new(const struct tiers *tiers, unsigned hot)
{
	struct keys *ks = mem_new(NULL, struct keys);

	ks->tier = tier_new(tiers, &ops, hot, ABSENT_PLACES);
	return ks;
}

void
keys_free(struct keys *ks)
{
	if (ks == NULL)
		return;
	tier_free(ks->tier);
	mem_free(ks);
}

void
keys_tell(struct keys *ks)
{
	tier_tell(ks->tier);
}

void
keys_stats(struct keys *ks, struct lru_stats *out)
{
	tier_stats(ks->tier, out);
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
	unsigned char hash[HASH_SIZE];

	if (secret == NULL || !key_well_formed(kind, secret))
		return unknown(e);
	key_hash(secret, hash);
	return keys_find_hash(ks, kind, hash, deadline, ret, e);
}

int
keys_find_hash(struct keys *ks, enum key_kind kind,
    const unsigned char hash[HASH_SIZE], int64_t deadline,
    const struct key **ret, struct err *e)
{
	struct wanted w = { .kind = kind };
	char name[2 + 2 * HASH_SIZE + 1];
	const struct key *k;
	void *value;

	memcpy(w.hash, hash, HASH_SIZE);
	name[0] = kind == KEY_API ? 'a' : 'w';
	name[1] = ':';
	str_hex(w.hash, HASH_SIZE, name + 2);
	if (tier_get(ks->tier, name, NULL, &w, deadline, &value, e) != 0)
		return -1;
	k = &((struct counted *)value)->k;
	if (k->expires_us != 0 && k->expires_us <= clock_wall_us()) {
		value_unref(value);
		return unknown(e);
	}
	*ret = k;
	return 0;
}

/*
 * The version is a part of the name, so what was cached for an older token
 * never answers for a newer one, nor the other way round.  While nobody hears
 * of changes it is good for a second: the database is asked again, unless that
 * does not answer.
 */
int
keys_find_user(struct keys *ks, const struct token *t,
    const struct uuid *account, int64_t deadline, const struct key **ret,
    struct err *e)
{
	static const struct uuid none;
	struct wanted w = { .kind = KEY_USER, .token = t, .account = account };
	int64_t now = clock_mono(), second = 0;
	char name[2 * UUID_TEXT + 48];
	void *value;

	id_format(&t->user, w.user_text);
	id_format(account != NULL ? account : &none, w.account_text);
	snprintf(w.version_text, sizeof(w.version_text), "%llu",
	    (unsigned long long)t->version);
	if (epoch_known(0) < now - PROOF_NS && !epoch_away())
		second = now / CLOCK_S;
	snprintf(name, sizeof(name), "u:%s:%s:%s:%lld", w.user_text,
	    w.version_text, w.account_text, (long long)second);
	if (tier_get(ks->tier, name, NULL, &w, deadline, &value, e) != 0)
		return -1;
	*ret = &((struct counted *)value)->k;
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
