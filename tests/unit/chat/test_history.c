/*
 * Sessions from the side of a turn, against a database that follows a script:
 * races and expiry can be had at will.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "account/account.h"
#include "auth/key.h"
#include "auth/session_key.h"
#include "chat/history.h"
#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define HOUR_US (INT64_C(3600) * 1000000)

/* Results are tables of text. */
struct db_result {
	int rows;
	const char *field[8][2];
};

static struct {
	struct db_result result[8];
	char asked[512]; /* statements and their second parameter */
	int used;
	struct uuid claimed; /* what the last claim offered */
	bool lost;           /* somebody else was faster */
} fake;

static char id_texts[4][UUID_TEXT];

int
db_run(struct db_pool *db, enum db_intent intent, const struct uuid *account,
    struct db_call *calls, int n, int64_t deadline, const void *ctx,
    struct err *e)
{
	(void)db, (void)intent, (void)account, (void)deadline, (void)ctx,
	    (void)e;
	for (int i = 0; i < n; i++) {
		size_t at = strlen(fake.asked);

		snprintf(fake.asked + at, sizeof(fake.asked) - at, "%s ",
		    calls[i].stmt->name);
		if (strcmp(calls[i].stmt->name, "chat_claim") == 0) {
			static struct db_result claim;

			id_parse(calls[i].param[2], 36, &fake.claimed);
			claim.rows = 1;
			claim.field[0][0] =
			    fake.lost ? id_texts[3] : calls[i].param[2];
			snprintf(
			    id_texts[2], UUID_TEXT, "%s", claim.field[0][0]);
			claim.field[0][0] = id_texts[2];
			calls[i].result = &claim;
		} else {
			calls[i].result = &fake.result[fake.used++];
		}
	}
	return 0;
}

int
db_rows(const struct db_result *r)
{
	return r->rows;
}

const char *
db_text(const struct db_result *r, int row, int col)
{
	return r->field[row][col] ? r->field[row][col] : "";
}

size_t
db_len(const struct db_result *r, int row, int col)
{
	return strlen(db_text(r, row, col));
}

bool
db_null(const struct db_result *r, int row, int col)
{
	return !r->field[row][col];
}

int64_t
db_int(const struct db_result *r, int row, int col)
{
	long long v = 0;

	sscanf(db_text(r, row, col), "%lld", &v);
	return v;
}

int
db_uuid(const struct db_result *r, int row, int col, struct uuid *out)
{
	return id_parse(
	    db_text(r, row, col), strlen(db_text(r, row, col)), out);
}

static struct {
	void *ctx;
	struct account account;
	struct key api, widget;
	struct history_ask ask;
	struct history h;
	struct err e;
	char now[32], old[32];
} t;

static int
begin(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&t, 0, sizeof(t));
	t.ctx = mem_root("test");
	id_new(&t.account.id);
	t.api.kind = KEY_API;
	id_new(&t.api.id);
	t.widget.kind = KEY_WIDGET;
	id_new(&t.widget.id);
	t.ask.account = &t.account;
	t.ask.key = &t.api;
	t.ask.idle_us = HOUR_US;
	t.ask.tokens = 100;
	t.ask.turns = 10;
	t.ask.now_us = clock_wall_us();
	snprintf(t.now, sizeof(t.now), "%lld", (long long)t.ask.now_us);
	snprintf(t.old, sizeof(t.old), "%lld",
	    (long long)(t.ask.now_us - 2 * HOUR_US));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	mem_free(t.ctx);
	return 0;
}

static void
load(const struct key *key, const char *shown)
{
	t.ask.key = key;
	if (history_session(&t.account, key, shown, &t.h, &t.e) < 0)
		fail_msg("%s", t.e.text);
	if (history_load(&t.ask, t.ctx, &t.h, &t.e) < 0)
		fail_msg("%s", t.e.text);
}

static void
a_new_session_reads_nothing(void **state)
{
	struct uuid session;

	(void)state;
	load(&t.widget, NULL);
	assert_string_equal(fake.asked, "");
	assert_true(t.h.fresh);
	assert_true(
	    session_key_check(t.h.key, &t.account.id, &t.widget.id, &session));
	assert_true(id_eq(&session, &t.h.session));
}

static void
a_proven_key_reads_once(void **state)
{
	char key[SESSION_KEY_TEXT];
	struct uuid session;

	(void)state;
	id_new(&session);
	session_key_make(&t.account.id, &session, &t.widget.id, key);
	fake.result[0] = (struct db_result){ 1, { { "x", t.now } } };
	fake.result[1] = (struct db_result){ 2,
		{ { "second", "" }, { "first", "answer" } } };
	load(&t.widget, key);
	assert_string_equal(fake.asked, "chat_session chat_history ");
	assert_true(id_eq(&session, &t.h.session));
	assert_int_equal(t.h.n, 3);
	assert_string_equal(t.h.messages[0].text, "first");
	assert_string_equal(t.h.messages[1].text, "answer");
	assert_int_equal(t.h.messages[1].role, LLM_ASSISTANT);
	assert_string_equal(t.h.messages[2].text, "second");
}

static void
before_its_first_turn_is_stored(void **state)
{
	char key[SESSION_KEY_TEXT];
	struct uuid session;

	(void)state;
	id_new(&session);
	session_key_make(&t.account.id, &session, &t.widget.id, key);
	load(&t.widget, key); /* no row */
	assert_string_equal(t.h.key, key);
	assert_false(t.h.fresh);
}

static void
a_key_of_somebody_else(void **state)
{
	char key[SESSION_KEY_TEXT];
	struct uuid session, other;

	(void)state;
	id_new(&session);
	id_new(&other);
	session_key_make(&t.account.id, &session, &t.widget.id, key);
	/* an API caller: shown, and there */
	fake.result[0] = (struct db_result){ 1, { { "x", t.now } } };
	load(&t.api, key);
	assert_string_equal(fake.asked, "chat_session chat_history ");
	assert_true(id_eq(&session, &t.h.session));
	end(NULL);

	/* shown, and not there: a name like any other */
	struct key api = t.api;
	struct account account = t.account;

	begin(NULL);
	t.api = api;
	t.account = account;
	load(&t.api, key);
	assert_string_equal(fake.asked,
	    "chat_session chat_history chat_named chat_history_named "
	    "chat_claim ");
	assert_true(t.h.fresh);
	assert_string_equal(t.h.key, key);

	/* of another account: not ours, so a name here; nothing for a widget */
	session_key_make(&other, &session, &t.widget.id, key);
	assert_int_equal(
	    history_session(&t.account, &t.widget, key, &t.h, &t.e), -1);
	assert_int_equal(t.e.code, ERR_NOT_FOUND);
}

static void
an_idle_name_is_claimed_anew(void **state)
{
	struct uuid old;

	(void)state;
	id_new(&old);
	id_format(&old, id_texts[0]);
	fake.result[0] = (struct db_result){ 1, { { id_texts[0], t.old } } };
	fake.result[1] = (struct db_result){ 1, { { "first", "answer" } } };
	load(&t.api, "mine");
	assert_string_equal(
	    fake.asked, "chat_named chat_history_named chat_claim ");
	assert_true(t.h.fresh);
	assert_true(id_eq(&t.h.session, &fake.claimed));
	assert_string_equal(t.h.key, "mine");
	assert_int_equal(t.h.n, 0);
}

static void
a_lost_claim_takes_the_winners(void **state)
{
	struct uuid winner;

	(void)state;
	id_new(&winner);
	id_format(&winner, id_texts[3]);
	fake.lost = true;
	/* nothing there; then the winner's, whose first turn still runs */
	fake.result[2] = (struct db_result){ 1, { { id_texts[3], NULL } } };
	load(&t.api, "mine");
	assert_string_equal(fake.asked,
	    "chat_named chat_history_named chat_claim "
	    "chat_named chat_history_named ");
	assert_false(t.h.fresh);
	assert_true(id_eq(&t.h.session, &winner));
}

static void
an_idle_key_becomes_another(void **state)
{
	char key[SESSION_KEY_TEXT];
	struct uuid session;

	(void)state;
	id_new(&session);
	session_key_make(&t.account.id, &session, &t.widget.id, key);
	fake.result[0] = (struct db_result){ 1, { { "x", t.old } } };
	fake.result[1] = (struct db_result){ 1, { { "first", "answer" } } };
	load(&t.widget, key);
	assert_true(t.h.fresh);
	assert_string_not_equal(t.h.key, key);
	assert_int_equal(t.h.n, 0);
	assert_true(
	    session_key_check(t.h.key, &t.account.id, &t.widget.id, &session));
}

static void
what_fits_is_kept_whole(void **state)
{
	/* 4 bytes a token: 10 + 10, 5 + 5, 20 + 20 tokens, newest first */
	const char *ten = "0123456789012345678901234567890123456789";
	const char *five = "01234567890123456789";
	const struct db_result rows = { 3,
		{ { ten, ten }, { five, five },
		    { "01234567890123456789012345678901234567890123456789"
		      "012345678901234567890123456789",
			"x" } } };

	(void)state;
	history_select(&rows, 30, t.ctx, &t.h);
	assert_int_equal(t.h.n, 4);
	assert_ptr_equal(t.h.messages[0].text, five);
	assert_ptr_equal(t.h.messages[3].text, ten);
	history_select(&rows, 29, t.ctx, &t.h);
	assert_int_equal(t.h.n, 2);
	history_select(&rows, 19, t.ctx, &t.h);
	assert_int_equal(t.h.n, 0);
	history_select(&rows, 1000, t.ctx, &t.h);
	assert_int_equal(t.h.n, 6);
}

static void
the_least_turn_is_two_days_before(void **state)
{
	struct uuid session, least;

	(void)state;
	id_new(&session);
	history_least_turn(&session, &least);
	assert_int_equal(
	    id_time_ms(&session) - id_time_ms(&least), 48 * 3600 * 1000);
	assert_true(memcmp(&least, &session, sizeof(least)) < 0);
	memset(&session, 0, sizeof(session));
	history_least_turn(&session, &least);
	assert_true(id_is_nil(&least));
}

static int
all_begin(void **state)
{
	char path[64];
	struct err e = { 0 };
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/sb-history-key-%d", (int)getpid());
	f = fopen(path, "w");
	if (!f)
		return -1;
	fchmod(fileno(f), 0600);
	fputs("000102030405060708090a0b0c0d0e0f"
	      "101112131415161718191a1b1c1d1e1f\n",
	    f);
	fclose(f);
	int rc = session_key_setup(path, &e);

	unlink(path);
	return rc;
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_new_session_reads_nothing),
		CASE(a_proven_key_reads_once),
		CASE(before_its_first_turn_is_stored),
		CASE(a_key_of_somebody_else),
		CASE(an_idle_name_is_claimed_anew),
		CASE(a_lost_claim_takes_the_winners),
		CASE(an_idle_key_becomes_another),
		CASE(what_fits_is_kept_whole),
		CASE(the_least_turn_is_two_days_before),
	};
	return cmocka_run_group_tests(tests, all_begin, NULL);
}
