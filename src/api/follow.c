/*
 * While the turn runs on this host its events stand in a log on tmpfs, and its
 * bell in shared memory rings when there are more.  When the log ends without
 * the stream's end (too long, or its worker has died), or there is none
 * (another host, or too late), the rest follows from the stored turn: the
 * position says how much of it the reader has.
 */
#include "api/follow.h"

#include <string.h>

#include "account/account.h"
#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/position.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/telling.h"
#include "auth/key.h"
#include "chat/event_log.h"
#include "chat/live.h"
#include "chat/session.h"
#include "http/request.h"
#include "http/response.h"
#include "http/sse.h"
#include "util/clock.h"
#include "util/json.h"

#include "util/banned.h"

/* Between looks whether the reader is there; the turn waits for one as long as
 * it is followed, so often enough (chat/live.h). */
#define LOOK_MS 250
#define READ_TIME (5 * CLOCK_S)
/* A turn that ran and is nowhere any more: its worker has died before it was
 * written down. */
#define LOST_AFTER (3 * CLOCK_S)

struct following {
	struct app *app;
	struct telling *f;
	const struct caller *who;
	const struct uuid *turn;
	const char *session; /* narrows a widget's caller, or NULL */
	struct event_reader *log;
	struct follow live;
	bool seen;    /* it is the caller's, and there */
	int64_t told; /* position at the last look */
	int64_t beat; /* something was last sent */
	int64_t lost; /* since when it is nowhere, 0 */
	int64_t deadline;
};

/* The turn's agent is that of the address, its session the one named. */
static bool
is_meant(const struct following *x, const json_t *shown)
{
	const json_t *agent = json_object_get(shown, "agent");
	const struct http_req *req = x->f->req;
	const char *type = json_string_value(json_object_get(agent, "type"));
	const char *name = json_string_value(json_object_get(agent, "name"));
	const char *session =
	    json_string_value(json_object_get(shown, "session_key"));

	return type && name && strcmp(type, http_var(req, "agent_type")) == 0 &&
	       strcmp(name, http_var(req, "instance_name")) == 0 &&
	       (!x->session || (session && strcmp(session, x->session) == 0));
}

static int
not_there(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "there is no such turn");
}

/* The first event says whose it is. */
static int
check_first(struct following *x, const struct event *ev, struct err *e)
{
	json_t *shown = json_loadb(ev->data, ev->len, 0, NULL);
	bool meant = strcmp(ev->name, "session") == 0 && is_meant(x, shown);

	json_decref(shown);
	x->seen = meant;
	return meant ? 0 : not_there(e);
}

enum told { TOLD_MORE, TOLD_ALL, TOLD_FAILED };

/* What stands in the log. */
static enum told
tell_log(struct following *x, struct err *e)
{
	struct event ev;

	struct uuid owner = key_owner(x->who->key);

	if (!x->log)
		x->log = event_log_open(x->f->req->ctx, x->app->chat.turns_dir,
		    x->turn, &x->who->account->id,
		    x->who->key->kind == KEY_WIDGET ? &owner : NULL);
	while (x->log && event_log_next(x->log, &ev) > 0) {
		if (!x->seen && check_first(x, &ev, e) < 0)
			return TOLD_FAILED;
		if (telling_event(x->f, &ev) < 0) {
			err_set(e, ERR_GONE, "the reader left");
			return TOLD_FAILED;
		}
		if (strcmp(ev.name, "done") == 0 ||
		    strcmp(ev.name, "error") == 0)
			return TOLD_ALL;
	}
	return TOLD_MORE;
}

/* Nowhere: perhaps not yet, or not any more. */
static enum told
tell_lost(struct following *x, struct err *e)
{
	int64_t now = clock_mono();

	if (!x->seen)
		return TOLD_FAILED;
	if (x->lost == 0)
		x->lost = now;
	if (now - x->lost < LOST_AFTER)
		return TOLD_MORE;
	err_set_kind(e, ERR_UNAVAILABLE, "worker-lost", 1,
	    "the process that made this answer has ended");
	x->f->n = x->f->n > x->f->from ? x->f->n : x->f->from;
	telling_error(x->f, e);
	return TOLD_ALL;
}

/* What stands in the database, when the turn has ended. */
static enum told
tell_stored(struct following *x, struct err *e)
{
	json_auto_t *turn = NULL, *offsets = NULL;
	const char *state;

	if (chat_turn_events(&x->app->chat, x->who->account, x->who->key,
		x->turn, x->session, clock_mono() + READ_TIME, &turn, &offsets,
		e) < 0) {
		if (e->code == ERR_NOT_FOUND)
			return tell_lost(x, e);
		/* Headers have gone out: it may come back in time. */
		return x->f->begun ? TOLD_MORE : TOLD_FAILED;
	}
	state = json_string_value(json_object_get(turn, "state"));
	if (state && strcmp(state, "running") == 0) {
		x->seen = true;
		return TOLD_MORE;
	}
	if (!is_meant(x, turn)) {
		not_there(e);
		return TOLD_FAILED;
	}
	/* What was told live counts as had. */
	x->f->from = x->f->n > x->f->from ? x->f->n : x->f->from;
	telling_stored(x->f, turn, offsets, x->f->n);
	return TOLD_ALL;
}

/* Until there may be more; -1: the reader has left. */
static int
wait_for_more(struct following *x, bool runs)
{
	int64_t now = clock_mono();

	if (telling_begin(x->f) < 0 || telling_still(x->f) < 0)
		return -1;
	if (x->f->n != x->told) {
		x->told = x->f->n;
		x->beat = now;
	}
	if (now - x->beat >= x->app->beat_ms * CLOCK_MS) {
		x->beat = now;
		if (sse_ping(x->f->resp) < 0)
			return -1;
	}
	if (x->f->sink.wait(&x->f->sink, runs ? 0 : LOOK_MS) < 0)
		return -1;
	live_follow_wait(&x->live, LOOK_MS);
	return 0;
}

/* One look at everything there is. */
static enum told
tell(struct following *x, bool *runs, struct err *e)
{
	enum told t;

	/* First, so that the log is whole when the turn has ended. */
	*runs = x->live.place ? live_follow_runs(&x->live)
	                      : live_follow(x->turn, &x->live);
	t = tell_log(x, e);
	if (t != TOLD_MORE || (*runs && x->seen))
		return t;
	return tell_stored(x, e);
}

int
follow_turn(struct app *app, struct telling *f, const struct caller *who,
    const struct uuid *turn, struct err *e)
{
	struct following x = { .app = app,
		.f = f,
		.who = who,
		.turn = turn,
		.beat = clock_mono(),
		.deadline = clock_mono() + app->chat.total_ms * CLOCK_MS };
	bool runs;

	if (who->key->kind == KEY_WIDGET)
		x.session = http_header(f->req, "x-session-key");
	id_format(turn, f->turn);
	do {
		switch (tell(&x, &runs, e)) {
		case TOLD_ALL:
			return 0;
		case TOLD_FAILED:
			return f->begun ? 0 : -1;
		case TOLD_MORE:
			break;
		}
		if (wait_for_more(&x, runs) < 0)
			return 0;
	} while (clock_mono() < x.deadline);
	/* Its reader comes again, if there is something to come for. */
	return 0;
}

/* Last-Event-ID as a header or in the query; 0 with *n 0 when there is none. */
static int
read_position(
    struct http_req *req, const struct uuid *turn, int64_t *n, struct err *e)
{
	const char *text = http_header(req, "last-event-id");
	struct uuid of;

	if (!text || !*text)
		text = http_query(req, "last_event_id", e);
	if (e->code != ERR_NONE)
		return -1;
	*n = 0;
	if (!text || !*text)
		return 0;
	if (position_parse(text, &of, n, e) < 0)
		return -1;
	if (!id_eq(&of, turn))
		return err_set(
		    e, ERR_INVALID, "Last-Event-ID is of another turn");
	return 0;
}

static int
read_turn(struct http_req *req, struct uuid *turn, struct err *e)
{
	const char *text = http_query(req, "turn_id", e);

	if (e->code != ERR_NONE)
		return -1;
	if (!text)
		return err_set(e, ERR_INVALID, "turn_id is missing");
	return id_parse(text, strlen(text), turn) < 0 ? not_there(e) : 0;
}

void
api_resume(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct telling f;
	struct err e = { 0 };
	struct uuid turn;

	telling_init(&f, app, req, resp, who, true);
	if (read_turn(req, &turn, &e) < 0 ||
	    read_position(req, &turn, &f.from, &e) < 0 ||
	    follow_turn(app, &f, who, &turn, &e) < 0) {
		problem_send(req, resp, &e, NULL);
	} else if (!f.begun) { /* the reader has had it all */
		reply_done(resp);
	}
}
