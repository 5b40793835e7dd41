/* A logout token is an ID token's sibling: signed by the same keys, and checked
 * as strictly. */
#include "sso/logout.h"

#include <string.h>

#include "audit/audit.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "secret/secret.h"
#include "sso/claims.h"
#include "sso/exchange.h"
#include "sso/flow.h"
#include "sso/sso_priv.h"
#include "sso/store.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define TYP "logout+jwt"
#define JTI_S (2 * 3600) /* how long an id is remembered, beyond its token */
#define TOKEN_LIFE_MAX 3600
#define LOCATION_MAX ((size_t)32 * 1024)

static const char *
text_of(const json_t *claims, const char *name)
{
	return json_string_value(json_object_get(claims, name));
}

/* The sign-ins end, and that is written down, where the token's id is new. */
static int
sign_out(struct sso *s, const struct sso_connection *c, const json_t *claims,
    const struct audit_entry *who, int64_t deadline, const void *ctx,
    struct err *e)
{
	json_auto_t *after = NULL;
	char account[UUID_TEXT];
	const char *sub = text_of(claims, "sub"), *sid = text_of(claims, "sid");
	struct db_call calls[2] = { { .stmt = &sso_store_sign_out,
	    .param = { account, c->issuer, sub, sid },
	    .nparams = 4 } };
	struct audit_entry entry = *who;

	id_format(&c->account, account);
	after = json_pack("{s:s, s:s?, s:s?}", "issuer", c->issuer, "subject",
	    sub, "sid", sid);
	entry.action = "sso.sign_out";
	entry.actor_kind = "system";
	entry.object_kind = "sso";
	entry.object_id = account;
	entry.after = after;
	audit_call(ctx, &c->account, &entry, &calls[1]);
	return db_run(
	    s->db, DB_CONTROL, &c->account, calls, 2, deadline, ctx, e);
}

/* Each token counts once. */
static int
check_replay(struct sso *s, const struct sso_connection *c,
    const json_t *claims, int64_t deadline, const void *ctx, struct err *e)
{
	struct hash_run *h = crypto_sha256_begin();
	const char *jti = text_of(claims, "jti");
	unsigned char hash[32];
	bool first;

	crypto_sha256_add(h, "jti", 4);
	crypto_sha256_add(h, c->issuer, strlen(c->issuer) + 1);
	crypto_sha256_add(h, jti, strlen(jti));
	crypto_sha256_end(h, hash);
	if (sso_spend(s, &c->account, hash, JTI_S, deadline, ctx, &first, e) !=
	    0)
		return -1;
	return first ? 0
	             : err_set(
			   e, ERR_UNKNOWN, "The logout token was used before.");
}

/* One that is good for longer than its id is remembered could come again. */
static int
check_life(const json_t *claims, int64_t now, struct err *e)
{
	double exp = json_number_value(json_object_get(claims, "exp"));

	return exp <= (double)(now + TOKEN_LIFE_MAX)
	           ? 0
	           : err_set(e, ERR_UNKNOWN,
			 "The logout token is good for too long.");
}

static int
told(struct sso *s, const struct sso_connection *c, struct provider *p,
    const char *token, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct err *e)
{
	json_auto_t *claims = NULL;
	struct claims_wanted w = { .issuer = c->issuer,
		.client_id = c->client_id,
		.now = clock_wall_us() / 1000000 };

	if (provider_verify(s->providers, p, token, TYP, deadline, &claims,
		&w.alg, e) != 0 ||
	    claims_logout_token(&w, claims, e) != 0 ||
	    check_life(claims, w.now, e) != 0 ||
	    check_replay(s, c, claims, deadline, ctx, e) != 0)
		return -1;
	return sign_out(s, c, claims, who, deadline, ctx, e);
}

int
sso_told(struct sso *s, const struct uuid *account, const char *token,
    const struct audit_entry *who, int64_t deadline, struct err *e)
{
	void *ctx = mem_root("sso told");
	struct sso_connection c;
	struct provider *p = NULL;
	int rc = sso_connection_get(s, account, deadline, ctx, &c, e);

	if (rc > 0 && c.front) {
		sso_connection_free(&c);
		rc = 0;
	}
	if (rc == 0)
		rc = sso_not_here(e);
	else if (rc > 0) {
		rc = providers_get(
		    s->providers, account, c.issuer, deadline, &p, e);
		if (rc == 0)
			rc = told(s, &c, p, token, who, deadline, ctx, e);
		provider_unref(s->providers, p);
		sso_connection_free(&c);
	}
	mem_free(ctx);
	return rc;
}

/* --- leaving -------------------------------------------------------------- */

static int
location(struct sso *s, const struct sso_connection *c, const char *hint,
    const char *back, int64_t deadline, const void *ctx, const char **ret,
    struct err *e)
{
	const struct discovery *d;
	struct provider *p;
	struct buf b;

	if (providers_get(
		s->providers, &c->account, c->issuer, deadline, &p, e) != 0)
		return -1;
	d = provider_discovery(p);
	buf_init(&b, ctx, LOCATION_MAX);
	if (d->end_session_endpoint != NULL) {
		buf_adds(&b, d->end_session_endpoint);
		if (strchr(b.data, '?') == NULL)
			buf_addc(&b, '?');
		if (hint[0] != '\0')
			exchange_pair(&b, "id_token_hint", hint);
		exchange_pair(&b, "client_id", c->client_id);
		exchange_pair(&b, "post_logout_redirect_uri", back);
	}
	if (b.len > 0 && !buf_failed(&b))
		*ret = b.data;
	provider_unref(s->providers, p);
	return 0;
}

static int
open_hint(struct sso *s, const struct uuid *account, const struct uuid *sign_in,
    const struct db_result *r, int64_t deadline, const void *ctx, char **ret,
    struct err *e)
{
	struct secret_place place = { .account = *account,
		.row = *sign_in,
		.purpose = SSO_PURPOSE_TOKEN,
		.version = 1 };
	size_t n = db_len(r, 0, 2);
	struct secret *secret;

	if (secret_open(s->vault, &place, sso_unhex(ctx, db_text(r, 0, 2), n),
		n / 2, deadline, &secret, e) != 0)
		return -1;
	*ret = mem_strndup(
	    ctx, (const char *)secret_bytes(secret), secret_len(secret));
	secret_free(secret);
	return 0;
}

int
sso_leave(struct sso *s, const struct uuid *sign_in, const char *back,
    int64_t deadline, const void *ctx, const char **ret, struct err *e)
{
	char id[UUID_TEXT], *hint;
	struct db_call call = {
		.stmt = &sso_store_kept, .param = { id }, .nparams = 1
	};
	struct sso_connection c;
	struct uuid account;
	int rc;

	*ret = NULL;
	id_format(sign_in, id);
	if (db_run(s->db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(call.result) == 0 ||
	    db_uuid(call.result, 0, 0, &account) != 0)
		return 0;
	rc = sso_connection_get(s, &account, deadline, ctx, &c, e);
	if (rc <= 0)
		return rc;
	rc = 0;
	if (!c.front && strcmp(c.issuer, db_text(call.result, 0, 1)) == 0) {
		rc = open_hint(
		    s, &account, sign_in, call.result, deadline, ctx, &hint, e);
		if (rc == 0)
			rc = location(s, &c, hint, back, deadline, ctx, ret, e);
	}
	sso_connection_free(&c);
	return rc;
}
