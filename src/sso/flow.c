/* From the first redirect to who it is. */
#include "sso/flow.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "secret/secret.h"
#include "sso/arrive.h"
#include "sso/claims.h"
#include "sso/exchange.h"
#include "sso/sso_priv.h"
#include "sso/store.h"
#include "sso/ticket.h"
#include "telemetry/log.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define LOCATION_MAX ((size_t)8 * 1024)
#define SPENT_S (2 * SSO_COOKIE_S)
#define SID_MAX 1000

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

static int
refuse(struct err *e, const char *why)
{
	return err_set(e, ERR_UNKNOWN, "%s", why);
}

/* --- there ---------------------------------------------------------------- */

static char *
scope_text(const void *ctx, const json_t *scopes)
{
	struct buf b;
	const json_t *v;
	size_t i;

	buf_init(&b, ctx, LOCATION_MAX);
	json_array_foreach(scopes, i, v)
	{
		if (i > 0)
			buf_addc(&b, ' ');
		buf_adds(&b, json_string_value(v));
	}
	return b.data;
}

static int
make_location(const void *ctx, const struct sso_connection *c,
    const struct discovery *d, const struct ticket *t, const char *redirect_uri,
    const char **ret, struct err *e)
{
	struct buf b;

	buf_init(&b, ctx, LOCATION_MAX);
	buf_adds(&b, d->authorization_endpoint);
	if (strchr(d->authorization_endpoint, '?') == NULL)
		buf_addc(&b, '?');
	exchange_pair(&b, "response_type", "code");
	exchange_pair(&b, "client_id", c->client_id);
	exchange_pair(&b, "redirect_uri", redirect_uri);
	exchange_pair(&b, "scope", scope_text(ctx, c->scopes));
	exchange_pair(&b, "state", t->state);
	exchange_pair(&b, "nonce", t->nonce);
	exchange_pair(&b, "code_challenge", t->challenge);
	exchange_pair(&b, "code_challenge_method", "S256");
	if (buf_failed(&b))
		return err_set(e, ERR_INVALID, "an address that is too long");
	*ret = b.data;
	return 0;
}

static int
begin(struct sso *s, const struct sso_connection *c, const char *redirect_uri,
    const char *then, int64_t deadline, const void *ctx, struct sso_way *out,
    struct err *e)
{
	struct ticket t = { .account = c->account,
		.until = now_s() + SSO_COOKIE_S,
		.then = then };
	struct provider *p;
	int rc;

	if (providers_get(
		s->providers, &c->account, c->issuer, deadline, &p, e) != 0)
		return -1;
	ticket_provider(c->issuer, c->client_id, t.provider);
	out->cookie = ticket_make(ctx, s->state_key, &t);
	rc = make_location(
	    ctx, c, provider_discovery(p), &t, redirect_uri, &out->location, e);
	provider_unref(s->providers, p);
	return rc;
}

int
sso_begin(struct sso *s, const struct uuid *account, const char *redirect_uri,
    const char *then, int64_t deadline, const void *ctx, struct sso_way *out,
    struct err *e)
{
	struct sso_connection c;
	int rc = sso_connection_get(s, account, deadline, ctx, &c, e);
	bool there = rc > 0 && c.is_active && (!c.front || s->has_front), got;

	*out = (struct sso_way){ 0 };
	if (rc < 0)
		return -1;
	got = rc > 0;
	if (!there)
		rc = sso_not_here(e);
	else if (c.front) {
		out->front = true;
		rc = 0;
	} else
		rc = begin(s, &c, redirect_uri, then, deadline, ctx, out, e);
	if (got)
		sso_connection_free(&c);
	return rc;
}

/* --- and back ------------------------------------------------------------- */

struct finish {
	struct sso *s;
	const struct sso_return *in;
	const struct audit_entry *who;
	struct ticket t;
	struct sso_connection c;
	struct provider *p;
	int64_t deadline;
	const void *ctx;
	struct sso_arrival *out;
	struct err *e;
};

/* Does what came back belong to what this browser began? */
static int
check_ticket(struct finish *f)
{
	const struct sso_return *in = f->in;

	if (in->cookie == NULL || ticket_read(f->ctx, f->s->state_key,
				      in->cookie, now_s(), &f->t) != 0)
		return refuse(f->e,
		    "This browser began no sign-in, or more than ten minutes "
		    "ago. Begin again.");
	if (in->state == NULL || strlen(in->state) != strlen(f->t.state) ||
	    !str_eq_const(in->state, f->t.state, strlen(f->t.state)))
		return refuse(f->e,
		    "The answer does not belong to the sign-in that this "
		    "browser began last. Begin again.");
	return 0;
}

int
sso_spend(struct sso *s, const struct uuid *account,
    const unsigned char hash[32], int seconds, int64_t deadline,
    const void *ctx, bool *first, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = { .stmt = &sso_store_spend,
		.param = { id, (const char *)hash,
		    mem_printf(ctx, "%d", seconds) },
		.nparams = 3,
		.binary = 1U << 1 };

	call.plen[1] = 32;
	id_format(account, id);
	if (db_run(s->db, DB_CONTROL, account, &call, 1, deadline, ctx, e) != 0)
		return -1;
	*first = db_int(call.result, 0, 0) == 1;
	return 0;
}

static int
spend_ticket(struct finish *f)
{
	bool first;

	if (sso_spend(f->s, &f->t.account, f->t.hash, SPENT_S, f->deadline,
		f->ctx, &first, f->e) != 0)
		return -1;
	return first
	           ? 0
	           : refuse(f->e, "This answer was used before. Begin again.");
}

/* Is the provider still the one that the sign-in began with, and the answer
 * from it (RFC 9207)? */
static int
check_provider(struct finish *f)
{
	const struct discovery *d;
	char provider[TICKET_PART];

	ticket_provider(f->c.issuer, f->c.client_id, provider);
	if (strcmp(provider, f->t.provider) != 0)
		return refuse(f->e,
		    "The account's identity provider has changed meanwhile. "
		    "Begin again.");
	if (providers_get(f->s->providers, &f->c.account, f->c.issuer,
		f->deadline, &f->p, f->e) != 0)
		return -1;
	d = provider_discovery(f->p);
	if (f->in->iss != NULL ? strcmp(f->in->iss, f->c.issuer) != 0
			       : d->says_iss)
		return refuse(
		    f->e, "The answer is not from the account's provider.");
	return 0;
}

/* An error that the provider sent instead of a code. */
static int
check_answer(struct finish *f)
{
	const char *name = f->in->error;
	bool plain = name != NULL && strlen(name) <= 60;

	for (const char *p = name; plain && *p != '\0'; p++)
		plain = *p > ' ' && *p <= '~';
	if (name != NULL)
		return err_set(f->e, ERR_DENIED,
		    "The identity provider refused the sign-in: %s.",
		    plain ? name : "no reason");
	return f->in->code != NULL && f->in->code[0] != '\0'
	           ? 0
	           : refuse(f->e, "The answer has no code.");
}

/* Are there claims that the ID token lacks and that are needed? */
static bool
lacks(const struct sso_connection *c, const json_t *claims)
{
	if (json_object_get(claims, "email") == NULL)
		return true;
	if (!c->trust_email &&
	    json_object_get(claims, "email_verified") == NULL)
		return true;
	return c->role_claim != NULL &&
	       claims_at(claims, c->role_claim) == NULL;
}

/* The claims of userinfo, where the ID token says nothing else. */
static int
complete(struct finish *f, const struct exchange *x, json_t *claims)
{
	const struct discovery *d = provider_discovery(f->p);
	json_t *more = NULL;

	if (!lacks(&f->c, claims) || d->userinfo_endpoint == NULL ||
	    x->access_token == NULL)
		return 0;
	if (exchange_userinfo(f->s, d, x->access_token, claims_subject(claims),
		f->deadline, f->ctx, &more, f->e) != 0)
		return -1;
	/* Whether an address is proven is said of that address. */
	if (json_object_get(claims, "email_verified") == NULL &&
	    json_object_get(more, "email") != NULL)
		json_object_set(
		    claims, "email", json_object_get(more, "email"));
	json_object_update_missing(claims, more);
	json_decref(more);
	return 0;
}

static int
check_token(struct finish *f, const struct exchange *x, json_t **claims)
{
	struct claims_wanted w = { .issuer = f->c.issuer,
		.client_id = f->c.client_id,
		.nonce = f->t.nonce,
		.access_token = x->access_token,
		.now = now_s() };

	if (provider_verify(f->s->providers, f->p, x->id_token, NULL,
		f->deadline, claims, &w.alg, f->e) != 0)
		return -1;
	return claims_id_token(&w, *claims, f->e);
}

static void
keep_session(struct finish *f, const struct exchange *x, const json_t *claims)
{
	const json_t *sid = json_object_get(claims, "sid");

	f->out->account = f->c.account;
	f->out->then = f->t.then;
	f->out->issuer = f->c.issuer;
	f->out->subject = mem_strdup(f->ctx, claims_subject(claims));
	f->out->id_token = x->id_token;
	f->out->sid = NULL;
	if (json_is_string(sid) && json_string_length(sid) > 0 &&
	    json_string_length(sid) <= SID_MAX)
		f->out->sid = mem_strdup(f->ctx, json_string_value(sid));
}

static int
finish(struct finish *f)
{
	json_auto_t *claims = NULL;
	struct exchange x;

	if (check_provider(f) != 0 || check_answer(f) != 0 ||
	    exchange_code(f->s, &f->c, provider_discovery(f->p), f->in->code,
		f->t.verifier, f->in->redirect_uri, f->deadline, f->ctx, &x,
		f->e) != 0 ||
	    check_token(f, &x, &claims) != 0 || complete(f, &x, claims) != 0)
		return -1;
	keep_session(f, &x, claims);
	return arrive(f->s, &f->c, f->out->subject, claims, f->who, f->deadline,
	    f->ctx, f->out, f->e);
}

int
sso_end(struct sso *s, const struct sso_return *in,
    const struct audit_entry *who, int64_t deadline, const void *ctx,
    struct sso_arrival *out, struct err *e)
{
	struct finish f = { .s = s,
		.in = in,
		.who = who,
		.deadline = deadline,
		.ctx = ctx,
		.out = out,
		.e = e };
	int rc;

	memset(out, 0, sizeof(*out));
	if (check_ticket(&f) != 0 || spend_ticket(&f) != 0 ||
	    sso_active(s, &f.t.account, false, deadline, ctx, &f.c, e) != 0)
		return -1;
	rc = finish(&f);
	if (rc != 0 && (e->code == ERR_UNKNOWN || e->code == ERR_DENIED))
		log_event(LOG_WARN, "sso_refused", "issuer", f.c.issuer,
		    "error", e->text, NULL);
	provider_unref(s->providers, f.p);
	sso_connection_free(&f.c);
	return rc;
}

enum { WAIT_USER, WAIT_ACCOUNT, WAIT_ISSUER, WAIT_SUBJECT, WAIT_SID, WAITS };

char *
sso_wait(struct sso *s, const struct sso_arrival *a, const void *ctx)
{
	char user[UUID_TEXT], account[UUID_TEXT];
	const char *const texts[WAITS] = { [WAIT_USER] = user,
		[WAIT_ACCOUNT] = account,
		[WAIT_ISSUER] = a->issuer,
		[WAIT_SUBJECT] = a->subject,
		[WAIT_SID] = a->sid };

	id_format(&a->user, user);
	id_format(&a->account, account);
	return ticket_pack(
	    ctx, s->state_key, now_s() + SSO_COOKIE_S, texts, WAITS);
}

int
sso_waited(struct sso *s, const char *cookie, const struct uuid *user,
    const void *ctx, struct sso_arrival *out)
{
	const char *texts[WAITS];

	memset(out, 0, sizeof(*out));
	if (ticket_unpack(ctx, s->state_key, cookie, now_s(), texts, WAITS) !=
	    0)
		return -1;
	for (int i = 0; i < WAIT_SID; i++)
		if (texts[i] == NULL)
			return -1;
	out->issuer = texts[WAIT_ISSUER];
	out->subject = texts[WAIT_SUBJECT];
	out->sid = texts[WAIT_SID];
	if (id_parse(texts[WAIT_USER], strlen(texts[WAIT_USER]), &out->user) !=
		0 ||
	    id_parse(texts[WAIT_ACCOUNT], strlen(texts[WAIT_ACCOUNT]),
		&out->account) != 0)
		return -1;
	return id_eq(&out->user, user) ? 0 : -1;
}

int
sso_keep(struct sso *s, const struct sso_arrival *a, const struct uuid *sign_in,
    int64_t deadline, struct err *e)
{
	struct secret_place place = { .account = a->account,
		.row = *sign_in,
		.purpose = SSO_PURPOSE_TOKEN,
		.version = 1 };
	char account[UUID_TEXT], id[UUID_TEXT];
	struct db_call call = { .stmt = &sso_store_keep,
		.param = { account, id, a->issuer, a->subject, a->sid },
		.nparams = 6 };
	void *ctx = mem_root("sso keep");
	const char *token = a->id_token != NULL ? a->id_token : "";
	size_t n = strlen(token);
	unsigned char *raw;
	int rc;

	id_format(&a->account, account);
	id_format(sign_in, id);
	rc = secret_seal(s->vault, &place, token, n, deadline, ctx, &raw, e);
	if (rc == 0) {
		call.param[5] = sso_hex(ctx, raw, n + SECRET_MORE);
		rc = db_run(
		    s->db, DB_CONTROL, &a->account, &call, 1, deadline, ctx, e);
	}
	mem_free(ctx);
	return rc;
}
