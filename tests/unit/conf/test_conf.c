/* conf: values, messages to the letter, what a reload may change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "util/mem.h"

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

static void *root;

static int
setup(void **state)
{
	(void)state;
	root = mem_root("test");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(root);
	return 0;
}

/* Must parse. */
static const struct conf *
good(const char *text)
{
	const struct conf *c = NULL;
	struct err e;

	if (conf_parse(root, text, strlen(text), "F", &c, &e) != 0)
		fail_msg("%s: %s", text, e.text);
	return c;
}

static void
test_defaults(void **state)
{
	const struct conf *c = good("");

	(void)state;
	assert_int_equal(c->threads, 1024);
	assert_int_equal(c->thread_idle, 60000);
	assert_int_equal(c->thread_stack, 256 * 1024);
	assert_int_equal(c->turn_open_after, 100);
	assert_int_equal(c->session_idle, 86400000);
	assert_int_equal(c->provider_response_max, 4 << 20);
	assert_true(c->database_prepared);
	assert_string_equal(c->log_level, "info");
	assert_string_equal(c->pid_file, "");
	assert_string_equal(c->trusted_proxies[0], "127.0.0.1");
	assert_string_equal(c->trusted_proxies[1], "::1");
	assert_null(c->trusted_proxies[2]);
	assert_string_equal(c->file, "F");
	/* Each default is what it says and inside its own limits: the parser
	 * has read them all to get here. */
}

static void
test_values(void **state)
{
	const struct conf *c;

	(void)state;
	c = good("# a comment\n"
		 "\n"
		 "  threads=64\r\n"
		 "\tthread_idle = 5m # five minutes\n"
		 "body_max_chat = 32k\n"
		 "database_prepared = off\n"
		 "run_dir = /run/x y/#z   \n"
		 "state_dir = \"  with \\\"quotes\\\" and \\\\ # \" # c\n"
		 "trusted_proxies = 192.0.2.1\t2001:db8::/32  \n"
		 "metrics_allow =\n"
		 "pid_file = \"\"\n"
		 "drain_limit = 1500ms\n"
		 "database_url = host=/x dbname=y\n"
		 "session_idle = 365d");
	assert_int_equal(c->threads, 64);
	assert_int_equal(c->thread_idle, 300000);
	assert_int_equal(c->body_max_chat, 32768);
	assert_false(c->database_prepared);
	assert_string_equal(c->run_dir, "/run/x y/#z");
	assert_string_equal(c->state_dir, "  with \"quotes\" and \\ # ");
	assert_string_equal(c->trusted_proxies[0], "192.0.2.1");
	assert_string_equal(c->trusted_proxies[1], "2001:db8::/32");
	assert_null(c->trusted_proxies[2]);
	assert_null(c->metrics_allow[0]);
	assert_string_equal(c->pid_file, "");
	assert_int_equal(c->drain_limit, 1500);
	assert_string_equal(c->database_url, "host=/x dbname=y");
	assert_int_equal(c->session_idle, INT64_C(31536000000));
	/* A byte order mark, limits themselves, zero without a unit. */
	c = good("\xef\xbb\xbfthreads = 1\nturn_open_after = 0\n"
		 "body_max_chat = 1024\nhistory_tokens = 1000000\n");
	assert_int_equal(c->threads, 1);
	assert_int_equal(c->turn_open_after, 0);
}

static void
test_messages(void **state)
{
	static const struct {
		const char *in, *text;
	} rows[] = {
		{ "\n\nthreads = 0\n",
		    "F:3: threads: 0 is below the minimum 1 (the maximum is "
		    "16384)" },
		{ "threads = 16385",
		    "F:1: threads: 16385 is above the maximum 16384 (the "
		    "minimum is 1)" },
		{ "threads = -1",
		    "F:1: threads: -1 is below the minimum 1 (the maximum is "
		    "16384)" },
		{ "thread_idle = 99ms",
		    "F:1: thread_idle: 99ms is below the minimum 100ms (the "
		    "maximum is 1h)" },
		{ "thread_idle = 2h",
		    "F:1: thread_idle: 2h is above the maximum 1h (the "
		    "minimum is 100ms)" },
		{ "body_max_chat = 2m",
		    "F:1: body_max_chat: 2m is above the maximum 1m (the "
		    "minimum is 1k)" },
		{ "threads = 99999999999999999999",
		    "F:1: threads: \"99999999999999999999\" is not a whole "
		    "number" },
		{ "body_max_chat = 9223372036854775807g",
		    "F:1: body_max_chat: 9223372036854775807g is above the "
		    "maximum 1m (the minimum is 1k)" },
		{ "thread_idle = 60",
		    "F:1: thread_idle: \"60\" is not a time: a number and "
		    "ms, s, m, h or d" },
		{ "thread_idle = 1.5s",
		    "F:1: thread_idle: \"1.5s\" is not a time: a number and "
		    "ms, s, m, h or d" },
		{ "thread_idle = 5 m",
		    "F:1: thread_idle: \"5 m\" is not a time: a number and "
		    "ms, s, m, h or d" },
		{ "body_max_chat = 64kb",
		    "F:1: body_max_chat: \"64kb\" is not a size: a number of "
		    "bytes, or with k, m or g" },
		{ "threads = many",
		    "F:1: threads: \"many\" is not a whole number" },
		{ "threads = 1k",
		    "F:1: threads: \"1k\" is not a whole number" },
		{ "threads =", "F:1: threads: \"\" is not a whole number" },
		{ "threads = 1 2",
		    "F:1: threads: \"1 2\" is not a whole number" },
		{ "database_prepared = yes",
		    "F:1: database_prepared: \"yes\" is neither on nor off" },
		{ "log_level = loud",
		    "F:1: log_level: \"loud\" is not one of debug, info, "
		    "warn, error" },
		{ "socket_mode = 690",
		    "F:1: socket_mode: 690 is not an octal mode" },
		{ "run_dir =", "F:1: run_dir: must not be empty" },
		{ "run_dir = /0123456789012345678901234567890123456789012345"
		  "6789012345678901234567890123456789",
		    "F:1: run_dir: has 81 characters, the maximum is 80" },
		{ "treads = 4",
		    "F:1: treads: unknown parameter; did you mean threads?" },
		{ "Threads = 4",
		    "F:1: Threads: unknown parameter; did you mean "
		    "threads?" },
		{ "chat_worker = 4",
		    "F:1: chat_worker: unknown parameter; did you mean "
		    "chat_workers?" },
		{ "body_limit_chat = 4",
		    "F:1: body_limit_chat: unknown parameter; did you mean "
		    "body_max_chat?" },
		{ "xyzzy = 4", "F:1: xyzzy: unknown parameter" },
		{ "threads = 4\nuser = x\nthreads = 4",
		    "F:3: threads: already set in line 1" },
		{ "threads", "F:1: threads: not of the form \"name = value\"" },
		{ "threads 4",
		    "F:1: threads: not of the form \"name = value\"" },
		{ "= 4", "F:1: not of the form \"name = value\"" },
		{ "user = \"x", "F:1: user: the closing quote is missing" },
		{ "user = \"x\" y",
		    "F:1: user: something follows the closing quote" },
		{ "user = \"\\n\"",
		    "F:1: user: a backslash in quotes must be followed by \\ "
		    "or \"" },
		{ "user = \"\\",
		    "F:1: user: a backslash in quotes must be followed by \\ "
		    "or \"" },
		{ "user = \xff", "F:1: not UTF-8" },
		{ "user = a\x01", "F:1: a control character is not allowed" },
		{ "[section]",
		    "F:1: [section]: not of the form \"name = value\"" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct conf *c = NULL;
		size_t n = strlen(rows[i].in);
		struct err e;
		/* In memory of just its size. */
		char *copy = malloc(n);

		memcpy(copy, rows[i].in, n);
		assert_int_equal(conf_parse(root, copy, n, "F", &c, &e), -1);
		free(copy);
		assert_null(c);
		assert_int_equal(e.code, ERR_INVALID);
		assert_string_equal(e.text, rows[i].text);
	}
	/* A refused file leaves nothing behind. */
	assert_int_equal(talloc_total_blocks(root), 1);
}

static void
test_big(void **state)
{
	const struct conf *c = NULL;
	size_t n = 300 * 1024;
	char *text = malloc(n);
	struct err e;

	(void)state;
	memset(text, '#', n);
	assert_int_equal(conf_parse(root, text, n, "F", &c, &e), -1);
	assert_string_equal(e.text, "F: more than 262144 bytes");
	memset(text, 'x', 9000);
	assert_int_equal(conf_parse(root, text, 9000, "F", &c, &e), -1);
	assert_string_equal(e.text, "F:1: the line has more than 8192 bytes");
	assert_int_equal(conf_parse(root, "a\0b", 3, "F", &c, &e), -1);
	assert_string_equal(e.text, "F:1: a control character is not allowed");
	free(text);
}

static void
test_read(void **state)
{
	char path[] = "/tmp/sb-test-conf-XXXXXX";
	const struct conf *c = NULL;
	char want[200];
	struct err e;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "threads = 7\n", 12), 12);
	assert_int_equal(conf_read(root, path, &c, &e), 0);
	assert_int_equal(c->threads, 7);
	assert_string_equal(c->file, path);
	assert_int_equal(write(fd, "oops\n", 5), 5);
	assert_int_equal(conf_read(root, path, &c, &e), -1);
	(void)snprintf(want, sizeof(want),
	    "%s:2: oops: not of the form \"name = value\"", path);
	assert_string_equal(e.text, want);
	assert_int_equal(c->threads, 7);
	(void)close(fd);
	(void)unlink(path);
	assert_int_equal(conf_read(root, path, &c, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	(void)snprintf(
	    want, sizeof(want), "%s: No such file or directory", path);
	assert_string_equal(e.text, want);
	assert_int_equal(conf_read(root, "/tmp", &c, &e), -1);
	assert_string_equal(e.text, "/tmp: Is a directory");
}

static void
test_path(void **state)
{
	(void)state;
	(void)unsetenv("SB_CONF");
	assert_string_equal(conf_path("/x"), "/x");
	assert_non_null(
	    strstr(conf_path(NULL), "/switchboard/switchboard.conf"));
	(void)setenv("SB_CONF", "/from/env", 1);
	assert_string_equal(conf_path(NULL), "/from/env");
	assert_string_equal(conf_path("/x"), "/x");
	(void)setenv("SB_CONF", "", 1);
	assert_string_not_equal(conf_path(NULL), "");
	(void)unsetenv("SB_CONF");
}

static void
test_restart(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "", NULL },
		{ "threads = 7", NULL },
		{ "log_level = debug\ntrusted_proxies = ::2", NULL },
		{ "thread_idle = 60000ms", NULL },
		{ "run_dir = /elsewhere", "run_dir" },
		{ "max_slots = 2048", "max_slots" },
		{ "run_dir = /run/switchboard", NULL },
	};
	const struct conf *old = good("");

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *got = conf_needs_restart(old, good(rows[i].text));

		if (rows[i].name == NULL)
			assert_null(got);
		else
			assert_string_equal(got, rows[i].name);
	}
}

/* What is written can be read: the example, with every default taken in. */
static void
test_write(void **state)
{
	const struct conf *a = good(""), *b;
	char *text = NULL, *at;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	conf_write_example(f);
	assert_int_equal(fclose(f), 0);
	(void)good(text);
	for (at = text; *at != '\0'; at++)
		if (*at == '#' && at[1] != ' ' &&
		    (at == text || at[-1] == '\n'))
			*at = ' ';
	b = good(text);
	assert_null(conf_needs_restart(a, b));
	assert_int_equal(a->tool_rounds, b->tool_rounds);
	assert_string_equal(b->default_models[2], "builtin:concierge");
	assert_null(b->default_models[3]);
	free(text);
	f = open_memstream(&text, &len);
	conf_write_roff(f);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(text, ".B threads\n"));
	assert_non_null(
	    strstr(text, "number from 1 to 16384. Default: \\fB1024\\fR"));
	assert_non_null(strstr(text, "time from 100ms to 1h."));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_big, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
