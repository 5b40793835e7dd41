/*
 * Persons are known by issuer and subject, and by nothing else: an address is
 * looked at once, when it is proven and in a domain of the account, to link
 * who is there or to make who is not.
 */
#include "sso/arrive.h"

#include <inttypes.h>
#include <string.h>

#include "audit/audit.h"
#include "auth/perm.h"
#include "auth/pwhash.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "sso/claims.h"
#include "sso/sso_priv.h"
#include "sso/store.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define EMAIL_MAX 254
#define NAME_MAX_CHARS 200
#define TRIES 3

/* What the database knows of her. */
struct known {
	bool found, linked, active, platform, factor, own_domain;
	bool other_subject;
	char user[UUID_TEXT];
	const char *role;  /* NULL: no member */
	const char *email; /* as it is stored; NULL: nobody */
};

const char *
arrive_role(const struct sso_connection *c, const json_t *claims, bool *wanted)
{
	const json_t *claim, *row;
	size_t i;

	*wanted = c->role_claim != NULL;
	if (c->role_claim == NULL)
		return c->default_role;
	claim = claims_at(claims, c->role_claim);
	json_array_foreach(c->role_map, i, row)
	{
		const char *value =
		    json_string_value(json_object_get(row, "value"));

		if (claim != NULL && value != NULL && claims_say(claim, value))
			return json_string_value(json_object_get(row, "role"));
	}
	return c->default_role;
}

/* One @, visible ASCII around it; nothing that could be read otherwise. */
static bool
is_address(const char *s)
{
	const char *at = strchr(s, '@');

	if (at == NULL || at == s || at[1] == '\0' ||
	    strchr(at + 1, '@') != NULL || strlen(s) > EMAIL_MAX)
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || strchr("\"'(),:;<>[\\]`", *s))
			return false;
	return true;
}

const char *
arrive_email(const struct sso_connection *c, const json_t *claims)
{
	const char *email = json_string_value(json_object_get(claims, "email"));
	const json_t *verified = json_object_get(claims, "email_verified");

	if (email == NULL || !is_address(email))
		return NULL;
	if (json_is_true(verified) || (verified == NULL && c->trust_email))
		return email;
	return NULL;
}

static const char *
name_of(const void *ctx, const json_t *claims, const char *email)
{
	static const char *const names[] = { "name", "preferred_username" };
	const char *s = NULL;
	size_t n = 0, chars = 0, k;

	for (size_t i = 0; i < 2 && (s == NULL || *s == '\0'); i++)
		s = json_string_value(json_object_get(claims, names[i]));
	if (s == NULL || *s == '\0')
		return mem_strndup(
		    ctx, email, (size_t)(strchr(email, '@') - email));
	while (s[n] != '\0' && chars++ < NAME_MAX_CHARS &&
	       (k = str_utf8_char(s + n, strlen(s + n))) > 0)
		n += k;
	return mem_strndup(ctx, s, n);
}

static int
look_up(struct sso *s, const struct sso_connection *c, const char *subject,
    const char *email, int64_t deadline, const void *ctx, struct known *out,
    struct err *e)
{
	char account[UUID_TEXT];
	struct db_call call = { .stmt = &sso_store_person,
		.param = { account, c->issuer, subject, email },
		.nparams = 4 };
	const struct db_result *r;

	memset(out, 0, sizeof(*out));
	id_format(&c->account, account);
	if (db_run(s->db, DB_CONTROL, &c->account, &call, 1, deadline, ctx,
		e) != 0)
		return -1;
	r = call.result;
	out->found = !db_null(r, 0, 0);
	if (out->found)
		memcpy(out->user, db_text(r, 0, 0), UUID_TEXT);
	out->linked = out->found && db_bool(r, 0, 1);
	out->active = db_bool(r, 0, 2);
	out->platform = db_bool(r, 0, 3);
	out->role = db_null(r, 0, 4) ? NULL : db_text(r, 0, 4);
	out->factor = db_bool(r, 0, 5);
	out->own_domain = db_bool(r, 0, 6);
	out->other_subject = db_bool(r, 0, 7);
	out->email = db_null(r, 0, 8) ? NULL : db_text(r, 0, 8);
	return 0;
}

static int
deny(struct err *e, const char *why)
{
	return err_set(e, ERR_DENIED, "%s", why);
}

/* Did the provider ask for more than one factor (RFC 8176)? */
static bool
several_factors(const json_t *claims)
{
	const json_t *amr = json_object_get(claims, "amr");

	return json_is_array(amr) && claims_say(amr, "mfa");
}

/* Who is there may come in. */
static int
may_come(const struct known *k, struct err *e)
{
	if (!k->active)
		return deny(e, "This person is disabled.");
	if (k->platform)
		return deny(e,
		    "Administrators of the platform sign in with their "
		    "password.");
	if (k->other_subject)
		return deny(e,
		    "The e-mail address belongs to somebody whom the identity "
		    "provider knows by another name.");
	return 0;
}

/* The role that she gets; *role NULL: what she has stays. */
static int
decide(const struct sso_connection *c, const struct known *k,
    const json_t *claims, const char *email, const char **role, struct err *e)
{
	bool wanted;
	enum role parsed;

	*role = arrive_role(c, claims, &wanted);
	if (wanted && *role == NULL)
		return deny(
		    e, "The identity provider gives this person no role here.");
	if (!k->linked && email == NULL)
		return deny(e,
		    "The identity provider does not say that the e-mail "
		    "address is proven.");
	if (!k->linked && !k->own_domain)
		return deny(e,
		    "The e-mail address is in none of the account's domains.");
	if (k->role == NULL && !c->auto_join)
		return deny(e, "This person is no member of the account.");
	if (k->role == NULL && *role == NULL)
		return deny(e, "The account gives newcomers no role.");
	if (k->role != NULL && !wanted)
		*role = NULL;
	/* One of the account's own is the database's to know. */
	if (*role != NULL && role_parse(*role, &parsed) == 0 &&
	    !role_for_key(parsed))
		return deny(e, "The account's map names no role.");
	return 0;
}

/* A hash that no password has. */
static int
nobody_knows(const void *ctx, char **hash, struct err *e)
{
	unsigned char bytes[32];
	char text[64];
	int rc;

	id_random(bytes, sizeof(bytes));
	str_b64url(bytes, sizeof(bytes), text);
	rc = pwhash_make(ctx, text, hash, e);
	crypto_wipe(bytes, sizeof(bytes));
	crypto_wipe(text, sizeof(text));
	return rc;
}

struct coming {
	const struct sso_connection *c;
	const struct known *k;
	const char *subject, *email, *name, *role, *hash;
};

static void
record(const void *ctx, const struct coming *x, const struct audit_entry *who,
    struct db_call *out)
{
	json_auto_t *before = NULL, *after = NULL;
	struct audit_entry entry = *who;
	const char *stays =
	    x->role != NULL && (x->k->role == NULL ||
				   strcmp(x->k->role, "account_owner") != 0)
		? x->role
		: x->k->role;

	before = json_pack("{s:s?}", "role", x->k->role);
	after = json_pack("{s:s?, s:s, s:s, s:s?}", "role", stays, "issuer",
	    x->c->issuer, "subject", x->subject, "email", x->email);
	entry.action = x->k->role == NULL ? "sso.join"
	               : !x->k->linked    ? "sso.link"
	                                  : "sso.sign_in";
	entry.actor_kind = entry.object_kind = "user";
	entry.actor_id = entry.object_id = x->k->user;
	entry.before = before;
	entry.after = after;
	audit_call(ctx, &x->c->account, &entry, out);
}

static int
enter(struct sso *s, const struct coming *x, const struct audit_entry *who,
    int64_t deadline, const void *ctx, struct sso_arrival *out, struct err *e)
{
	char account[UUID_TEXT];
	struct db_call calls[2] = { { .stmt = &sso_store_enter,
	    .param = { account, x->k->user, x->email, x->name, x->hash,
		x->c->issuer, x->subject, x->k->linked ? "true" : "false",
		x->role },
	    .nparams = 9 } };

	id_format(&x->c->account, account);
	record(ctx, x, who, &calls[1]);
	if (db_run(s->db, DB_CONTROL, &x->c->account, calls, 2, deadline, ctx,
		e) != 0)
		return -1;
	out->version = (uint64_t)db_int(calls[0].result, 0, 0);
	return id_parse(x->k->user, strlen(x->k->user), &out->user);
}

static int
arrive_once(struct sso *s, const struct sso_connection *c, const char *subject,
    const json_t *claims, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct sso_arrival *out, struct err *e)
{
	struct known k;
	struct coming x = { .c = c, .k = &k, .subject = subject };
	struct uuid new;
	char *hash;

	x.email = arrive_email(c, claims);
	if (look_up(s, c, subject, x.email, deadline, ctx, &k, e) != 0 ||
	    (k.found && may_come(&k, e) != 0) ||
	    decide(c, &k, claims, x.email, &x.role, e) != 0)
		return -1;
	if (!k.found) {
		id_new(&new);
		id_format(&new, k.user);
		if (nobody_knows(ctx, &hash, e) != 0)
			return -1;
		x.hash = hash;
		x.name = name_of(ctx, claims, x.email);
	}
	out->proven = several_factors(claims);
	out->factor = k.factor && !out->proven;
	out->email = k.email;
	return enter(s, &x, who, deadline, ctx, out, e);
}

int
arrive(struct sso *s, const struct sso_connection *c, const char *subject,
    const json_t *claims, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct sso_arrival *out, struct err *e)
{
	int rc = -1;

	/* Two tabs at once: the second finds what the first made. */
	for (int i = 0; i < TRIES; i++) {
		*e = (struct err){ 0 };
		rc = arrive_once(
		    s, c, subject, claims, who, deadline, ctx, out, e);
		if (rc == 0 || e->code != ERR_CONFLICT)
			break;
	}
	return rc;
}
