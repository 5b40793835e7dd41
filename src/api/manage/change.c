/*
 * Writing.  A change is one transaction: the claim of its Idempotency-Key, the
 * lock that proves what it changes, its statements.  So there is an answer for
 * a key exactly when there is a change, and who comes second with the same key
 * waits in the database for the first.
 */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "api/reply.h"
#include "audit/audit.h"
#include "auth/key.h"
#include "crypto/hash.h"
#include "http/request.h"
#include "http/response.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define WRITE_WAIT (10 * CLOCK_S)
#define OWN_CALLS 3 /* of manage_commit() beside the change's */
#define TRIES 20    /* of a change that loses races */
#define KEY_MAX 255
#define HASH_TEXT 67 /* \x and 64 digits */
#define ANSWER_MAX ((size_t)256 * 1024)
#define ANSWER_LIMITS ((struct json_limits){ 64, 100000 })

/* A request's Idempotency-Key, as it is stored. */
struct once {
	char key[HASH_TEXT], request[HASH_TEXT];
};

static void
hash_text(const char *text, size_t n, char out[HASH_TEXT])
{
	unsigned char hash[32];

	crypto_sha256(text, n, hash);
	out[0] = '\\';
	out[1] = 'x';
	str_hex(hash, sizeof(hash), out + 2);
}

/* The caller and his key as one text. */
static const char *
scope(const struct manage *m, const char *key)
{
	char caller[UUID_TEXT];

	id_format(&m->who->key->id, caller);
	return mem_printf(m->ctx, "manage %s %s", caller, key);
}

/* 1 with what is stored of the key, 0 without one, -1. */
static int
read_key(struct manage *m, struct once *out, struct err *e)
{
	const char *key = http_header(m->req, "idempotency-key"), *body, *text;
	size_t n = key != NULL ? strlen(key) : 0, len;
	bool good = true;
	struct buf b;

	if (key == NULL)
		return 0;
	for (const char *p = key; *p != '\0'; p++)
		good = good && *p >= '!' && *p <= '~';
	if (!good || n < 1 || n > KEY_MAX)
		return err_set(e, ERR_MALFORMED,
		    "Idempotency-Key must be 1 to %d visible characters",
		    KEY_MAX);
	if (http_body(m->req, m->app->body_max_admin, &body, &len, e) != 0)
		return -1;
	text = scope(m, key);
	hash_text(text, strlen(text), out->key);
	buf_init(&b, m->ctx, m->app->body_max_admin + 8192);
	buf_addf(&b, "%s %s\n", m->req->method, m->req->path);
	buf_add(&b, body, len);
	if (buf_failed(&b))
		return err_set(e, ERR_TOO_LARGE, "the request is too large");
	hash_text(b.data, b.len, out->request);
	return 1;
}

static int
send_stored(struct manage *m, const struct db_result *r, struct err *e)
{
	json_auto_t *answer = NULL;

	if (!db_bool(r, 0, 0))
		return err_set_kind(e, ERR_INVALID, "idempotency-key-reused", 0,
		    "another request was made with this Idempotency-Key");
	if (json_parse(db_text(r, 0, 2), db_len(r, 0, 2), &ANSWER_LIMITS,
		&answer, NULL) != 0)
		return err_set(e, ERR_INTERNAL, "a stored answer is no JSON");
	http_set(m->resp, "Idempotent-Replayed", "true");
	reply_json(m->req, m->resp, (int)db_int(r, 0, 1), answer);
	return 1;
}

int
manage_replay(struct manage *m, const struct uuid *account, struct err *e)
{
	struct once once;
	char whose[UUID_TEXT];
	struct db_call call = { .stmt = &manage_store_answer,
		.param = { whose, once.key, once.request },
		.nparams = 3 };
	int rc = read_key(m, &once, e);

	if (rc <= 0)
		return rc;
	if (account == NULL)
		account = m->whose;
	id_format(account, whose);
	if (db_run(m->app->db, DB_CONTROL, account, &call, 1,
		m->req->started + WRITE_WAIT, m->ctx, e) != 0)
		return -1;
	return db_rows(call.result) > 0 ? send_stored(m, call.result, e) : 0;
}

void
manage_new_id(struct manage *m, struct uuid *out)
{
	const char *key = http_header(m->req, "idempotency-key"), *text;
	unsigned char hash[32];

	id_new(out);
	if (key == NULL)
		return;
	text = scope(m, key);
	crypto_sha256(text, strlen(text), hash);
	memcpy(out->b, hash, sizeof(out->b));
	out->b[6] = (uint8_t)(0x80 | (out->b[6] & 0x0f)); /* version 8 */
	out->b[8] = (uint8_t)(0x80 | (out->b[8] & 0x3f));
	out->b[15] &= 0xfc;
}

/* What another request with this key has made of ours. */
static int
lost_claim(struct manage *m, const struct uuid *account, struct err *e)
{
	if (e->code == ERR_CONFLICT &&
	    strstr(e->text, "request_answers_pkey") != NULL) {
		struct err again = { 0 };
		int rc = manage_replay(m, account, &again);

		if (rc == 1)
			return 1;
		if (rc < 0)
			*e = again;
		else /* it was a day old just now */
			err_set_kind(e, ERR_CONFLICT, "idempotency-key-in-use",
			    1, "try again");
	} else if (e->code == ERR_UNAVAILABLE &&
		   strstr(e->text, manage_store_answer_claim.name) != NULL) {
		err_set_kind(e, ERR_CONFLICT, "idempotency-key-in-use", 2,
		    "the first request with this Idempotency-Key has no "
		    "answer yet");
	}
	return -1;
}

/* The statements that claim the key; how many, or -1. */
static int
claim_calls(struct manage *m, const struct manage_change *c, const char *whose,
    struct db_call *out, struct err *e)
{
	struct once *once;
	struct buf answer;
	int rc;

	if (c->answer == NULL)
		return 0;
	once = mem_new(m->ctx, struct once);
	rc = read_key(m, once, e);
	if (rc <= 0)
		return rc;
	buf_init(&answer, m->ctx, ANSWER_MAX);
	json_write(&answer, c->answer);
	if (buf_failed(&answer))
		return err_set(e, ERR_INTERNAL, "an answer that is too large");
	out[0] = (struct db_call){ .stmt = &manage_store_answer_trim,
		.param = { whose, once->key },
		.nparams = 2 };
	out[1] = (struct db_call){ .stmt = &manage_store_answer_claim,
		.param = { whose, once->key, once->request,
		    mem_printf(m->ctx, "%d", c->status), answer.data },
		.nparams = 5 };
	return 2;
}

/* The record of the change, its transaction's last statement. */
static void
record(struct manage *m, const struct manage_change *c,
    const struct uuid *account, struct db_call *out)
{
	char actor[UUID_TEXT];
	struct audit_entry entry = { .action = c->action,
		.actor_kind =
		    m->who->key->kind == KEY_USER ? "user" : "api_key",
		.actor_id = actor,
		.address = m->req->client_address,
		.request_id = m->req->request_id,
		.object_kind = c->object,
		.object_id = c->id,
		.before = c->before,
		.after = c->after };

	id_format(&m->who->key->id, actor);
	audit_call(m->ctx, account, &entry, out);
}

int
manage_commit(struct manage *m, struct manage_change *c, struct err *e)
{
	const struct uuid *account = c->account != NULL ? c->account : m->whose;
	struct db_call *all =
	    mem_array(m->ctx, struct db_call, OWN_CALLS + (size_t)c->ncalls);
	char whose[UUID_TEXT];
	int n;

	id_format(account, whose);
	n = claim_calls(m, c, whose, all, e);
	if (n < 0)
		return -1;
	for (int i = 0; i < c->ncalls; i++)
		all[n + i] = c->calls[i];
	record(m, c, account, &all[n + c->ncalls]);
	if (db_run(m->app->db, DB_CONTROL, account, all, n + c->ncalls + 1,
		m->req->started + WRITE_WAIT, m->ctx, e) != 0)
		return n > 0 ? lost_claim(m, account, e) : -1;
	for (int i = 0; i < c->ncalls; i++)
		c->calls[i].result = all[n + i].result;
	return 0;
}

static bool
lost_race(const struct err *e)
{
	return e->kind != NULL && strcmp(e->kind, "precondition-failed") == 0;
}

/* 0 changed, 1 nothing to change, -1. */
static int
update_once(struct manage *m, const struct manage_object *o, const char *id,
    const char *action,
    int (*apply)(struct manage *, void *, const struct manage_found *,
	struct manage_change *, struct err *),
    void *arg, struct err *e)
{
	struct manage_found found = { 0 };
	struct db_call calls[MANAGE_CALLS] = { { .stmt = o->lock } };
	struct manage_change c = { .action = action,
		.object = o->object,
		.id = id,
		.calls = calls,
		.ncalls = 1 };
	int rc;

	if (manage_find(m, o, id, &found, e) != 0)
		return -1;
	calls[0].param[0] = m->account;
	calls[0].param[1] = id;
	calls[0].param[2] = found.state;
	calls[0].nparams = 3;
	c.before = found.json;
	rc = manage_if_match(m, found.state, e);
	if (rc == 0)
		rc = apply(m, arg, &found, &c, e);
	if (rc == 0)
		rc = manage_commit(m, &c, e);
	json_decref(found.json);
	json_decref(c.after);
	json_decref(c.answer);
	return rc;
}

int
manage_update(struct manage *m, const struct manage_object *o, const char *id,
    const char *action,
    int (*apply)(struct manage *, void *, const struct manage_found *,
	struct manage_change *, struct err *),
    void *arg, struct err *e)
{
	bool named = http_header(m->req, "if-match") != NULL;
	int rc = -1;

	for (int i = 0; i < TRIES; i++) {
		*e = (struct err){ 0 };
		rc = update_once(m, o, id, action, apply, arg, e);
		if (rc >= 0 || named || !lost_race(e))
			return rc;
	}
	return rc;
}
