/*
 * An unknown person costs what a wrong password costs: a hash is compared in
 * both cases.  No token is stored or logged, only its SHA-256 is.
 */
#include "auth/sign_in.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "auth/challenge.h"
#include "auth/factor.h"
#include "auth/password.h"
#include "auth/pwhash.h"
#include "auth/store.h"
#include "auth/throttle.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define HASH_SIZE 32
#define AGENT_MAX 300
#define SECOND "second-factor"

static int
refuse(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "E-mail address or password is wrong.");
}

static int
refuse_refresh(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "The refresh token is not valid.");
}

/* What is stored of a program's name: whole characters, no more than fit. */
static const char *
agent_text(const void *ctx, const char *agent)
{
	size_t n;

	if (agent == NULL)
		return "";
	n = strnlen(agent, AGENT_MAX);
	return mem_strndup(ctx, agent, str_utf8_prefix(agent, n));
}

/* For the record of what a person does with her own entry. */
static void
record(const void *ctx, const char *action, const char *user,
    const struct sign_in_from *from, struct db_call *out)
{
	const struct audit_entry entry = { .action = action,
		.actor_kind = "user",
		.actor_id = user,
		.address = from->address,
		.request_id = from->request_id,
		.object_kind = "user",
		.object_id = user };

	audit_call(ctx, NULL, &entry, out);
}

int
sign_in_record(struct db_pool *db, struct token *t, const unsigned char *hash,
    const struct sign_in_from *from, int64_t refresh_s, int64_t deadline,
    const void *ctx, struct err *e)
{
	char id[UUID_TEXT], user[UUID_TEXT], version[24], seconds[24];
	int n = 1;
	struct db_call calls[3] = { { .stmt = &auth_store_sign_in_begin,
	    .param = { id, user, version, (const char *)hash, from->address,
		agent_text(ctx, from->user_agent), seconds },
	    .nparams = 7,
	    .binary = 1U << 3 } };

	calls[0].plen[3] = HASH_SIZE;
	id_new(&t->sign_in);
	id_format(&t->sign_in, id);
	id_format(&t->user, user);
	snprintf(
	    version, sizeof(version), "%llu", (unsigned long long)t->version);
	snprintf(seconds, sizeof(seconds), "%lld", (long long)refresh_s);
	if (t->factor)
		calls[n++] =
		    (struct db_call){ .stmt = &auth_store_sign_in_proven,
			    .param = { user, id },
			    .nparams = 2 };
	record(ctx, "user.sign_in", user, from, &calls[n++]);
	if (db_run(db, DB_WRITE, NULL, calls, n, deadline, ctx, e) == 0)
		return 0;
	/* Disabled, or with a new password, since a moment ago. */
	return e->code == ERR_NOT_FOUND ? refuse(e) : -1;
}

static int
begin(struct db_pool *db, const struct sign_in_from *from, int64_t refresh_s,
    int64_t deadline, void *ctx, struct sign_in *out, struct err *e)
{
	unsigned char hash[HASH_SIZE];

	refresh_make(out->refresh, hash);
	return sign_in_record(
	    db, &out->token, hash, from, refresh_s, deadline, ctx, e);
}

/* The person of ${email}, or none, and whether the password is hers.  The hash
 * is compared either way. */
static int
look_up(struct db_pool *db, const char *email, const char *password,
    int64_t deadline, const void *ctx, struct token *t, bool *known, bool *good,
    struct err *e)
{
	struct db_call find = { .stmt = &auth_store_person_by_email,
		.param = { email },
		.nparams = 1 };
	struct pwhash_answer answer;

	if (db_run(db, DB_CONTROL, NULL, &find, 1, deadline, ctx, e) != 0)
		return -1;
	*known = db_rows(find.result) == 1 &&
	         db_uuid(find.result, 0, 0, &t->user) == 0;
	if (pwhash_check(*known ? db_text(find.result, 0, 3) : NULL, password,
		&answer, e) != 0)
		return -1;
	*good = answer.ok;
	if (*good) {
		t->slot = (uint32_t)db_int(find.result, 0, 1);
		t->version = (uint64_t)db_int(find.result, 0, 2);
	}
	return 0;
}

int
sign_in_own(struct db_pool *db, const struct uuid *user, int64_t deadline,
    const void *ctx, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = {
		.stmt = &auth_store_sso_required, .param = { id }, .nparams = 1
	};

	id_format(user, id);
	if (db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return 0;
	return err_set_kind(e, ERR_UNKNOWN, "sso-required", 0,
	    "Your organisation wants you to sign in by its own sign-on, at "
	    "/sso/%s.",
	    db_text(call.result, 0, 0));
}

/* Asks for the second factor of whoever has one: 0, with *good, or -1. */
static int
second(struct db_pool *db, struct vault *v, struct token *t, const char *code,
    int64_t deadline, bool *good, struct err *e)
{
	enum factor_answer answer;

	if (factor_check(db, v, &t->user, code, deadline, &answer, e) != 0)
		return -1;
	if (answer == FACTOR_MISSING)
		return err_set_kind(e, ERR_UNKNOWN, SECOND, 0,
		    "show the code of the second factor, too");
	*good = answer != FACTOR_WRONG;
	t->factor = answer == FACTOR_RIGHT;
	return 0;
}

/*
 * What is noticed, not done: it stands in the record for whoever looks there,
 * and an answer does not wait for want of it.  ${user} may be NULL.
 */
static void
notice(struct db_pool *db, const char *action, const char *user,
    const struct sign_in_from *from, const json_t *what, int64_t deadline)
{
	const struct audit_entry entry = { .action = action,
		.actor_kind = "system",
		.address = from->address,
		.request_id = from->request_id,
		.object_kind = "user",
		.object_id = user,
		.after = what };
	void *ctx = mem_root("notice");
	struct err e = { 0 };
	struct db_call call;

	audit_call(ctx, NULL, &entry, &call);
	if (db_run(db, DB_WRITE, NULL, &call, 1, deadline, ctx, &e) != 0)
		log_event(LOG_ERROR, "not_recorded", "action", action, "user",
		    user, "address", from->address, "error", e.text, NULL);
	mem_free(ctx);
}

/*
 * A burst of failures is noticed once, when it becomes one; whether there is
 * such a person makes no difference to the time it takes.  What was typed
 * stands nowhere: it may have been a password.
 */
static void
failed(struct db_pool *db, const char *email, const struct sign_in_from *from,
    const struct uuid *user, int64_t now, int64_t deadline)
{
	int n = throttle_failed(email, from->client, now);
	json_auto_t *what = NULL;
	char id[UUID_TEXT];

	if (n == 0)
		return;
	what = json_pack(
	    "{s:i, s:b}", "failures", n, "of_address", n == THROTTLE_ADDRESS);
	if (user != NULL)
		id_format(user, id);
	notice(db, "user.sign_in_failed", user != NULL ? id : NULL, from, what,
	    deadline);
}

/* Who it is, by all that was shown. */
static int
prove(struct db_pool *db, struct vault *v, const char *email,
    const char *password, const char *code, const struct sign_in_from *from,
    int64_t deadline, const void *ctx, struct token *t, struct err *e)
{
	int64_t now = clock_mono();
	bool known = false, good = false;
	char *prepared;
	int wait, rc;

	t->factor = false;

	/* What is throttled or can be nobody's password looks like a wrong
	 * one. */
	if (throttle_check(email, from->client, now, &wait) != 0 ||
	    password_prepare(
		ctx, password, strlen(password), &prepared, NULL) != 0)
		return refuse(e);
	rc = look_up(db, email, prepared, deadline, ctx, t, &known, &good, e);
	crypto_wipe(prepared, strlen(prepared));
	if (rc == 0 && good)
		rc = sign_in_own(db, &t->user, deadline, ctx, e);
	if (rc == 0 && good)
		rc = second(db, v, t, code, deadline, &good, e);
	if (rc != 0)
		return -1;
	if (!good) {
		failed(db, email, from, known ? &t->user : NULL, now, deadline);
		return refuse(e);
	}
	return throttle_succeeded(email, from->client, now) == 0 ? 0
	                                                         : refuse(e);
}

int
sign_in_password(struct db_pool *db, struct vault *v, const char *email,
    const char *password, const char *code, const struct sign_in_from *from,
    int64_t refresh_s, int64_t deadline, struct sign_in *out, struct err *e)
{
	void *ctx = mem_root("sign in");
	int rc = prove(
	    db, v, email, password, code, from, deadline, ctx, &out->token, e);

	if (rc == 0)
		rc = begin(db, from, refresh_s, deadline, ctx, out, e);
	mem_free(ctx);
	return rc;
}

int
sign_in_first(struct db_pool *db, struct vault *v, const char *email,
    const char *password, const struct sign_in_from *from, int64_t deadline,
    struct token *t, bool *factor, struct err *e)
{
	void *ctx = mem_root("sign in");
	int rc = prove(db, v, email, password, NULL, from, deadline, ctx, t, e);

	mem_free(ctx);
	*factor = rc != 0 && e->kind != NULL && strcmp(e->kind, SECOND) == 0;
	return *factor ? 0 : rc;
}

static int
refuse_code(struct err *e)
{
	return err_set_kind(e, ERR_UNKNOWN, SECOND, 0,
	    "This code is wrong, or was used before.");
}

int
sign_in_second(struct db_pool *db, struct vault *v, struct challenge *c,
    const char *code, const struct sign_in_from *from, int64_t deadline,
    struct err *e)
{
	enum factor_answer answer;
	int64_t now = clock_mono();
	int wait;

	if (throttle_tries(c->name, now) > CHALLENGE_TRIES)
		return refuse(e);
	/* As a wrong password: the code is not looked at. */
	if (throttle_check(c->email, from->client, now, &wait) != 0)
		return refuse_code(e);
	if (factor_check(db, v, &c->token.user, code, deadline, &answer, e) !=
	    0)
		return -1;
	c->token.factor = answer == FACTOR_RIGHT;
	if (answer != FACTOR_RIGHT && answer != FACTOR_NONE) {
		throttle_failed(c->email, from->client, now);
		return refuse_code(e);
	}
	return throttle_succeeded(c->email, from->client, now) == 0
	           ? 0
	           : refuse_code(e);
}

/* The row of a refresh: its first four columns are the token's. */
static int
read_refreshed(struct db_pool *db, const struct db_result *r,
    const struct sign_in_from *from, int64_t deadline, struct token *t,
    struct err *e)
{
	char user[UUID_TEXT];

	if (db_rows(r) != 1 || db_uuid(r, 0, 0, &t->user) != 0 ||
	    db_uuid(r, 0, 3, &t->sign_in) != 0)
		return refuse_refresh(e);
	t->slot = (uint32_t)db_int(r, 0, 1);
	t->version = (uint64_t)db_int(r, 0, 2);
	t->factor = db_bool(r, 0, 5);
	if (!db_bool(r, 0, 4))
		return 0;
	id_format(&t->user, user);
	log_event(LOG_WARN, "refresh_token_reused", "user", user, NULL);
	notice(db, "user.refresh_reused", user, from, NULL, deadline);
	return refuse_refresh(e);
}

int
sign_in_refresh(struct db_pool *db, const char *text,
    const struct sign_in_from *from, int64_t refresh_s, int64_t deadline,
    struct sign_in *out, struct err *e)
{
	unsigned char hash[HASH_SIZE], next[HASH_SIZE];
	char seconds[24];
	struct db_call call = { .stmt = &auth_store_sign_in_refresh,
		.param = { (const char *)hash, (const char *)next, seconds },
		.nparams = 3,
		.binary = 1U | 1U << 1 };
	void *ctx = mem_root("refresh");
	int rc;

	call.plen[0] = call.plen[1] = HASH_SIZE;
	snprintf(seconds, sizeof(seconds), "%lld", (long long)refresh_s);
	if (refresh_hash(text, hash) != 0) {
		mem_free(ctx);
		return refuse_refresh(e);
	}
	refresh_make(out->refresh, next);
	rc = db_run(db, DB_WRITE, NULL, &call, 1, deadline, ctx, e);
	if (rc == 0)
		rc = read_refreshed(
		    db, call.result, from, deadline, &out->token, e);
	mem_free(ctx);
	return rc;
}

int
sign_in_end_refresh(struct db_pool *db, const char *text,
    const struct sign_in_from *from, int64_t deadline, struct err *e)
{
	unsigned char hash[HASH_SIZE];
	struct db_call call = { .stmt = &auth_store_sign_in_of,
		.param = { (const char *)hash },
		.nparams = 1,
		.binary = 1U };
	void *ctx = mem_root("sign out");
	struct uuid user, id;
	int rc = 0;

	call.plen[0] = HASH_SIZE;
	if (refresh_hash(text, hash) == 0)
		rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	if (rc == 0 && call.result != NULL && db_rows(call.result) == 1 &&
	    db_uuid(call.result, 0, 0, &user) == 0 &&
	    db_uuid(call.result, 0, 1, &id) == 0) {
		const struct audit_entry who = {
			.actor_kind = "user",
			.actor_id = db_text(call.result, 0, 0),
			.address = from->address,
			.request_id = from->request_id,
		};

		rc = sign_in_end(
		    db, &user, &id, "signed out", &who, deadline, NULL, e);
	}
	mem_free(ctx);
	return rc;
}

int
sign_in_end(struct db_pool *db, const struct uuid *user, const struct uuid *id,
    const char *reason, const struct audit_entry *who, int64_t deadline,
    int64_t *n, struct err *e)
{
	char user_text[UUID_TEXT], id_text[UUID_TEXT];
	json_auto_t *after = json_pack("{s:s}", "reason", reason);
	struct audit_entry entry = *who;
	struct db_call calls[2] = { { .stmt = id != NULL
		                                  ? &auth_store_sign_in_end_one
		                                  : &auth_store_sign_in_end_all,
	    .param = { user_text, reason, id != NULL ? id_text : NULL },
	    .nparams = id != NULL ? 3 : 2 } };
	void *ctx = mem_root("sign out");
	int64_t ended = 0;
	int rc;

	id_format(user, user_text);
	if (id != NULL) {
		id_format(id, id_text);
		json_object_set_new(after, "sign_in", json_string(id_text));
	}
	entry.action =
	    id != NULL ? "user.sign_out" : "user.sign_out_everywhere";
	entry.object_kind = "user";
	entry.object_id = user_text;
	entry.after = after;
	audit_call(ctx, NULL, &entry, &calls[1]);
	rc = db_run(db, DB_WRITE, NULL, calls, 2, deadline, ctx, e);
	if (rc == 0)
		ended = db_int(calls[0].result, 0, 0);
	else if (id != NULL && e->code == ERR_NOT_FOUND)
		rc = 0; /* it was over before */
	if (rc == 0 && n != NULL)
		*n = ended;
	mem_free(ctx);
	return rc;
}

/* Is ${password} the one of the row? */
static int
right(const struct db_result *r, const char *password, const void *ctx,
    struct err *e)
{
	struct pwhash_answer answer = { 0 };
	char *was;
	int rc;

	if (password_prepare(ctx, password, strlen(password), &was, e) != 0)
		return -1;
	rc = pwhash_check(db_text(r, 0, 0), was, &answer, e);
	crypto_wipe(was, strlen(was));
	if (rc != 0)
		return -1;
	return answer.ok ? 0 : err_set(e, ERR_DENIED, "the password is wrong");
}

/* The new password's hash, when the old one is right and the new one may be. */
static int
choose(const struct db_result *r, const char *old, const char *new,
    const void *ctx, char **hash, struct err *e)
{
	struct password_owner owner = { .email = db_text(r, 0, 1),
		.name = db_text(r, 0, 2) };
	char *chosen;
	int rc;

	if (right(r, old, ctx, e) != 0 ||
	    password_choose(ctx, new, strlen(new), &owner, &chosen, e) != 0)
		return -1;
	rc = pwhash_make(ctx, chosen, hash, e);
	crypto_wipe(chosen, strlen(chosen));
	return rc;
}

/* The row of the person's password: ERR_NOT_FOUND when she is no more. */
static int
find(struct db_pool *db, const char *user, int64_t deadline, const void *ctx,
    const struct db_result **ret, struct err *e)
{
	struct db_call call = { .stmt = &auth_store_person_password,
		.param = { user },
		.nparams = 1 };

	if (db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	*ret = call.result;
	return db_rows(call.result) > 0
	           ? 0
	           : err_set(e, ERR_NOT_FOUND, "this person is no more");
}

static int
proof(const struct db_result *r, const char *password, const void *ctx,
    struct err *e)
{
	if (db_rows(r) == 0)
		return err_set(e, ERR_NOT_FOUND, "this person is no more");
	if (db_bool(r, 0, 1))
		return password != NULL ? right(r, password, ctx, e)
		                        : err_set(e, ERR_INVALID, "is needed");
	return db_bool(r, 0, 2)
	           ? 0
	           : err_set(e, ERR_DENIED,
			 "sign in anew: this sign-in is older than ten "
			 "minutes, and there is no password to show instead");
}

int
sign_in_prove(struct db_pool *db, const struct uuid *user,
    const struct uuid *sign_in, const char *password, int64_t deadline,
    struct err *e)
{
	char id[UUID_TEXT], sign_in_id[UUID_TEXT];
	struct db_call call = { .stmt = &auth_store_person_proof,
		.param = { id, sign_in_id },
		.nparams = 2 };
	void *ctx = mem_root("prove");
	int rc;

	id_format(user, id);
	id_format(sign_in, sign_in_id);
	rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	if (rc == 0)
		rc = proof(call.result, password, ctx, e);
	mem_free(ctx);
	return rc;
}

int
sign_in_change_password(struct db_pool *db, const struct uuid *user,
    const char *old, const char *new, const struct sign_in_from *from,
    int64_t deadline, struct err *e)
{
	char id[UUID_TEXT], *hash;
	const struct db_result *was;
	struct db_call set[2] = { { .stmt = &auth_store_person_set_password,
	    .param = { id },
	    .nparams = 3 } };
	void *ctx = mem_root("password");
	int rc;

	id_format(user, id);
	rc = find(db, id, deadline, ctx, &was, e);
	if (rc == 0)
		rc = choose(was, old, new, ctx, &hash, e);
	if (rc == 0) {
		/* The old one again: two changes at once, and one wins. */
		set[0].param[1] = db_text(was, 0, 0);
		set[0].param[2] = hash;
		record(ctx, "user.password", id, from, &set[1]);
		rc = db_run(db, DB_WRITE, NULL, set, 2, deadline, ctx, e);
		if (rc != 0 && e->code == ERR_NOT_FOUND)
			rc = err_set(e, ERR_CONFLICT,
			    "the password has been changed meanwhile");
	}
	mem_free(ctx);
	return rc;
}
