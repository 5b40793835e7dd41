/* The secrets of an account are few: a token that does not say which of them
 * has signed it is tried with each. */
#include "auth/visitor.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "auth/store.h"
#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "db/db.h"
#include "secret/secret.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PREFIX "sb_vis_"
#define SECRET_BYTES 32
#define SECRET_CHARS 43
#define SHOWN 11
#define PURPOSE "visitor-secret"
#define SECOND_US INT64_C(1000000)
#define LIFE_MAX 3600 /* seconds that a token may still be good for */
#define NAME_CHARS 200
#define EMAIL_CHARS 254

_Static_assert(sizeof(PREFIX) - 1 + SECRET_CHARS <= JWT_KEY,
    "a secret's text is a key as it stands");

void
visitor_secret_make(
    char text[VISITOR_SECRET_TEXT], char prefix[VISITOR_SECRET_PREFIX])
{
	unsigned char secret[SECRET_BYTES];
	char encoded[SECRET_CHARS + 1];

	id_random(secret, sizeof(secret));
	str_b64url(secret, sizeof(secret), encoded);
	snprintf(text, VISITOR_SECRET_TEXT, PREFIX "%s", encoded);
	memcpy(prefix, text, SHOWN);
	prefix[SHOWN] = '\0';
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(encoded, sizeof(encoded));
}

/* A row's secret is never another one. */
static struct secret_place
place_of(const struct uuid *account, const struct uuid *id)
{
	return (struct secret_place){ .account = *account,
		.row = *id,
		.purpose = PURPOSE,
		.version = 1 };
}

int
visitor_secret_seal(struct vault *v, const struct uuid *account,
    const struct uuid *id, const char *text, int64_t deadline, const void *ctx,
    unsigned char **sealed, size_t *n, struct err *e)
{
	struct secret_place place = place_of(account, id);

	*n = strlen(text) + SECRET_MORE;
	return secret_seal(
	    v, &place, text, strlen(text), deadline, ctx, sealed, e);
}

/* One token, and what it is tried with. */
struct naming {
	struct db_pool *db;
	struct vault *vault;
	const struct uuid *account;
	const char *slug, *token;
	int64_t deadline;
	const struct secret *key;
	char account_text[UUID_TEXT];
};

static bool
key_of(void *arg, const char *kid, unsigned char out[JWT_KEY])
{
	const struct naming *n = arg;
	size_t len = secret_len(n->key);

	(void)kid; /* it has chosen the row */
	if (len > JWT_KEY)
		return false;
	memset(out, 0, JWT_KEY);
	memcpy(out, secret_bytes(n->key), len);
	return true;
}

static struct jwt_policy
policy_of(struct naming *n)
{
	return (struct jwt_policy){ .foreign = true,
		.aud = n->slug,
		.now = clock_wall_us() / SECOND_US,
		.key = key_of,
		.arg = n };
}

/* The row's sealed secret, which stands there in hexadecimal. */
static size_t
sealed_of(
    const struct db_result *r, int row, const void *ctx, unsigned char **sealed)
{
	const char *hex = db_text(r, row, 1);
	size_t n = db_len(r, row, 1) / 2;

	*sealed = mem_array(ctx, unsigned char, n + 1);
	for (size_t i = 0; i < n; i++)
		(*sealed)[i] = (unsigned char)(str_hex_digit(hex[2 * i]) << 4 |
					       str_hex_digit(hex[2 * i + 1]));
	return n;
}

/* 1 with the claims: the row's secret has signed them; 0 it has not; -1. */
static int
try_row(struct naming *n, const struct db_result *r, int row, const void *ctx,
    struct uuid *secret, json_t **claims, struct err *e)
{
	struct jwt_policy policy = policy_of(n);
	struct secret_place place;
	struct secret *opened;
	unsigned char *sealed;
	struct err why = { 0 };
	size_t len;
	int rc;

	if (db_uuid(r, row, 0, secret) != 0)
		return err_set(e, ERR_INTERNAL, "a secret without an id");
	len = sealed_of(r, row, ctx, &sealed);
	place = place_of(n->account, secret);
	if (secret_open(
		n->vault, &place, sealed, len, n->deadline, &opened, e) != 0)
		return -1;
	n->key = opened;
	rc = jwt_verify(&policy, n->token, claims, &why);
	n->key = NULL;
	secret_free(opened);
	return rc == 0 ? 1 : 0;
}

/* The claims of a token that one of the account's secrets has signed. */
static int
find_claims(struct naming *n, const void *ctx, struct uuid *secret,
    json_t **claims, struct err *e)
{
	struct db_call call = { .stmt = &auth_store_visitor_secrets,
		.param = { n->account_text },
		.nparams = 1 };
	struct jwt_policy policy = policy_of(n);
	char kid[JWT_KID_MAX + 1];
	int rc = 0;

	if (jwt_head(&policy, n->token, kid, e) != 0 ||
	    db_run(n->db, DB_CONTROL, n->account, &call, 1, n->deadline, ctx,
		e) != 0)
		return -1;
	for (int i = 0; rc == 0 && i < db_rows(call.result); i++)
		if (kid[0] == '\0' ||
		    strcmp(kid, db_text(call.result, i, 0)) == 0)
			rc = try_row(n, call.result, i, ctx, secret, claims, e);
	if (rc == 0)
		return err_set(e, ERR_UNKNOWN, "The token is not valid.");
	return rc < 0 ? -1 : 0;
}

/* From here on the account's own server is told what it did wrong. */
static int
wrong(struct err *e, const char *what)
{
	return err_set(e, ERR_UNKNOWN, "the visitor token's %s", what);
}

static size_t
chars_of(const char *utf8)
{
	size_t n = 0;

	for (; *utf8 != '\0'; utf8++)
		n += ((unsigned char)*utf8 & 0xc0) != 0x80;
	return n;
}

/* *out NULL where the claim may be absent and is. */
static int
text_claim(const json_t *claims, const char *name, bool needed, size_t most,
    const char **out, struct err *e)
{
	const json_t *v = json_object_get(claims, name);
	const char *text = json_string_value(v);
	char what[80];
	size_t n;

	*out = text;
	if ((v == NULL || json_is_null(v)) && !needed)
		return 0;
	snprintf(what, sizeof(what), "%s must be a text of 1 to %zu characters",
	    name, most);
	if (text == NULL)
		return wrong(e, what);
	n = json_string_length(v);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return wrong(e, what);
	n = chars_of(text);
	return n >= 1 && n <= most ? 0 : wrong(e, what);
}

/* What is known of her. */
struct claimed {
	const char *sub, *name, *email;
};

static int
read_claims(const json_t *claims, struct claimed *out, struct err *e)
{
	double exp = json_number_value(json_object_get(claims, "exp"));
	int64_t now = clock_wall_us() / SECOND_US;

	if (exp > (double)(now + LIFE_MAX + JWT_LEEWAY))
		return wrong(e, "exp must be within an hour from now");
	if (text_claim(claims, "sub", true, NAME_CHARS, &out->sub, e) != 0 ||
	    text_claim(claims, "name", false, NAME_CHARS, &out->name, e) != 0 ||
	    text_claim(claims, "email", false, EMAIL_CHARS, &out->email, e) !=
		0)
		return -1;
	if (out->email != NULL && strchr(out->email + 1, '@') == NULL)
		return wrong(e, "email must be an e-mail address");
	return 0;
}

/* The same visitor has the same id, whatever worker sees her first. */
static struct uuid
id_of(const struct uuid *account, const char *sub, const void *ctx)
{
	size_t n = strlen(sub), size = sizeof(account->b) + n;
	unsigned char *both = mem_array(ctx, unsigned char, size), hash[32];
	struct uuid id;

	memcpy(both, account->b, sizeof(account->b));
	memcpy(both + sizeof(account->b), sub, n);
	crypto_sha256(both, size, hash);
	memcpy(id.b, hash, sizeof(id.b));
	id.b[6] = (uint8_t)(0x80 | (id.b[6] & 0x0f)); /* version 8 */
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
	return id;
}

static int
keep(const struct naming *n, const struct uuid *id, const struct claimed *c,
    const void *ctx, struct err *e)
{
	char text[UUID_TEXT];
	struct db_call call = { .stmt = &auth_store_visitor_seen,
		.param = { n->account_text, text, c->sub, c->name, c->email },
		.nparams = 5 };

	id_format(id, text);
	return db_run(
	    n->db, DB_WRITE, n->account, &call, 1, n->deadline, ctx, e);
}

int
visitor_named(struct db_pool *db, struct vault *v, const struct uuid *account,
    const char *slug, const char *token, int64_t deadline, struct visitor *out,
    struct err *e)
{
	struct naming n = { .db = db,
		.vault = v,
		.account = account,
		.slug = slug,
		.token = token,
		.deadline = deadline };
	void *ctx = mem_root("visitor");
	json_auto_t *claims = NULL;
	struct claimed c;
	int rc;

	id_format(account, n.account_text);
	rc = find_claims(&n, ctx, &out->secret, &claims, e);
	if (rc == 0)
		rc = read_claims(claims, &c, e);
	if (rc == 0) {
		out->id = id_of(account, c.sub, ctx);
		rc = keep(&n, &out->id, &c, ctx, e);
	}
	mem_free(ctx);
	return rc;
}
