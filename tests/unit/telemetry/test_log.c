/* telemetry/log: one line an event, valid JSON, reopened, never torn. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "telemetry/log.h"

static char dir[64], path[80];

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/sb-test-log-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	assert_int_equal(log_open(path, LOG_INFO, NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	char old[96];

	(void)state;
	log_context(NULL, NULL, NULL);
	(void)log_open("-", LOG_INFO, NULL);
	(void)unlink(path);
	(void)snprintf(old, sizeof(old), "%s.1", path);
	(void)unlink(old);
	return rmdir(dir);
}

/* The file's text; malloc'd. */
static char *
slurp(const char *file, size_t *len)
{
	FILE *f = fopen(file, "r");
	char *text = calloc(1, 8 << 20);

	assert_non_null(f);
	*len = fread(text, 1, (8 << 20) - 1, f);
	(void)fclose(f);
	return text;
}

/* Line ${n} (from 0) of the log as an object. */
static json_t *
line(int n)
{
	size_t len;
	char *text = slurp(path, &len), *at = text, *end;
	json_t *v;

	while (n-- > 0) {
		at = strchr(at, '\n');
		assert_non_null(at);
		at++;
	}
	end = strchr(at, '\n');
	assert_non_null(end);
	v = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, NULL);
	if (v == NULL)
		print_message("not JSON: %.*s\n", (int)(end - at), at);
	assert_non_null(v);
	free(text);
	return v;
}

static int
lines(void)
{
	size_t len;
	char *text = slurp(path, &len);
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	assert_true(len == 0 || text[len - 1] == '\n');
	free(text);
	return n;
}

static void
assert_member(json_t *v, const char *key, const char *want)
{
	const char *got = json_string_value(json_object_get(v, key));

	if (want == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, want);
}

static void
test_members(void **state)
{
	json_t *v;

	(void)state;
	log_process("chat worker 3");
	log_context("req-00000001", "4bf92f3577b34da6a3ce929d0e0e4736",
	    "01890a5d-ac96-774b-bcce-b302099a8057");
	log_event(LOG_WARN, "db_lost", "error", "gone", "left_out", NULL, "n",
	    log_int(-42), NULL);
	log_context(NULL, NULL, NULL);
	log_event(LOG_ERROR, "bare", NULL);
	v = line(0);
	assert_member(v, "level", "warn");
	assert_member(v, "event", "db_lost");
	assert_member(v, "process", "chat worker 3");
	assert_member(v, "request_id", "req-00000001");
	assert_member(v, "trace_id", "4bf92f3577b34da6a3ce929d0e0e4736");
	assert_member(v, "account_id", "01890a5d-ac96-774b-bcce-b302099a8057");
	assert_member(v, "error", "gone");
	assert_member(v, "left_out", NULL);
	assert_member(v, "n", "-42");
	assert_int_equal(
	    json_integer_value(json_object_get(v, "pid")), getpid());
	assert_int_equal(
	    strlen(json_string_value(json_object_get(v, "ts"))), 24);
	json_decref(v);
	v = line(1);
	assert_member(v, "level", "error");
	assert_member(v, "request_id", NULL);
	assert_member(v, "trace_id", NULL);
	json_decref(v);
	assert_int_equal(lines(), 2);
}

static void
test_level(void **state)
{
	(void)state;
	log_event(LOG_DEBUG, "quiet", NULL);
	assert_int_equal(lines(), 0);
	assert_int_equal(log_open(path, LOG_DEBUG, NULL), 0);
	log_event(LOG_DEBUG, "heard", NULL);
	assert_int_equal(lines(), 1);
	assert_int_equal(log_open(path, LOG_ERROR, NULL), 0);
	log_event(LOG_WARN, "quiet", NULL);
	assert_int_equal(lines(), 1);
}

/* ROBUSTNESS D6: whatever a value holds, one line an event. */
static void
test_one_line(void **state)
{
	static const char *const hostile[] = { "a\nb", "a\r\nb", "\x1b[2J",
		"\"},{\"x\":\"", "\\", "\\u000a", "\xff\xfe",
		"\xe2\x80\xa8line separator", "\xc2\x85nel", "tab\t",
		"\x7f\x01\x02", "{\"event\":\"forged\"}\n" };
	size_t n = sizeof(hostile) / sizeof(hostile[0]), len;
	char *text;

	(void)state;
	for (size_t i = 0; i < n; i++)
		log_event(LOG_INFO, "x", "v", hostile[i], NULL);
	assert_int_equal(lines(), n);
	for (size_t i = 0; i < n; i++) {
		json_t *v = line((int)i);

		if (strchr(hostile[i], '\xff') == NULL)
			assert_member(v, "v", hostile[i]);
		assert_member(v, "event", "x");
		json_decref(v);
	}
	text = slurp(path, &len);
	for (size_t i = 0; i < len; i++)
		assert_true((unsigned char)text[i] >= ' ' || text[i] == '\n');
	free(text);
}

static void
test_redacts(void **state)
{
	json_t *v;

	(void)state;
	log_context("4111111111111111", NULL, NULL);
	log_event(LOG_INFO, "x", "error",
	    "no user jane@example.com, password=hunter2", "password",
	    "anything", "message", "what a visitor said", NULL);
	v = line(0);
	assert_member(v, "error", "no user [email], password=[secret]");
	assert_member(v, "password", "[masked]");
	assert_member(v, "message", "[masked]");
	assert_member(v, "request_id", "[card]");
	json_decref(v);
	/* An id that looks random is an id all the same. */
	log_context("Zx9kQ2mN7pL4rT8vW1yB3dF6hJ0sA5cE", NULL, NULL);
	log_event(LOG_INFO, "x", NULL);
	v = line(1);
	assert_member(v, "request_id", "Zx9kQ2mN7pL4rT8vW1yB3dF6hJ0sA5cE");
	json_decref(v);
}

static void
test_long(void **state)
{
	static const char *const units[] = { "x", "\"", "\x01", "\xc3\xa9",
		"\xf0\x9f\x98\x80", "\xff", "\\" };
	char big[8000];
	size_t n = sizeof(units) / sizeof(units[0]), len;
	char *text, *at, *end;

	(void)state;
	for (size_t u = 0; u < n; u++) {
		size_t unit = strlen(units[u]);

		for (size_t i = 0; i < sizeof(big) - 1; i++)
			big[i] = units[u][i % unit];
		big[sizeof(big) - 1] = '\0';
		log_event(LOG_INFO, "x", "a", big, NULL);
		log_event(LOG_INFO, "x", "a", big, "b", big, "c", big, "d", big,
		    "e", big, "f", "short", NULL);
	}
	assert_int_equal(lines(), 2 * n);
	text = slurp(path, &len);
	for (at = text; (end = strchr(at, '\n')) != NULL; at = end + 1)
		assert_true(end - at < 4096);
	free(text);
	for (size_t i = 0; i < 2 * n; i++) {
		json_t *v = line((int)i);

		assert_member(v, "event", "x");
		assert_non_null(json_object_get(v, "a"));
		if (i % 2 == 1)
			assert_true(json_is_true(json_object_get(v, "cut")));
		json_decref(v);
	}
}

static void
test_reopen(void **state)
{
	char old[96];
	size_t len;
	char *text;

	(void)state;
	log_event(LOG_INFO, "first", NULL);
	(void)snprintf(old, sizeof(old), "%s.1", path);
	assert_int_equal(rename(path, old), 0);
	log_event(LOG_INFO, "second", NULL); /* still to the old file */
	assert_int_equal(log_reopen(NULL), 0);
	log_event(LOG_INFO, "third", NULL);
	assert_int_equal(lines(), 1);
	text = slurp(old, &len);
	assert_non_null(strstr(text, "second"));
	assert_null(strstr(text, "third"));
	free(text);
}

static void
test_open_fails(void **state)
{
	struct err e;
	char bad[96];

	(void)state;
	(void)snprintf(bad, sizeof(bad), "%s/none/log", dir);
	assert_int_equal(log_open(bad, LOG_DEBUG, &e), -1);
	assert_non_null(strstr(e.text, "none/log"));
	log_event(LOG_INFO, "still", NULL);
	log_event(LOG_DEBUG, "still_not", NULL);
	assert_int_equal(lines(), 1);
}

/* A line that could not be written is counted in the next one. */
static void
test_lost(void **state)
{
	json_t *v;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(log_open("/dev/full", LOG_INFO, NULL), 0);
	pid = fork();
	if (pid == 0) {
		log_event(LOG_INFO, "gone", NULL);
		log_event(LOG_INFO, "gone", NULL);
		(void)log_open(path, LOG_INFO, NULL);
		log_event(LOG_INFO, "back", NULL);
		log_event(LOG_INFO, "well", NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	v = line(0);
	assert_int_equal(json_integer_value(json_object_get(v, "lost")), 2);
	json_decref(v);
	v = line(1);
	assert_null(json_object_get(v, "lost"));
	json_decref(v);
}

#define THREADS 6
#define EACH 300

static void *
write_many(void *arg)
{
	char pad[900];

	memset(pad, 'p', sizeof(pad));
	pad[sizeof(pad) - 1] = '\0';
	log_context(arg, NULL, NULL);
	for (int i = 0; i < EACH; i++)
		log_event(LOG_INFO, "many", "i", log_int(i), "pad", pad, NULL);
	log_context(NULL, NULL, NULL);
	return NULL;
}

/* Threads and a second process write at once while the file is reopened:
 * every line stands whole, none is lost. */
static void
test_many(void **state)
{
	static const char *const names[] = { "id-0", "id-1", "id-2", "id-3",
		"id-4", "id-5" };
	pthread_t t[THREADS];
	int counts[THREADS] = { 0 }, status;
	char *text, *at, *end;
	size_t len;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		union {
			const char *in;
			void *arg;
		} name = { .in = names[0] };

		(void)write_many(name.arg);
		_exit(0);
	}
	for (int i = 0; i < THREADS; i++) {
		union {
			const char *in;
			void *arg;
		} name = { .in = names[i] };

		assert_int_equal(
		    pthread_create(&t[i], NULL, write_many, name.arg), 0);
	}
	for (int i = 0; i < 50; i++)
		assert_int_equal(log_reopen(NULL), 0);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(t[i], NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	text = slurp(path, &len);
	for (at = text; (end = strchr(at, '\n')) != NULL; at = end + 1) {
		json_t *v = json_loadb(at, (size_t)(end - at), 0, NULL);
		const char *id;

		assert_non_null(v);
		id = json_string_value(json_object_get(v, "request_id"));
		counts[id[3] - '0']++;
		json_decref(v);
	}
	free(text);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(counts[i], i == 0 ? 2 * EACH : EACH);
}

static void
test_int(void **state)
{
	const char *texts[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		texts[i] = log_int(i);
	for (int i = 0; i < 8; i++)
		assert_int_equal(strtol(texts[i], NULL, 10), i);
	assert_string_equal(log_int(INT64_MIN), "-9223372036854775808");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_members, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redacts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test(test_int),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
