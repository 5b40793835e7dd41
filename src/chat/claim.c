/*
 * Idempotency keys: of all requests of one caller with one key, one runs.
 *
 * The row in idempotency_keys decides, whichever worker or host they come to;
 * it is committed before the provider is asked.  The place of the turn in
 * shared memory carries the key too, so that those who come to the same host
 * meanwhile need no query.  The answer is written with the turn; what ended
 * without one gives the key back, and the next one who asks runs.  A claim
 * whose worker has died is taken back with the worker's turns.
 *
 * Without the database nothing can be claimed: the request is refused, since a
 * second turn is worse than none.
 */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "auth/key.h"
#include "chat/store_priv.h"
#include "chat/turn_priv.h"
#include "crypto/hash.h"
#include "db/writer.h"
#include "shm/procs.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define HASH_TEXT 68 /* \x and 64 digits */
#define SCOPE_MAX 1024
#define CLAIM_TIME (5 * CLOCK_S)
/* Between looks whether the reader has left, and at the database. */
#define LOOK_MS 250
#define ASK_LEAST_MS 10
#define ASK_MOST_MS 250
#define ANSWER_LIMITS ((struct json_limits){ 64, 1000000 })

enum claim { CLAIM_OURS, CLAIM_RUNS, CLAIM_ANSWERED };

static void
hash_text(const unsigned char hash[32], char out[HASH_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'x';
	for (int i = 0; i < 32; i++) {
		*out++ = digits[hash[i] >> 4];
		*out++ = digits[hash[i] & 15];
	}
	*out = '\0';
}

/*
 * Who may find an answer again.  A widget key is public, and an answer names
 * the session: so a visitor is known by that, or by where he first comes from,
 * unless he is named.
 */
static void
hash_key(struct chat_turn_priv *p)
{
	const struct chat_ask *ask = p->ask;
	bool widget = ask->key->kind == KEY_WIDGET;
	bool placed =
	    widget && !ask->session_key && id_is_nil(&ask->key->visitor);
	struct uuid owner = key_owner(ask->key);
	char key[UUID_TEXT], text[SCOPE_MAX];
	int n;

	id_format(widget ? &owner : &ask->key->id, key);
	n = snprintf(text, sizeof(text), "%s %s %s %s", key,
	    widget && ask->session_key ? ask->session_key : "",
	    placed && ask->client_address ? ask->client_address : "",
	    ask->idempotency_key);
	crypto_sha256(text, (size_t)n, p->key_hash);
}

/* The key in shared memory; half of a hash is one still. */
static struct uuid
short_key(const struct chat_turn_priv *p)
{
	struct uuid u;

	memcpy(u.b, p->key_hash, sizeof(u.b));
	return u;
}

static int
read_answer(struct chat_turn *t, const struct db_result *r, struct err *e)
{
	if (json_parse(db_text(r, 0, 2), db_len(r, 0, 2), &ANSWER_LIMITS,
		&t->replay, NULL) < 0)
		return err_set(e, ERR_INTERNAL, "a stored answer is no JSON");
	json_object_set_new(t->replay, "reply",
	    json_stringn(db_text(r, 0, 3), db_len(r, 0, 3)));
	if (!db_null(r, 0, 4) &&
	    json_parse(db_text(r, 0, 4), db_len(r, 0, 4), &ANSWER_LIMITS,
		&t->tool_offsets, NULL) < 0)
		return err_set(e, ERR_INTERNAL, "stored offsets are no JSON");
	return 0;
}

static int
read_claim(struct chat_turn *t, const struct db_result *r, enum claim *what,
    struct err *e)
{
	*what = CLAIM_RUNS;
	if (db_rows(r) == 0 || db_uuid(r, 0, 0, &t->priv->claimant) < 0)
		return 0; /* given back meanwhile */
	if (!db_bool(r, 0, 1))
		return err_set_kind(e, ERR_INVALID, "idempotency-key-reused", 0,
		    "another request was made with this Idempotency-Key");
	if (db_null(r, 0, 2))
		return 0;
	*what = CLAIM_ANSWERED;
	return read_answer(t, r, e);
}

/* Claim the key for this turn, or learn what there is: one round trip. */
static int
try_claim(struct chat_turn *t, enum claim *what, struct err *e)
{
	static const struct uuid nobody;
	struct chat_turn_priv *p = t->priv;
	const struct proc *self = procs_self();
	char account[UUID_TEXT], turn[UUID_TEXT], worker[UUID_TEXT];
	char key[HASH_TEXT], request[HASH_TEXT];
	void *ctx = mem_root("claim");
	int rc;

	id_format(&t->account->id, account);
	id_format(&t->id, turn);
	id_format(self ? &self->id : &nobody, worker);
	hash_text(p->key_hash, key);
	hash_text(p->ask->request_hash, request);
	struct db_call calls[2] = {
		{ .stmt = &chat_stmt_key_claim,
		    .param = { account, key, request, turn, worker },
		    .nparams = 5 },
		{ .stmt = &chat_stmt_key,
		    .param = { account, key, request },
		    .nparams = 3 },
	};

	rc = db_run(p->deps->db, DB_WRITE, &t->account->id, calls, 2,
	    clock_mono() + CLAIM_TIME, ctx, e);
	if (rc < 0) /* it may have been committed */
		writer_post(p->deps->writer, piece_of_free_key(t));
	else if (db_rows(calls[0].result) > 0)
		*what = CLAIM_OURS;
	else
		rc = read_claim(t, calls[1].result, what, e);
	mem_free(ctx);
	return rc;
}

/* Take a place that shows the key, then claim; give the place back if it is
 * somebody else's. */
static int
claim_in_place(struct chat_turn *t, enum claim *what, struct err *e)
{
	static const struct uuid no_session;
	struct chat_turn_priv *p = t->priv;
	const struct uuid key = short_key(p);
	int rc;

	id_new(&t->id);
	p->live = live_enter(&t->id, &t->account->id, &no_session);
	if (!p->live)
		return err_set_kind(e, ERR_UNAVAILABLE, "overloaded", 1,
		    "all places for running turns are taken; try again");
	live_key(p->live, &key);
	rc = try_claim(t, what, e);
	if (rc == 0 && *what == CLAIM_OURS) {
		p->claimed = true;
		return 0;
	}
	live_leave(p->live);
	p->live = NULL;
	return rc;
}

/* While the first one runs on this host: wait, without a query. */
static int
wait_here(const struct chat_turn *t, struct err *e)
{
	const struct chat_turn_priv *p = t->priv;
	const struct uuid key = short_key(p);
	struct uuid first;
	struct follow f;

	if (!live_find_key(&key, &t->account->id, &first) ||
	    !live_follow(&first, &f))
		return 0;
	while (live_follow_runs(&f) && clock_mono() < p->deadline) {
		if (p->sink->wait(p->sink, 0) < 0)
			return err_set(e, ERR_GONE, "the reader left");
		live_follow_wait(&f, LOOK_MS);
	}
	return 0;
}

int
turn_claim(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	enum claim what = CLAIM_RUNS;
	int pause_ms = ASK_LEAST_MS;

	if (!p->ask->idempotency_key)
		return 0;
	hash_key(p);
	for (;;) {
		/* A stream is followed, once it is known to be the same. */
		if ((!p->ask->stream && wait_here(t, e) < 0) ||
		    claim_in_place(t, &what, e) < 0)
			return -1;
		if (what != CLAIM_RUNS)
			break;
		if (clock_mono() >= p->deadline)
			return err_set_kind(e, ERR_CONFLICT,
			    "idempotency-key-in-use", 2,
			    "the first request with this Idempotency-Key has "
			    "no answer yet");
		if (p->ask->stream && live_runs(&p->claimant)) {
			t->id = p->claimant;
			t->attach = true;
			return 0;
		}
		/* on another host, or its end is being written */
		if (p->sink->wait(p->sink, pause_ms) < 0)
			return err_set(e, ERR_GONE, "the reader left");
		pause_ms =
		    pause_ms * 2 < ASK_MOST_MS ? pause_ms * 2 : ASK_MOST_MS;
	}
	/* What it waited for was not its own time. */
	p->begun = clock_mono();
	t->started_us = clock_wall_us();
	return 0;
}
