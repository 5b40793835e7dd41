/* From errors to problem objects and their pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../http/memio.h"
#include "api/problem.h"
#include "telemetry/log.h"
#include "util/err.h"

#include "util/banned.h"

static const char *const env[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/",
	NULL };

static struct memio m;

static int
setup(void **state)
{
	(void)state;
	m = (struct memio){ 0 };
	memio_open(&m, env);
	snprintf(m.req->request_id, sizeof(m.req->request_id), "rid-12345");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memio_close(&m);
	return 0;
}

static void
test_statuses(void **state)
{
	static const struct {
		enum err_code code;
		int status;
	} rows[] = { { ERR_MALFORMED, 400 }, { ERR_UNKNOWN, 401 },
		{ ERR_DENIED, 403 }, { ERR_NOT_FOUND, 404 },
		{ ERR_CONFLICT, 409 }, { ERR_TOO_LARGE, 413 },
		{ ERR_TYPE, 415 }, { ERR_INVALID, 422 }, { ERR_LIMIT, 429 },
		{ ERR_UPSTREAM, 502 }, { ERR_TIMEOUT, 504 },
		{ ERR_UNAVAILABLE, 503 }, { ERR_CANCELLED, 409 },
		{ ERR_INTERNAL, 500 }, { ERR_NONE, 500 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = { .code = rows[i].code };
		json_t *v;
		const char *type;

		assert_int_equal(problem_status(&e), rows[i].status);
		/* each usual kind has its page */
		v = problem_json(m.req, &e);
		type = json_string_value(json_object_get(v, "type"));
		assert_memory_equal(type, "/problems/", 10);
		assert_non_null(problem_text(type + 10));
		json_decref(v);
		/* a kind nobody knows changes the type only */
		e.kind = "never-heard-of";
		assert_int_equal(problem_status(&e), rows[i].status);
	}
}

static void
test_kind_status(void **state)
{
	struct err e = { .code = ERR_MALFORMED, .kind = "method-not-allowed" };

	(void)state;
	assert_int_equal(problem_status(&e), 405);
	/* a kind cannot dress up our own faults */
	e.code = ERR_INTERNAL;
	assert_int_equal(problem_status(&e), 500);
}

static void
test_object(void **state)
{
	struct err e = { 0 };
	json_t *errors = json_pack(
	    "[{s:s, s:s}]", "pointer", "/message", "detail", "is missing");

	(void)state;
	err_set(&e, ERR_INVALID, "the \"body\" is\ninvalid");
	problem_send(m.req, m.resp, &e, errors);
	assert_int_equal(json_array_size(errors), 1);
	json_decref(errors);
	assert_string_equal(memio_body(&m),
	    "{\"type\":\"/problems/invalid\","
	    "\"title\":\"The request breaks a rule\",\"status\":422,"
	    "\"detail\":\"the \\\"body\\\" is\\ninvalid\","
	    "\"request_id\":\"rid-12345\","
	    "\"errors\":[{\"pointer\":\"/message\","
	    "\"detail\":\"is missing\"}]}");
	assert_true(memio_has(&m, "Content-Type: application/problem+json"));
	assert_false(memio_has_header(&m, "Retry-After"));
}

static void
test_internal(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ERR_INTERNAL, "password of the database is wrong");
	problem_send(m.req, m.resp, &e, NULL);
	assert_int_equal(memio_status(&m), 500);
	assert_null(strstr(m.out, "password"));
	assert_non_null(strstr(m.out, "\"detail\":\"internal error\""));
	assert_non_null(strstr(m.out, "rid-12345"));
}

static void
test_cut_text(void **state)
{
	struct err e = { .code = ERR_NOT_FOUND, .text = "caf\xc3" };
	json_t *v = problem_json(m.req, &e);

	(void)state;
	assert_non_null(v);
	assert_string_equal(
	    json_string_value(json_object_get(v, "detail")), "caf");
	json_decref(v);
}

static void
test_retry_after(void **state)
{
	static const struct {
		enum err_code code;
		int retry;
		const char *want;
	} rows[] = { { ERR_LIMIT, 36, "Retry-After: 36" },
		{ ERR_LIMIT, 0, "Retry-After: 1" },
		{ ERR_UNAVAILABLE, 0, "Retry-After: 1" },
		{ ERR_UNAVAILABLE, 5, "Retry-After: 5" },
		{ ERR_CONFLICT, 2, "Retry-After: 2" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = { .code = rows[i].code,
			.retry_after = rows[i].retry };

		teardown(NULL);
		setup(NULL);
		problem_send(m.req, m.resp, &e, NULL);
		assert_true(memio_has(&m, rows[i].want));
	}
}

static void
test_unknown_caller(void **state)
{
	struct err e = { .code = ERR_UNKNOWN };

	(void)state;
	problem_send(m.req, m.resp, &e, NULL);
	assert_true(
	    memio_has(&m, "WWW-Authenticate: Bearer realm=\"switchboard\""));
}

static void
test_gone(void **state)
{
	struct err e = { .code = ERR_GONE };

	(void)state;
	problem_send(m.req, m.resp, &e, NULL);
	assert_int_equal(m.out_len, 0);
	assert_true(http_abandoned(m.resp));
}

static void
test_too_late(void **state)
{
	struct err e = { .code = ERR_NOT_FOUND };

	(void)state;
	http_send(m.resp, "text/plain", "done", 4);
	problem_send(m.req, m.resp, &e, NULL);
	assert_string_equal(memio_body(&m), "done");
}

static void
test_pages(void **state)
{
	const char *name;
	int status;
	size_t n = 0;

	(void)state;
	for (; (name = problem_name(n, &status)) != NULL; n++) {
		assert_in_range(status, 400, 599);
		assert_non_null(problem_title(name));
		assert_non_null(problem_text(name));
		assert_int_equal(
		    strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
	}
	assert_true(n > 14);
	assert_null(problem_text("nothing"));
	assert_null(problem_text(NULL));
	assert_null(problem_title("nothing"));
}

/* A kind is a lower-case word right behind an error code, or assigned. */
static void
check_kinds(const char *path, const char *text, int *found)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";
	static const char *const marks[] = { "ERR_", ">kind = ", ".kind = " };

	for (int i = 0; i < 3; i++) {
		const char *s = text;

		while ((s = strstr(s, marks[i])) != NULL) {
			char kind[64];
			size_t n;

			s += strlen(marks[i]);
			if (i == 0) {
				s += strcspn(s, ", ;)");
				if (*s != ',')
					continue;
				s++;
				s += strspn(s, " \t\n");
			}
			if (*s != '"')
				continue;
			n = strspn(++s, letters);
			if (n == 0 || n >= sizeof(kind) || s[n] != '"' ||
			    strchr(",;", s[n + 1]) == NULL)
				continue; /* words for people */
			snprintf(kind, sizeof(kind), "%.*s", (int)n, s);
			(*found)++;
			if (problem_text(kind) == NULL)
				fail_msg("%s: \"%s\" is not in problem.def",
				    path, kind);
		}
	}
}

static void
check_folder(const char *folder, int *found)
{
	static char text[512 * 1024];
	DIR *dir = opendir(folder);
	struct dirent *d;

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL) {
		size_t n = strlen(d->d_name);
		char path[512];
		FILE *in;

		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, d->d_name);
		if (strchr(d->d_name, '.') == NULL) {
			struct stat st;

			if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
				check_folder(path, found);
			continue;
		}
		if (n < 3 || strcmp(d->d_name + n - 2, ".c") != 0)
			continue;
		in = fopen(path, "r");
		assert_non_null(in);
		n = fread(text, 1, sizeof(text) - 1, in);
		fclose(in);
		text[n] = '\0';
		check_kinds(path, text, found);
	}
	closedir(dir);
}

/* Whatever kind a room names, its page exists. */
static void
test_kinds_of_the_house(void **state)
{
	const char *top = getenv("srcdir");
	char folder[400];
	int found = 0;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/src", top != NULL ? top : ".");
	check_folder(folder, &found);
	assert_true(found >= 5);
}

/* What the web server answers itself has the same pages. */
static void
test_kinds_of_the_web_server(void **state)
{
	static char text[256 * 1024];
	const char *top = getenv("srcdir"), *s = text;
	char path[400];
	int found = 0;
	FILE *in;
	size_t n;

	(void)state;
	snprintf(path, sizeof(path), "%s/etc/nginx/nginx.conf.in",
	    top != NULL ? top : ".");
	in = fopen(path, "r");
	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = '\0';
	while ((s = strstr(s, "\"/problems/")) != NULL) {
		char kind[64];

		s += 11;
		snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(s, "\""), s);
		found++;
		if (problem_text(kind) == NULL)
			fail_msg(
			    "%s: \"%s\" is not in problem.def", path, kind);
	}
	assert_true(found >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
		cmocka_unit_test(test_kind_status),
		cmocka_unit_test_setup_teardown(test_object, setup, teardown),
		cmocka_unit_test_setup_teardown(test_internal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_text, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_retry_after, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_unknown_caller, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_late, setup, teardown),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_kinds_of_the_house),
		cmocka_unit_test(test_kinds_of_the_web_server),
	};

	if (log_open("/dev/null", LOG_ERROR, NULL) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
