/* telemetry/redact: recall on the corpus, and what must not be touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "corpus.h"
#include "telemetry/log.h"
#include "telemetry/redact_priv.h"

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

/* Through memory of just its size: a read beyond it is seen. */
static void
redact(const char *s, char *out, size_t max)
{
	size_t n = strlen(s);
	char *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, s, n);
	log_redact(copy, n, out, max);
	free(copy);
}

static void
test_recall(void **state)
{
	size_t missed = 0;
	char out[1024];

	(void)state;
	assert_true(ROWS(corpus) >= 200);
	for (size_t i = 0; i < ROWS(corpus); i++) {
		assert_non_null(strstr(corpus[i].text, corpus[i].canary));
		redact(corpus[i].text, out, sizeof(out));
		if (strstr(out, corpus[i].canary) != NULL) {
			print_message(
			    "missed: %s -> %s\n", corpus[i].text, out);
			missed++;
		}
	}
	print_message(
	    "%zu of %zu masked\n", ROWS(corpus) - missed, ROWS(corpus));
	assert_true(missed * 100 <= ROWS(corpus));
}

/* The same inside a longer line, at its start, in quotes, between brackets. */
static void
test_recall_inside(void **state)
{
	static const char *const frames[] = { "user said %s and left",
		"a=%s;b=2", "[%s]", "%s, %s", "\n%s\n", "x: %s" };
	size_t missed = 0, all = 0;
	char in[2048], out[2048];

	(void)state;
	for (size_t i = 0; i < ROWS(corpus); i++) {
		for (size_t k = 0; k < ROWS(frames); k++) {
			const char *from = frames[k], *hole;
			size_t len = 0;

			/* Fill each hole; the frames are no formats. */
			while ((hole = strstr(from, "%s")) != NULL) {
				len += (size_t)snprintf(in + len,
				    sizeof(in) - len, "%.*s%s",
				    (int)(hole - from), from, corpus[i].text);
				from = hole + 2;
			}
			(void)snprintf(in + len, sizeof(in) - len, "%s", from);
			redact(in, out, sizeof(out));
			all++;
			if (strstr(out, corpus[i].canary) != NULL) {
				print_message("missed: %s -> %s\n", in, out);
				missed++;
			}
		}
	}
	print_message("%zu of %zu masked\n", all - missed, all);
	assert_true(missed * 100 <= all);
}

static void
test_kept(void **state)
{
	char out[1024];

	(void)state;
	for (size_t i = 0; i < ROWS(kept); i++) {
		redact(kept[i], out, sizeof(out));
		assert_string_equal(out, kept[i]);
	}
}

static void
test_exact(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "user jane@example.com not found", "user [email] not found" },
		{ "call +1 415 555 0132 back", "call [phone] back" },
		{ "card 4111 1111 1111 1111 declined", "card [card] declined" },
		{ "password=hunter2 host=db", "password=[secret] host=db" },
		{ "{\"password\":\"hun\\\"ter2\",\"a\":1}",
		    "{\"password\":\"[secret]\",\"a\":1}" },
		{ "postgresql://u:p@h:5432/db?x=1",
		    "postgresql://[secret]@h:5432/db?x=1" },
		{ "a=1&token=abc&b=2", "a=1&token=[secret]&b=2" },
		{ "Authorization: Bearer abc123DEF456\nHost: x",
		    "Authorization: [secret]\nHost: x" },
		{ "key sk-abcdefghijkl.", "key [secret]." },
		{ "-----BEGIN X-----\nabc\n-----END X-----\nrest",
		    "[secret]\nrest" },
		{ "2026-11-22 jane@example.com +14155550132 ok",
		    "2026-11-22 [email] [phone] ok" },
		{ "1795316645 9 4155550132 x", "1795316645 9 [phone] x" },
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		redact(rows[i].in, out, sizeof(out));
		assert_string_equal(out, rows[i].out);
	}
}

/* Never more than max bytes, always a NUL, no half characters; and what is
 * masked is masked however little room there is. */
static void
test_room(void **state)
{
	static const char in[] = "h\xc3\xa9 \xf0\x9f\x98\x80 password=hunter2 "
				 "jane@example.com \xe2\x82\xac";
	char out[128];

	(void)state;
	for (size_t max = 1; max < sizeof(out); max++) {
		memset(out, 'Z', sizeof(out));
		redact(in, out, max);
		assert_non_null(memchr(out, '\0', max));
		for (size_t i = max; i < sizeof(out); i++)
			assert_int_equal(out[i], 'Z');
		assert_null(strstr(out, "hunt"));
		assert_null(strstr(out, "jane"));
		if (max == 2 || max == 3)
			assert_string_equal(out, "h");
	}
	memset(out, 'Z', sizeof(out));
	redact(in, out, 0);
	assert_int_equal(out[0], 'Z');
}

static int64_t
cpu_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 128 KiB of what each matcher likes to look at: the time grows with the
 * length, not with its square (that would be half a minute). */
static void
test_linear(void **state)
{
	static const char *const units[] = { "a.", "a@", "a-", "1 ", "1", "(1",
		"+1-", "\"", "a://b:", "://", "password=", "password", "%40",
		"Bearer ", "-----BEGIN ", "a1B", "sk-", "eyJ.", "tel 1", "\\",
		"\xff", "\xe2\x80\x91\x31", "01890a5d-" };
	size_t n = 1 << 17;
	char *in = malloc(n), *out = malloc(2 * n);

	(void)state;
	for (size_t i = 0; i < ROWS(units); i++) {
		size_t len = strlen(units[i]);
		int64_t from = cpu_ms();

		for (size_t k = 0; k < n; k++)
			in[k] = units[i][k % len];
		log_redact(in, n, out, 2 * n);
		if (cpu_ms() - from > 5000)
			fail_msg("%s: %d ms", units[i], (int)(cpu_ms() - from));
	}
	free(in);
	free(out);
}

static void
test_keys(void **state)
{
	static const char *const masked[] = { "password", "db_password",
		"api_key", "token", "refresh_token", "Authorization",
		"session_key", "message", "email", "Email", "phone", "reply",
		"prompt", "body", "first_name" };
	static const char *const open[] = { "error", "agent", "path", "name",
		"tokens", "input_tokens", "api_key_id", "key_prefix", "status",
		"messages", "session_id", "key", "model" };

	(void)state;
	for (size_t i = 0; i < ROWS(masked); i++)
		assert_true(redact_key(masked[i]));
	for (size_t i = 0; i < ROWS(open); i++)
		assert_false(redact_key(open[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recall),
		cmocka_unit_test(test_recall_inside),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
