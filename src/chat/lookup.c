/*
 * A turn as others see it: stored, written down as running, or known to shared
 * memory only; and asking a running one to stop.
 */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "agent/catalog.h"
#include "agent/spec.h"
#include "auth/key.h"
#include "auth/session_key.h"
#include "chat/live.h"
#include "chat/recall.h"
#include "chat/session.h"
#include "chat/session_priv.h"
#include "chat/store_priv.h"
#include "chat/turn.h"
#include "util/mem.h"

#include "util/banned.h"

/* Who asks for which turn. */
struct asked {
	const struct chat_deps *deps;
	const struct account *account;
	const struct key *key;
	const struct uuid *turn;
	const char *session_key;
	int64_t deadline;
	json_t **offsets; /* where its tools were called; NULL: not asked */
};

static json_t *
finished_json(const char *turn, const struct uuid *id, const char *session_key,
    const struct db_result *r)
{
	struct uuid reply;
	char message[UUID_TEXT];

	id_reply_message(id, &reply);
	id_format(&reply, message);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:o, s:o,"
			 " s:o, s:o, s:s, s:o, s:I, s:o, s:o}",
	    "turn_id", turn, "session_key", session_key, "state",
	    db_text(r, 0, 1), "message_id", message, "reply", db_text(r, 0, 2),
	    "agent", "type", db_text(r, 0, 3), "name", db_text(r, 0, 4),
	    "model",
	    db_null(r, 0, 5) ? json_null() : json_string(db_text(r, 0, 5)),
	    "usage",
	    json_pack("{s:I, s:I, s:I, s:I, s:o, s:b}", "input_tokens",
		(json_int_t)db_int(r, 0, 6), "output_tokens",
		(json_int_t)db_int(r, 0, 7), "cached_input_tokens",
		(json_int_t)db_int(r, 0, 8), "reasoning_tokens",
		(json_int_t)db_int(r, 0, 9), "cost_usd",
		db_null(r, 0, 10) ? json_null()
				  : json_real((double)db_int(r, 0, 10) / 1e9),
		"estimated", (int)db_bool(r, 0, 11)),
	    "tool_calls", session_stored_json(r, 0, 12), "citations",
	    session_stored_json(r, 0, 13), "finish_reason", db_text(r, 0, 14),
	    "error",
	    db_null(r, 0, 15) ? json_null() : json_string(db_text(r, 0, 15)),
	    "latency_ms", (json_int_t)db_int(r, 0, 16), "started_at",
	    session_time_json(db_int(r, 0, 17)), "finished_at",
	    session_time_json(db_int(r, 0, 18)));
}

/* A turn that runs says nothing of itself yet. */
static json_t *
running_json(const char *turn, const char *session_key)
{
	return json_pack("{s:s, s:s?, s:s, s:n}", "turn_id", turn,
	    "session_key", session_key, "state", "running", "reply");
}

/* What never changes of ${session}; 1, 0 there is none, or -1. */
static int
session_of(const struct asked *a, const struct uuid *session, const void *ctx,
    struct recall_session *out, struct err *e)
{
	char account[UUID_TEXT], id[UUID_TEXT];
	struct db_call call = { .stmt = &chat_stmt_session_facts,
		.param = { account, id },
		.nparams = 2 };
	const struct uuid *tenant = &a->account->id;

	if (recall_session(a->deps->recall, tenant, session, out))
		return 1;
	id_format(tenant, account);
	id_format(session, id);
	if (db_run(a->deps->db, DB_READ, tenant, &call, 1, a->deadline, ctx,
		e) < 0)
		return -1;
	if (db_rows(call.result) == 0)
		return 0;
	memset(out, 0, sizeof(*out));
	snprintf(out->key, sizeof(out->key), "%s", db_text(call.result, 0, 0));
	(void)db_uuid(call.result, 0, 1, &out->widget);
	(void)db_uuid(call.result, 0, 2, &out->visitor);
	recall_keep_session(a->deps->recall, tenant, session, out);
	return 1;
}

/* Whoever has a widget's key sees what nobody in particular has said through
 * it, a visitor who is named what she has; and of that, where a session is
 * named, that session. */
static bool
may_see(const struct asked *a, const struct recall_session *s)
{
	return a->key->kind != KEY_WIDGET ||
	       (id_eq(&s->widget, &a->key->id) &&
		   id_eq(&s->visitor, &a->key->visitor) &&
		   (!a->session_key || strcmp(a->session_key, s->key) == 0));
}

/* 1 found, 0 not, -1.  Running first: a turn that ends meanwhile is then found
 * among the stored ones. */
static int
find_written(const struct asked *a, const char *turn, const void *ctx,
    json_t **ret, struct err *e)
{
	char account[UUID_TEXT];
	struct db_call calls[2] = {
		{ .stmt = &chat_stmt_turn_open,
		    .param = { account, turn },
		    .nparams = 2 },
		{ .stmt = &chat_stmt_turn,
		    .param = { account, turn },
		    .nparams = 2 },
	};
	const struct db_result *stored, *row;
	struct recall_session s;
	struct uuid session;
	int rc;

	id_format(&a->account->id, account);
	if (db_run(a->deps->db, DB_READ, &a->account->id, calls, 2, a->deadline,
		ctx, e) < 0)
		return -1;
	stored = calls[1].result;
	row = db_rows(stored) > 0 ? stored : calls[0].result;
	if (db_rows(row) == 0 || db_uuid(row, 0, 0, &session) < 0)
		return 0;
	rc = session_of(a, &session, ctx, &s, e);
	if (rc <= 0 || !may_see(a, &s))
		return rc < 0 ? -1 : 0;
	if (row == stored) {
		*ret = finished_json(turn, a->turn, s.key, stored);
		if (a->offsets && *ret && !db_null(stored, 0, 19))
			*a->offsets = session_stored_json(stored, 0, 19);
	} else {
		*ret = running_json(turn, s.key);
	}
	return *ret ? 1 : err_set(e, ERR_INTERNAL, "a turn that is no JSON");
}

/* Does it run, too young to be written down? */
static bool
find_young(const struct asked *a, const char *turn, json_t **ret)
{
	struct uuid session, owner = key_owner(a->key);
	char made[SESSION_KEY_TEXT];
	const char *session_key = NULL;

	if (!live_find(a->turn, &a->account->id, &session))
		return false;
	if (a->key->kind == KEY_WIDGET) {
		if (!live_of_owner(a->turn, &a->account->id, &owner))
			return false;
		/* the only key a widget's session can have */
		session_key_make(&a->account->id, &session, &owner, made);
		session_key = made;
		if (a->session_key && strcmp(a->session_key, made) != 0)
			return false;
	}
	*ret = running_json(turn, session_key);
	return true;
}

static int
find_turn(const struct asked *a, json_t **ret, struct err *e)
{
	void *ctx = mem_root("turn lookup");
	char turn[UUID_TEXT];
	int found;

	id_format(a->turn, turn);
	found = find_written(a, turn, ctx, ret, e);
	if (found == 0)
		found = find_young(a, turn, ret);
	/* it may have ended between the two looks */
	if (found == 0)
		found = find_written(a, turn, ctx, ret, e);
	mem_free(ctx);
	if (found == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such turn");
	return found < 0 ? -1 : 0;
}

int
chat_turn_get(const struct chat_deps *deps, const struct account *account,
    const struct key *key, const struct uuid *turn, const char *session_key,
    int64_t deadline, json_t **ret, struct err *e)
{
	const struct asked a = { deps, account, key, turn, session_key,
		deadline, NULL };

	return find_turn(&a, ret, e);
}

/* As it is shown now; an agent that is no more has its name. */
static void
add_display_name(const struct asked *a, json_t *agent)
{
	const char *type = json_string_value(json_object_get(agent, "type"));
	const char *name = json_string_value(json_object_get(agent, "name"));
	const struct agent_spec *spec = NULL;
	struct err e;

	if (!type || !name)
		return;
	if (catalog_get(a->deps->catalog, a->account, type, name, a->deadline,
		&spec, &e) == 0)
		name = spec->display_name;
	json_object_set_new(agent, "display_name", json_string(name));
	if (spec)
		agent_spec_unref(spec);
}

int
chat_turn_events(const struct chat_deps *deps, const struct account *account,
    const struct key *key, const struct uuid *turn, const char *session_key,
    int64_t deadline, json_t **ret, json_t **offsets, struct err *e)
{
	const struct asked a = { deps, account, key, turn, session_key,
		deadline, offsets };

	*offsets = NULL;
	if (find_turn(&a, ret, e) < 0)
		return -1;
	add_display_name(&a, json_object_get(*ret, "agent"));
	return 0;
}

static bool
is_running(const json_t *turn)
{
	const char *state = json_string_value(json_object_get(turn, "state"));

	return state && strcmp(state, "running") == 0;
}

int
chat_turn_stop(const struct chat_deps *deps, const struct account *account,
    const struct key *key, const struct uuid *turn, const char *session_key,
    int64_t deadline, json_t **ret, bool *asked, struct err *e)
{
	const struct asked a = { deps, account, key, turn, session_key,
		deadline, NULL };
	json_t *found;

	if (find_turn(&a, &found, e) < 0)
		return -1;
	*asked = is_running(found) && live_cancel(turn, &account->id);
	if (is_running(found) && !*asked) {
		/* It has just ended, or runs on another host. */
		json_decref(found);
		if (find_turn(&a, &found, e) < 0)
			return -1;
		if (is_running(found)) {
			json_decref(found);
			return err_set_kind(e, ERR_UNAVAILABLE, NULL, 2,
			    "the turn's worker cannot be reached from here");
		}
	}
	*ret = found;
	return 0;
}
