/*
 * Sessions as others read them: a session's messages, and feedback on them.
 */
#include "chat/session.h"

#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "chat/history.h"
#include "chat/session_priv.h"
#include "chat/store_priv.h"
#include "chat/turn.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

/* What we stored ourselves: the limits only stop a broken table. */
#define STORED_LIMITS ((struct json_limits){ 64, 1000000 })

json_t *
session_stored_json(const struct db_result *r, int row, int col)
{
	json_t *v;

	if (json_parse(db_text(r, row, col), db_len(r, row, col),
		&STORED_LIMITS, &v, NULL) < 0)
		return json_array();
	return v;
}

json_t *
session_time_json(int64_t wall_us)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_rfc3339(wall_us, text);
	return json_string(text);
}

/* The session that ${shown} means to this caller. */
static int
find_session(const struct chat_deps *deps, const struct account *account,
    const struct key *key, const char *shown, int64_t deadline, const void *ctx,
    struct uuid *session, struct err *e)
{
	char account_text[UUID_TEXT], session_text[UUID_TEXT];
	struct history h;
	unsigned round;

	if (history_session(account, key, shown, &h, e) < 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such session");
	*session = h.session;
	if (h.how == SESSION_PROVEN)
		return history_stored(session, &round, e);
	id_format(&account->id, account_text);
	id_format(&h.session, session_text);

	struct db_call calls[2] = {
		{ .stmt = &chat_stmt_session,
		    .param = { account_text, session_text, shown },
		    .nparams = 3 },
		{ .stmt = &chat_stmt_named,
		    .param = { account_text, shown },
		    .nparams = 2 },
	};
	if (db_run(deps->db, DB_READ, &account->id, calls, 2, deadline, ctx,
		e) < 0)
		return -1;
	for (int i = h.how == SESSION_SHOWN ? 0 : 1; i < 2; i++)
		if (db_rows(calls[i].result) > 0 &&
		    db_uuid(calls[i].result, 0, 0, session) == 0)
			return history_stored(session, &round, e);
	return err_set(e, ERR_NOT_FOUND, "there is no such session");
}

enum who { WHO_TURN = 0, WHO_USER = 1, WHO_AGENT = 2 };

/* Whose message is it, and of which turn? */
static enum who
split_message(const struct uuid *message, struct uuid *turn)
{
	*turn = *message;
	turn->b[15] &= 0xfc;
	return (enum who)(message->b[15] & 3);
}

static json_t *
message_json(const struct db_result *r, int row, enum who who)
{
	struct uuid turn, id;
	char turn_text[UUID_TEXT], id_text[UUID_TEXT];
	int text = who == WHO_USER ? 1 : 2, time = who == WHO_USER ? 10 : 11;

	if (db_uuid(r, row, 0, &turn) < 0)
		return NULL;
	if (who == WHO_USER)
		id_user_message(&turn, &id);
	else
		id_reply_message(&turn, &id);
	id_format(&turn, turn_text);
	id_format(&id, id_text);

	json_t *m = json_pack("{s:s, s:s, s:s, s:o, s:s, s:{s:s, s:s}}", "id",
	    id_text, "role", who == WHO_USER ? "user" : "assistant", "content",
	    db_text(r, row, text), "created_at",
	    session_time_json(db_int(r, row, time)), "turn_id", turn_text,
	    "agent", "type", db_text(r, row, 5), "name", db_text(r, row, 6));

	if (who == WHO_USER || !m)
		return m;
	json_object_set_new(m, "model",
	    db_null(r, row, 7) ? json_null() : json_string(db_text(r, row, 7)));
	json_object_set_new(m, "status", json_string(db_text(r, row, 3)));
	json_object_set_new(
	    m, "finish_reason", json_string(db_text(r, row, 4)));
	json_object_set_new(m, "tool_calls", session_stored_json(r, row, 8));
	json_object_set_new(m, "citations", session_stored_json(r, row, 9));
	json_object_set_new(m, "rating",
	    db_null(r, row, 12) ? json_null()
				: json_integer(db_int(r, row, 12)));
	return m;
}

/* Who has asked it: for those who look after the account. */
static void
add_caller(const struct db_result *r, int row, json_t *m)
{
	static const struct {
		const char *kind;
		int col;
	} kinds[] = { { "user", 15 }, { "api_key", 13 }, { "widget_key", 14 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!db_null(r, row, kinds[i].col))
			json_object_set_new(m, "caller",
			    json_pack("{s:s, s:s}", "kind", kinds[i].kind, "id",
				db_text(r, row, kinds[i].col)));
}

/* Rows of turns to a page of messages; ${skip}: the first turn's user message
 * was on the page before. */
static json_t *
page_json(const struct db_result *r, int limit, bool skip, bool callers)
{
	json_t *data = json_array();
	bool more = false;

	for (int row = 0; row < db_rows(r) && !more; row++) {
		for (int who = WHO_USER; who <= WHO_AGENT; who++) {
			if (skip && row == 0 && who == WHO_USER)
				continue;
			more = (int)json_array_size(data) == limit;
			if (more)
				break;
			json_t *m = message_json(r, row, (enum who)who);

			if (callers && who == WHO_USER)
				add_caller(r, row, m);
			json_array_append_new(data, m);
		}
	}
	json_t *last =
	    more ? json_array_get(data, json_array_size(data) - 1) : NULL;

	return json_pack(
	    "{s:o, s:O?}", "data", data, "next", json_object_get(last, "id"));
}

int
chat_session_messages(struct db_pool *db, const struct account *account,
    const struct uuid *session, bool callers, int limit,
    const struct uuid *after, int64_t deadline, json_t **ret, struct err *e)
{
	char account_text[UUID_TEXT], session_text[UUID_TEXT];
	char from_text[UUID_TEXT], limit_text[24];
	enum who who = WHO_TURN;
	struct uuid from;
	void *ctx;
	int rc;

	if (after) {
		who = split_message(after, &from);
		if (who != WHO_USER && who != WHO_AGENT)
			return err_set(
			    e, ERR_INVALID, "after is not a message's id");
	} else {
		history_least_turn(session, &from);
	}
	id_format(&account->id, account_text);
	id_format(session, session_text);
	id_format(&from, from_text);
	snprintf(limit_text, sizeof(limit_text), "%d", limit / 2 + 2);

	/* after a user message comes the answer of the same turn */
	struct db_call call = { .stmt = &chat_stmt_messages,
		.param = { account_text, session_text, from_text, limit_text,
		    who == WHO_AGENT ? "false" : "true" },
		.nparams = 5 };

	ctx = mem_root("messages");
	rc = db_run(db, DB_READ, &account->id, &call, 1, deadline, ctx, e);
	if (rc == 0)
		*ret = page_json(call.result, limit, who == WHO_USER, callers);
	mem_free(ctx);
	return rc;
}

int
chat_messages_list(const struct chat_deps *deps, const struct account *account,
    const struct key *key, const char *session_key, int limit,
    const struct uuid *after, int64_t deadline, json_t **ret, struct err *e)
{
	struct uuid session, turn;
	void *ctx;
	int rc;

	if (after && split_message(after, &turn) == WHO_TURN)
		return err_set(e, ERR_INVALID, "after is not a message's id");
	ctx = mem_root("session");
	rc = find_session(
	    deps, account, key, session_key, deadline, ctx, &session, e);
	mem_free(ctx);
	if (rc < 0)
		return -1;
	return chat_session_messages(
	    deps->db, account, &session, false, limit, after, deadline, ret, e);
}

int
chat_feedback(const struct chat_deps *deps, const struct account *account,
    const struct key *key, const char *session_key, const struct uuid *message,
    int rating, const char *comment, int64_t deadline, bool *first,
    struct err *e)
{
	char account_text[UUID_TEXT], session_text[UUID_TEXT];
	char turn_text[UUID_TEXT];
	struct uuid session, turn;
	void *ctx = mem_root("feedback");
	int rc = -1;

	if (split_message(message, &turn) != WHO_AGENT) {
		err_set(
		    e, ERR_NOT_FOUND, "there is no such message of an agent");
		goto out;
	}
	if (find_session(deps, account, key, session_key, deadline, ctx,
		&session, e) < 0)
		goto out;
	id_format(&account->id, account_text);
	id_format(&session, session_text);
	id_format(&turn, turn_text);

	struct db_call call = { .stmt = &chat_stmt_feedback,
		.param = { account_text, turn_text, session_text,
		    rating > 0 ? "1" : "-1", comment },
		.nparams = 5 };

	if (db_run(deps->db, DB_WRITE, &account->id, &call, 1, deadline, ctx,
		e) < 0)
		goto out;
	if (db_rows(call.result) == 0) {
		err_set(
		    e, ERR_NOT_FOUND, "there is no such message of an agent");
		goto out;
	}
	*first = db_bool(call.result, 0, 0);
	rc = 0;
out:
	mem_free(ctx);
	return rc;
}

int
chat_handoff(const struct chat_deps *deps, const struct account *account,
    const struct key *key, const char *session_key, int64_t deadline,
    json_t **ret, bool *first, struct err *e)
{
	char account_text[UUID_TEXT], session_text[UUID_TEXT];
	struct db_call call = { .stmt = &chat_stmt_handoff,
		.param = { account_text, session_text },
		.nparams = 2 };
	void *ctx = mem_root("handoff");
	struct uuid session;
	int rc = -1;

	if (find_session(deps, account, key, session_key, deadline, ctx,
		&session, e) < 0)
		goto out;
	id_format(&account->id, account_text);
	id_format(&session, session_text);
	if (db_run(deps->db, DB_WRITE, &account->id, &call, 1, deadline, ctx,
		e) < 0)
		goto out;
	if (db_rows(call.result) == 0) {
		err_set(e, ERR_NOT_FOUND, "there is no such session");
		goto out;
	}
	*first = db_bool(call.result, 0, 1);
	*ret = json_pack("{s:s, s:s}", "session_key", session_key, "handoff_at",
	    db_text(call.result, 0, 0));
	rc = 0;
out:
	mem_free(ctx);
	return rc;
}
