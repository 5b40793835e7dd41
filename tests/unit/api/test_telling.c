/*
 * A stored turn told as a stream, from every position: with what the reader
 * has, it is the whole, nothing twice and nothing lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "account/account.h"
#include "api/app.h"
#include "api/guard.h"
#include "api/telling.h"
#include "chat/event_log.h"
#include "unit/http/memio.h"
#include "util/json.h"

#include "util/banned.h"

#define TURN "00000000-0000-7000-8000-000000000100"
#define EVENTS_MAX 64

/* What is told again is kept nowhere. */
void
event_log_add(struct event_log *l, const struct event *ev)
{
	(void)l;
	fail_msg("%s", ev->name);
}

static struct app app = { .beat_ms = 3000 };
static struct memio m;
static bool suspended;

/* In place of the guard. */
int
guard_still(
    struct app *a, struct http_req *req, struct caller *who, struct err *e)
{
	(void)a, (void)req, (void)who;
	return suspended ? err_set(e, ERR_NOT_FOUND, "nothing here") : 0;
}

/* What a reader has got: events, and the text of all deltas. */
struct got {
	struct {
		char name[16];
		int64_t n;
		char data[512];
	} event[EVENTS_MAX];
	int count;
	char text[512];
};

static void
read_event(struct got *g, const char *p)
{
	const char *name = strstr(p, "event: "), *id = strstr(p, "id: " TURN);
	const char *data = strstr(p, "data: ");
	int i = g->count++;

	assert_non_null(name);
	assert_non_null(id);
	assert_non_null(data);
	assert_true(i < EVENTS_MAX);
	snprintf(g->event[i].name, sizeof(g->event[i].name), "%.*s",
	    (int)strcspn(name + 7, "\n"), name + 7);
	g->event[i].n = strtoll(id + 4 + 36 + 1, NULL, 10);
	snprintf(g->event[i].data, sizeof(g->event[i].data), "%.*s",
	    (int)strcspn(data + 6, "\n"), data + 6);
	if (strcmp(g->event[i].name, "delta") == 0) {
		json_t *v = json_loads(g->event[i].data, 0, NULL);
		size_t at = strlen(g->text);

		assert_non_null(v);
		snprintf(g->text + at, sizeof(g->text) - at, "%s",
		    json_string_value(json_object_get(v, "text")));
		json_decref(v);
	}
}

static void
tell(const json_t *turn, const json_t *offsets, int64_t from, struct got *g)
{
	const char *const env[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/x",
		NULL };
	struct telling f;

	memset(&m, 0, sizeof(m));
	memset(g, 0, sizeof(*g));
	memio_open(&m, env);
	telling_init(&f, &app, m.req, m.resp, NULL, true);
	f.from = from;
	telling_stored(&f, turn, offsets, 0);
	/* none where there is nothing more to tell */
	char *body = strdup(f.begun ? memio_body(&m) : "");

	for (char *p = body, *end; (end = strstr(p, "\n\n")) != NULL;
	     p = end + 2) {
		*end = '\0';
		if (strncmp(p, "retry:", 6) != 0)
			read_event(g, p);
	}
	free(body);
	memio_close(&m);
}

static json_t *
a_turn(const char *reply, const char *error)
{
	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:{s:i}, s:[], s:s?, s:{s:s},"
	    " s:[{s:s, s:s, s:{s:s}, s:b, s:s}, {s:s, s:s, s:{}, s:b, s:s}]}",
	    "session_key", "s_1", "turn_id", TURN, "message_id", TURN, "reply",
	    reply, "finish_reason", "stop", "usage", "input_tokens", 1,
	    "citations", "error", error, "agent", "name", "one", "tool_calls",
	    "id", "c1", "name", "search", "arguments", "q", "x", "ok", 1,
	    "summary", "found", "id", "c2", "name", "search", "arguments", "ok",
	    0, "summary", "failed");
}

/* How many bytes of text a reader at ${n} has had. */
static size_t
text_at(const struct got *whole, int64_t n)
{
	size_t text = 0;
	int64_t at = 0;

	for (int i = 0; i < whole->count && at < n; i++) {
		if (strcmp(whole->event[i].name, "delta") == 0)
			text += (size_t)((n < whole->event[i].n
						 ? n
						 : whole->event[i].n) -
					 at);
		at = whole->event[i].n;
	}
	return text;
}

/* Back to the beginning of a character. */
static size_t
whole_characters(const char *s, size_t n)
{
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void
from_everywhere(const char *reply, const json_t *offsets, const char *error)
{
	static struct got whole, rest;
	json_t *turn = a_turn(reply, error);
	int64_t end;

	tell(turn, offsets, 0, &whole);
	end = whole.event[whole.count - 1].n;
	assert_string_equal(whole.text, reply);
	/* its session, two tools' events, then the ending */
	assert_int_equal(end, (int64_t)strlen(reply) + 5 + (error ? 1 : 3));
	assert_string_equal(
	    whole.event[whole.count - 1].name, error ? "error" : "done");
	for (int64_t n = 1; n <= end + 2; n++) {
		int i = 0;

		tell(turn, offsets, n, &rest);
		assert_string_equal(rest.text,
		    reply + whole_characters(reply, text_at(&whole, n)));
		while (i < whole.count && whole.event[i].n <= n)
			i++;
		assert_int_equal(rest.count, whole.count - i);
		for (int k = 0; k < rest.count; k++, i++) {
			assert_string_equal(
			    rest.event[k].name, whole.event[i].name);
			assert_int_equal(rest.event[k].n, whole.event[i].n);
			if (strcmp(rest.event[k].name, "delta") != 0)
				assert_string_equal(
				    rest.event[k].data, whole.event[i].data);
		}
	}
	json_decref(turn);
}

static void
nothing_twice_and_nothing_lost(void **state)
{
	static const int at[][2] = { { 0, 0 }, { 3, 3 }, { 2, 9 }, { 5, 14 },
		{ 0, 14 }, { 14, 14 } };

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		json_t *offsets = json_pack("[i, i]", at[i][0], at[i][1]);

		from_everywhere("Hello, reader!", offsets, NULL);
		from_everywhere("Hello, reader!", offsets, "upstream-broken");
		json_decref(offsets);
	}
	json_t *offsets = json_pack("[i, i]", 3, 10);

	/* characters of two, three and four bytes */
	from_everywhere(
	    "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 z\xc3\xa9", offsets, NULL);
	json_decref(offsets);
	from_everywhere("", NULL, "worker-lost");
}

static void
a_stored_failure_says_what_it_was(void **state)
{
	static const struct {
		const char *kind, *type;
		int status;
	} cases[] = { { "upstream-broken", "/problems/upstream-broken", 502 },
		{ "timeout", "/problems/upstream-timeout", 504 },
		{ "worker-lost", "/problems/worker-lost", 503 },
		{ "who knows", "/problems/internal", 500 } };
	static struct got g;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *turn = a_turn("x", cases[i].kind), *p;

		tell(turn, NULL, 0, &g);
		p = json_loads(g.event[g.count - 1].data, 0, NULL);
		assert_string_equal(
		    json_string_value(json_object_get(p, "type")),
		    cases[i].type);
		assert_int_equal(
		    json_integer_value(json_object_get(p, "status")),
		    cases[i].status);
		json_decref(p);
		json_decref(turn);
	}
}

/* Told why, once, and nothing after it. */
static void
a_caller_who_may_no_longer_is_cut(void **state)
{
	const char *const env[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/x",
		NULL };
	struct caller who = { 0 };
	struct telling f;

	(void)state;
	memset(&m, 0, sizeof(m));
	memio_open(&m, env);
	telling_init(&f, &app, m.req, m.resp, &who, true);
	assert_true(f.sink.beat_ms <= 500);
	assert_int_equal(telling_begin(&f), 0);
	assert_int_equal(f.sink.text(&f.sink, "one", 3), 0);
	suspended = true;
	f.looked = 0;
	assert_int_equal(f.sink.text(&f.sink, "two", 3), -1);
	suspended = false;
	assert_int_equal(f.sink.text(&f.sink, "three", 5), -1);
	assert_int_equal(f.sink.beat(&f.sink), -1);
	assert_int_equal(f.why.code, ERR_NOT_FOUND);
	assert_non_null(strstr(memio_body(&m), "one"));
	assert_null(strstr(memio_body(&m), "two"));
	assert_null(strstr(memio_body(&m), "three"));
	assert_non_null(strstr(memio_body(&m), "event: error\n"));
	assert_non_null(strstr(memio_body(&m), "\"status\":404"));
	memio_close(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_twice_and_nothing_lost),
		cmocka_unit_test(a_stored_failure_says_what_it_was),
		cmocka_unit_test(a_caller_who_may_no_longer_is_cut),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
