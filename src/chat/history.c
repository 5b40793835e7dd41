/*
 * Sessions from the side of a turn.  Keys made by the server carry the
 * session's id with a MAC, so they are checked without a query; names that API
 * callers chose are looked up in session_names together with everything else.
 */
#include "chat/history.h"

#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "auth/key.h"
#include "auth/session_key.h"
#include "chat/recall.h"
#include "chat/store_priv.h"
#include "shm/unstored.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

/* Our own estimate never makes more of a token (llm/estimate.c). */
#define BYTES_PER_TOKEN 8

static const struct uuid nil;

static void
begin_new(
    const struct account *account, const struct key *key, struct history *h)
{
	struct uuid owner = key_owner(key);

	id_new(&h->session);
	session_key_make(&account->id, &h->session, &owner, h->key);
	h->fresh = true;
}

int
history_session(const struct account *account, const struct key *key,
    const char *shown, struct history *h, struct err *e)
{
	struct uuid owner = key_owner(key);

	memset(h, 0, sizeof(*h));
	if (!shown) {
		h->how = SESSION_NEW;
		begin_new(account, key, h);
		return 0;
	}
	if (session_key_check(shown, &account->id, &owner, &h->session))
		h->how = SESSION_PROVEN;
	else if (key->kind == KEY_WIDGET)
		return err_set(e, ERR_NOT_FOUND, "there is no such session");
	else if (!session_name_ok(shown))
		return err_set(e, ERR_INVALID,
		    "session_key must be 1 to 128 of A-Z a-z 0-9 . _ : -");
	else if (session_key_peek(shown, &h->session))
		h->how = SESSION_SHOWN;
	else
		h->how = SESSION_NAMED;
	snprintf(h->key, sizeof(h->key), "%s", shown);
	return 0;
}

void
history_least_turn(const struct uuid *session, struct uuid *out)
{
	int64_t ms = id_time_ms(session) - HISTORY_SLACK_MS;

	memset(out, 0, sizeof(*out));
	for (int i = 5; i >= 0 && ms > 0; i--, ms >>= 8)
		out->b[i] = (uint8_t)(ms & 0xff);
}

void
history_select(const struct db_result *rows, int64_t tokens, const void *ctx,
    struct history *h)
{
	int total = db_rows(rows), fit = 0;

	for (; fit < total; fit++) {
		for (int col = 0; col < 2; col++)
			tokens -= llm_estimate_tokens(
			    db_text(rows, fit, col), db_len(rows, fit, col));
		if (tokens < 0)
			break;
	}
	h->messages = mem_array(ctx, struct llm_message, 2 * (size_t)fit);
	h->n = 0;
	for (int row = fit - 1; row >= 0; row--) {
		h->messages[h->n++] = (struct llm_message){
			.role = LLM_USER,
			.text = db_text(rows, row, 0),
			.len = db_len(rows, row, 0),
		};
		/* a turn that failed may have said nothing */
		if (db_len(rows, row, 1) > 0)
			h->messages[h->n++] = (struct llm_message){
				.role = LLM_ASSISTANT,
				.text = db_text(rows, row, 1),
				.len = db_len(rows, row, 1),
			};
	}
}

/* Parameters as text, alive while the statements run. */
struct texts {
	char account[UUID_TEXT], session[UUID_TEXT], agent[UUID_TEXT];
	char least[UUID_TEXT], turns[24], bytes[24];
};

static void
write_texts(
    const struct history_ask *ask, const struct uuid *session, struct texts *t)
{
	struct uuid least;

	id_format(&ask->account->id, t->account);
	id_format(session, t->session);
	id_format(&ask->agent, t->agent);
	history_least_turn(session, &least);
	id_format(&least, t->least);
	snprintf(t->turns, sizeof(t->turns), "%d", ask->turns);
	snprintf(t->bytes, sizeof(t->bytes), "%lld",
	    (long long)ask->tokens * BYTES_PER_TOKEN);
}

/* What one look has found. */
struct look {
	bool found;
	struct uuid session;
	int64_t last_us;              /* its last activity; 0: no row yet */
	const struct db_result *said; /* NULL: not asked for */
};

static int64_t
last_of(const struct db_result *r)
{
	return db_rows(r) == 0 || db_null(r, 0, 1) ? 0 : db_int(r, 0, 1);
}

static bool
wants_messages(const struct history_ask *ask)
{
	return ask->turns > 0 && ask->tokens > 0;
}

/*
 * Session and messages by the session's id, in one round trip, and where it is
 * known by a name whether that still means it.  PostgreSQL looks into no month
 * but the right ones.
 */
static int
look_by_id(const struct history_ask *ask, const struct history *h,
    const struct uuid *session, const void *ctx, struct look *out,
    struct err *e)
{
	bool named = h->how == SESSION_NAMED;
	struct db_call calls[3] = { 0 };
	struct uuid means;
	struct texts t;
	int n = 0;

	write_texts(ask, session, &t);
	if (named)
		calls[n++] = (struct db_call){ .stmt = &chat_stmt_name,
			.param = { t.account, h->key },
			.nparams = 2 };
	calls[n++] = (struct db_call){ .stmt = &chat_stmt_session,
		.param = { t.account, t.session,
		    h->how == SESSION_SHOWN ? h->key : NULL },
		.nparams = 3 };
	calls[n] = (struct db_call){ .stmt = &chat_stmt_history,
		.param = { t.account, t.session, t.agent, t.turns, t.bytes,
		    t.least },
		.nparams = 6 };
	if (db_run(ask->db, DB_READ, &ask->account->id, calls,
		wants_messages(ask) ? n + 1 : n, ask->deadline, ctx, e) < 0)
		return -1;
	out->session = *session;
	out->found = db_rows(calls[0].result) > 0;
	if (named && out->found &&
	    db_uuid(calls[0].result, 0, 0, &means) == 0 &&
	    !id_eq(&means, session)) {
		recall_keep_name(
		    ask->recall, &ask->account->id, h->key, &means);
		return 0;
	}
	out->last_us = last_of(calls[n - 1].result);
	out->said = calls[n].result;
	return 1;
}

/* The same by a name of which nothing is remembered. */
static int
look_by_name(const struct history_ask *ask, const struct history *h,
    const void *ctx, struct look *out, struct err *e)
{
	struct db_call calls[2] = { 0 };
	struct texts t;

	write_texts(ask, &nil, &t);
	calls[0] = (struct db_call){ .stmt = &chat_stmt_named,
		.param = { t.account, h->key },
		.nparams = 2 };
	calls[1] = (struct db_call){ .stmt = &chat_stmt_history_named,
		.param = { t.account, h->key, t.agent, t.turns, t.bytes },
		.nparams = 5 };
	if (db_run(ask->db, DB_READ, &ask->account->id, calls,
		wants_messages(ask) ? 2 : 1, ask->deadline, ctx, e) < 0)
		return -1;
	out->found = db_rows(calls[0].result) > 0;
	if (!out->found)
		return 1;
	if (db_uuid(calls[0].result, 0, 0, &out->session) < 0)
		return err_set(e, ERR_INTERNAL, "a session name without id");
	recall_keep_name(ask->recall, &ask->account->id, h->key, &out->session);
	out->last_us = last_of(calls[0].result);
	out->said = calls[1].result;
	return 1;
}

/* 1 with *out, 0 look again: the name means another session by now, or -1. */
static int
look(const struct history_ask *ask, const struct history *h, const void *ctx,
    struct look *out, struct err *e)
{
	struct uuid session;

	memset(out, 0, sizeof(*out));
	if (h->how != SESSION_NAMED)
		return look_by_id(ask, h, &h->session, ctx, out, e);
	if (recall_name(ask->recall, &ask->account->id, h->key, &session))
		return look_by_id(ask, h, &session, ctx, out, e);
	return look_by_name(ask, h, ctx, out, e);
}

/*
 * Let the name mean ${fresh}, unless it means something else than ${old} (nil:
 * anything) by now; what it means goes to *now.
 */
static int
claim(const struct history_ask *ask, const struct history *h,
    const struct uuid *fresh, const struct uuid *old, struct uuid *now,
    const void *ctx, struct err *e)
{
	char account[UUID_TEXT], fresh_text[UUID_TEXT], old_text[UUID_TEXT];

	id_format(&ask->account->id, account);
	id_format(fresh, fresh_text);
	id_format(old, old_text);
	struct db_call call = { .stmt = &chat_stmt_claim,
		.param = { account, h->key, fresh_text,
		    id_is_nil(old) ? NULL : old_text },
		.nparams = 4 };

	if (db_run(ask->db, DB_WRITE, &ask->account->id, &call, 1,
		ask->deadline, ctx, e) < 0)
		return -1;
	if (db_rows(call.result) != 1 || db_uuid(call.result, 0, 0, now) < 0)
		return err_set(
		    e, ERR_INTERNAL, "a session name could not be claimed");
	recall_keep_name(ask->recall, &ask->account->id, h->key, now);
	return 0;
}

/* When the session was last used; before its first turn is stored, its own
 * time must do. */
static int64_t
last_activity(const struct look *l)
{
	return l->last_us != 0 ? l->last_us : id_time_ms(&l->session) * 1000;
}

int
history_stored(const struct uuid *session, unsigned *round, struct err *e)
{
	if (!unstored_maybe(session, round))
		return 0;
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
	    "the session's last turn is still on its way to the database");
}

/* 1 done, 0 look again (somebody else has claimed the name), -1. */
static int
load_once(const struct history_ask *ask, const void *ctx, struct history *h,
    struct err *e)
{
	struct uuid old = nil, fresh;
	unsigned before, round;
	struct look l;
	int rc;

	/* Never without its memory.  A name's session is known afterwards. */
	if (history_stored(&h->session, &before, e) < 0)
		return -1;
	rc = look(ask, h, ctx, &l, e);
	if (rc <= 0)
		return rc;
	if (h->how == SESSION_SHOWN && !l.found) {
		h->how = SESSION_NAMED;
		return 0;
	}
	if (h->how == SESSION_NAMED && l.found)
		h->session = l.session;
	if (history_stored(&h->session, &round, e) < 0)
		return -1;
	if (round != before)
		return 0;
	if ((l.found || h->how == SESSION_PROVEN) &&
	    ask->now_us - last_activity(&l) < ask->idle_us) {
		if (l.said)
			history_select(l.said, ask->tokens, ctx, h);
		return 1;
	}

	/* unknown, or idle for too long: a new session */
	if (h->how != SESSION_NAMED) {
		begin_new(ask->account, ask->key, h);
		return 1;
	}
	if (l.found)
		old = h->session;
	id_new(&fresh);
	if (claim(ask, h, &fresh, &old, &h->session, ctx, e) < 0)
		return -1;
	h->fresh = id_eq(&h->session, &fresh);
	return h->fresh ? 1 : 0;
}

int
history_load(const struct history_ask *ask, const void *ctx, struct history *h,
    struct err *e)
{
	if (h->how == SESSION_NEW)
		return 0;
	/* Shown, then taken for a name, remembered wrongly, then claimed by
	 * somebody else: four looks end it, unless the clock jumps about. */
	for (int i = 0; i < 5; i++) {
		int rc = load_once(ask, ctx, h, e);

		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
	    "the session is being started by others; try again");
}
