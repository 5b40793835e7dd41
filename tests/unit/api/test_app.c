/* What happens around a handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "../http/memio.h"
#include "doubles.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/id.h"

#include "util/banned.h"

#define CHAT "/accounts/acme/chat/sales/shop"
#define TURN "/accounts/acme/turns/019ab3c4-0000-7000-8000-000000000000"

static const char *const trusted[] = { "127.0.0.1", NULL };
static char log_path[] = "/tmp/sb-test-app.XXXXXX";
static struct app app;
static struct memio m;
static const char *env[24];
static char lines[24][256];
static int nenv;

static void
param(const char *name, const char *value)
{
	snprintf(lines[nenv], sizeof(lines[nenv]), "%s=%s", name, value);
	env[nenv] = lines[nenv];
	env[++nenv] = NULL;
}

static void
request(const char *method, const char *uri)
{
	nenv = 0;
	param("REQUEST_METHOD", method);
	param("REQUEST_URI", uri);
	param("REMOTE_ADDR", "127.0.0.1");
	if (strcmp(method, "POST") == 0)
		param("CONTENT_TYPE", "application/json");
}

static void
serve(void)
{
	const char *body = m.body;

	if (m.ctx != NULL)
		memio_close(&m);
	m.body = body;
	memio_open(&m, env);
	app_serve(&app, m.req, m.resp);
}

static int
setup(void **state)
{
	(void)state;
	doubles_reset();
	app = (struct app){ .face = FACE_CHAT,
		.body_max_chat = 64,
		.body_max_admin = 128,
		.trusted_proxies = trusted,
		.metrics_allow = trusted,
		.version = "1.2.3" };
	m = (struct memio){ 0 };
	return truncate(log_path, 0);
}

static int
teardown(void **state)
{
	(void)state;
	if (m.ctx != NULL)
		memio_close(&m);
	return 0;
}

static const char *
logged(void)
{
	static char text[16384];
	int fd = open(log_path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The answer is a problem of this status and type, with all its members. */
static void
assert_problem(int status, const char *kind)
{
	json_t *v;
	char type[64];

	assert_int_equal(memio_status(&m), status);
	assert_true(memio_has(&m, "Content-Type: application/problem+json"));
	v = json_loads(memio_body(&m), 0, NULL);
	assert_non_null(v);
	snprintf(type, sizeof(type), "/problems/%s", kind);
	assert_string_equal(
	    json_string_value(json_object_get(v, "type")), type);
	assert_int_equal(
	    json_integer_value(json_object_get(v, "status")), status);
	assert_non_null(json_string_value(json_object_get(v, "title")));
	assert_non_null(json_string_value(json_object_get(v, "detail")));
	assert_string_equal(json_string_value(json_object_get(v, "request_id")),
	    m.req->request_id);
	json_decref(v);
}

static void
test_passes(void **state)
{
	(void)state;
	request("POST", CHAT "?secret=query");
	param("HTTP_X_REQUEST_ID", "my-id.0_1");
	param("HTTP_TRACEPARENT",
	    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	m.body = "{\"message\":\"secret body\"}";
	doubles.guard_account = true;
	doubles.guard_origin = "https://a.example";
	serve();
	assert_int_equal(memio_status(&m), 200);
	assert_string_equal(doubles.last, "api_chat");
	assert_true(memio_has(&m, "X-Request-Id: my-id.0_1"));
	assert_true(memio_has(&m, "X-Config-Epoch: 42"));
	assert_true(memio_has(&m, "Cache-Control: no-store"));
	assert_true(memio_has(&m, "Vary: Origin"));
	assert_true(
	    memio_has(&m, "Access-Control-Allow-Origin: https://a.example"));
	assert_string_equal(
	    m.req->trace.trace_id, "0af7651916cd43dd8448eb211c80319c");
	assert_int_equal(doubles.guard_calls, 1);
	assert_int_equal(doubles.guard_done_calls, 1);
	/* one line, with what it may hold */
	assert_non_null(strstr(logged(), "\"event\":\"request\""));
	assert_non_null(strstr(logged(), "\"route\":\"/accounts/{slug}/chat/"
					 "{agent_type}/{instance_name}\""));
	assert_non_null(strstr(logged(), "my-id.0_1"));
	assert_non_null(strstr(logged(), "0af7651916cd43dd8448eb211c80319c"));
	assert_non_null(strstr(logged(), "ab000000-"));
	assert_null(strstr(logged(), "secret"));
	assert_ptr_equal(
	    strchr(logged(), '\n') + 1, logged() + strlen(logged()));
}

static void
test_request_ids(void **state)
{
	static const char *const bad[] = { "", "short12", "has space1",
		"semi;colon1", "quote\"quote1", "ütf8-bytes", "slash/slash",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AA"
		"A" };
	struct uuid id;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		request("GET", TURN);
		param("HTTP_X_REQUEST_ID", bad[i]);
		serve();
		assert_int_equal(id_parse(m.req->request_id, 36, &id), 0);
	}
	request("GET", TURN);
	param("HTTP_X_REQUEST_ID",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	serve();
	assert_int_equal(strlen(m.req->request_id), 64);
	assert_int_equal(m.req->request_id[0], 'A');
}

static void
test_client_address(void **state)
{
	(void)state;
	request("GET", TURN);
	param("HTTP_X_FORWARDED_FOR", "6.6.6.6, 192.0.2.7");
	serve();
	assert_string_equal(m.req->client_address, "192.0.2.7");
}

static void
test_not_found(void **state)
{
	static const char *const paths[] = { "/", "/accounts/acme",
		"/accounts/acme/chat/a/b/", "/ACCOUNTS/acme/chat/a/b",
		"/accounts/acme/%63hat/a/b", "/healthz", "/api/docs",
		"/metrics" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		request("GET", paths[i]);
		serve();
		assert_problem(404, "not-found");
	}
	assert_int_equal(doubles.guard_calls, 0);
	assert_int_equal(doubles.handled, 0);
}

static void
test_method(void **state)
{
	(void)state;
	request("GET", CHAT);
	serve();
	assert_problem(405, "method-not-allowed");
	assert_true(memio_has(&m, "Allow: POST"));
	request("PUT", TURN);
	serve();
	assert_problem(405, "method-not-allowed");
	assert_true(memio_has(&m, "Allow: GET, HEAD, DELETE"));
	request("DELETE", TURN);
	serve();
	assert_string_equal(doubles.last, "api_turn_stop");
	request("HEAD", TURN);
	serve();
	assert_string_equal(doubles.last, "api_turn_get");
	assert_string_equal(memio_body(&m), "");
	request("bogus", TURN);
	serve();
	assert_problem(400, "malformed");
	app.face = FACE_ADMIN;
	request("OPTIONS", "/api/docs");
	serve();
	assert_problem(405, "method-not-allowed");
}

/* Forms of pages are looked at before any handler, and refused as pages. */
static void
test_pages(void **state)
{
	static const int some;
	int face = app.face;

	(void)state;
	app.face = FACE_ADMIN | FACE_PAGE;
	app.pages = (const void *)&some;
	request("POST", "/login");
	serve();
	assert_string_equal(doubles.last, "page_login_send");
	request("POST", "/login");
	doubles.form_refused = true;
	serve();
	assert_int_equal(doubles.handled, 1);
	assert_int_equal(memio_status(&m), 403);
	assert_string_equal(memio_body(&m), "a page");
	request("GET", "/login");
	doubles.form_refused = true;
	serve();
	assert_int_equal(doubles.handled, 2);
	/* the API's routes have no form */
	request("POST", "/api/v1/auth/logout");
	serve();
	assert_string_equal(doubles.last, "api_auth_logout");
	request("GET", "/nothing");
	serve();
	assert_string_equal(memio_body(&m), "a page");
	request("GET", "/api/v1/nothing");
	serve();
	assert_problem(404, "not-found");
	/* without templates it is a problem, and chat has no pages at all */
	app.pages = NULL;
	request("GET", "/nothing");
	serve();
	assert_problem(404, "not-found");
	app.face = FACE_CHAT;
	request("GET", "/login");
	serve();
	assert_problem(404, "not-found");
	app.face = face;
}

static void
test_body_limits(void **state)
{
	static char big[200];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[64] = '\0';
	m.body = big;
	request("POST", CHAT);
	serve();
	assert_int_equal(memio_status(&m), 200);
	big[64] = 'x';
	big[65] = '\0';
	request("POST", CHAT);
	serve();
	assert_problem(413, "too-large");
	assert_int_equal(doubles.handled, 1);
	request("POST", CHAT);
	param("CONTENT_LENGTH", "3");
	m.body = "four";
	serve();
	assert_problem(400, "malformed");
	m.body = NULL;
}

static void
test_type(void **state)
{
	static const struct {
		const char *type;
		bool ok;
	} rows[] = { { "application/json", true },
		{ "Application/JSON; charset=utf-8", true },
		{ "application/json ;x", true }, { "", false },
		{ "text/plain", false }, { "application/jsonx", false },
		{ "application/x-www-form-urlencoded", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		request("POST", CHAT);
		snprintf(lines[3], sizeof(lines[3]), "CONTENT_TYPE=%s",
		    rows[i].type);
		serve();
		if (rows[i].ok)
			assert_int_equal(memio_status(&m), 200);
		else
			assert_problem(415, "unsupported-media-type");
	}
	/* a stranger is told first that he is one */
	err_set(&doubles.guard_error, ERR_UNKNOWN, "no key");
	request("POST", CHAT);
	nenv--;
	env[nenv] = NULL;
	serve();
	assert_problem(401, "unauthorized");
}

static void
test_guard_refuses(void **state)
{
	(void)state;
	err_set(&doubles.guard_error, ERR_UNKNOWN, "no key was shown");
	request("POST", CHAT);
	serve();
	assert_problem(401, "unauthorized");
	assert_true(memio_has_header(&m, "WWW-Authenticate"));
	assert_true(memio_has(&m, "Vary: Origin"));
	assert_false(memio_has_header(&m, "Access-Control-Allow-Origin"));
	assert_false(memio_has_header(&m, "X-Config-Epoch"));
	assert_int_equal(doubles.handled, 0);
	assert_int_equal(doubles.guard_done_calls, 0);
}

static void
test_sick_handlers(void **state)
{
	(void)state;
	doubles.act = ACT_NOTHING;
	doubles.guard_origin = "https://a.example";
	request("POST", CHAT);
	serve();
	assert_problem(500, "internal");
	assert_null(strstr(memio_body(&m), "api_chat"));
	assert_non_null(strstr(logged(), "api_chat answered nothing"));
	/* errors too can be read by the page that asked */
	assert_true(
	    memio_has(&m, "Access-Control-Allow-Origin: https://a.example"));
	assert_int_equal(doubles.guard_done_calls, 1);
	doubles.act = ACT_GONE;
	request("POST", CHAT);
	serve();
	assert_int_equal(m.out_len, 0);
	assert_non_null(strstr(logged(), "\"status\":\"499\""));
}

static void
test_stream(void **state)
{
	(void)state;
	doubles.act = ACT_STREAM;
	request("POST", "/accounts/acme/agents/sales/shop/stream");
	serve();
	assert_string_equal(doubles.last, "api_stream");
	assert_true(memio_has(&m, "Content-Type: text/event-stream"));
	assert_true(memio_has_header(&m, "X-Request-Id"));
}

static void
preflight(const char *uri, const char *origin)
{
	request("OPTIONS", uri);
	if (origin != NULL)
		param("HTTP_ORIGIN", origin);
	param("HTTP_ACCESS_CONTROL_REQUEST_METHOD", "POST");
	serve();
	assert_int_equal(doubles.refs, 0);
	assert_int_equal(doubles.guard_calls, 0);
}

static bool
preflight_allows(const char *uri, const char *origin)
{
	preflight(uri, origin);
	assert_int_equal(memio_status(&m), 204);
	assert_true(memio_has(&m, "Vary: Origin"));
	if (memio_has_header(&m, "Access-Control-Allow-Origin"))
		return true;
	assert_null(strstr(m.out, "Access-Control"));
	return false;
}

static void
test_preflight(void **state)
{
	(void)state;
	assert_true(preflight_allows(CHAT, "https://a.example"));
	assert_true(
	    memio_has(&m, "Access-Control-Allow-Origin: https://a.example"));
	assert_true(preflight_allows(CHAT, "http://localhost:8080"));
	assert_true(preflight_allows(TURN, "https://a.example"));
	assert_false(preflight_allows(CHAT, "https://b.example"));
	assert_false(preflight_allows(CHAT, "https://a.example.evil"));
	assert_false(preflight_allows(CHAT, "null"));
	assert_false(preflight_allows(CHAT, NULL));
	assert_false(preflight_allows(
	    "/accounts/globex/chat/sales/shop", "https://a.example"));
	assert_false(preflight_allows(
	    "/accounts/NoSlug/chat/sales/shop", "https://a.example"));
	doubles.account.active = false;
	assert_false(preflight_allows(CHAT, "https://a.example"));
	doubles.account.active = true;
	/* nothing is known: not a no */
	err_set(&doubles.accounts_error, ERR_UNAVAILABLE, "no database");
	preflight(CHAT, "https://a.example");
	assert_problem(503, "unavailable");
	assert_true(memio_has(&m, "Retry-After: 1"));
	preflight("/accounts/acme/nothing", "https://a.example");
	assert_problem(404, "not-found");
}

static void
test_bad_request(void **state)
{
	(void)state;
	request("GET", "");
	serve();
	assert_problem(400, "malformed");
	request("GET", TURN);
	m.body = NULL;
	if (m.ctx != NULL)
		memio_close(&m);
	memio_open(&m, env);
	err_set_kind(&m.req->bad, ERR_MALFORMED, "headers-too-large", 0, "x");
	app_serve(&app, m.req, m.resp);
	assert_problem(431, "headers-too-large");
}

static void
test_shed(void **state)
{
	int64_t before = metric_sum(M_SHED);

	(void)state;
	request("POST", CHAT);
	param("HTTP_X_REQUEST_ID", "shed-me-please");
	memio_open(&m, env);
	app_shed(&app, m.req, m.resp);
	assert_problem(503, "overloaded");
	assert_true(memio_has(&m, "Retry-After: 1"));
	assert_true(memio_has(&m, "X-Request-Id: shed-me-please"));
	assert_int_equal(metric_sum(M_SHED), before + 1);
	assert_int_equal(doubles.handled, 0);
}

static int not_ready;

static int
ready(void *arg, char *out, size_t max)
{
	assert_ptr_equal(arg, &app);
	snprintf(out, max, "database\nschema 2\n");
	return not_ready;
}

static void
test_health(void **state)
{
	(void)state;
	app.face = FACE_HEALTH;
	request("GET", "/healthz");
	serve();
	assert_int_equal(memio_status(&m), 200);
	assert_string_equal(memio_body(&m), "{\"status\":\"ok\"}");
	assert_true(memio_has_header(&m, "X-Request-Id"));

	app.ready = ready;
	app.ready_arg = &app;
	not_ready = 0;
	request("GET", "/readyz");
	serve();
	assert_int_equal(memio_status(&m), 200);
	assert_string_equal(memio_body(&m), "{\"status\":\"ready\"}");
	not_ready = 2;
	request("GET", "/readyz");
	serve();
	assert_problem(503, "not-ready");
	assert_non_null(strstr(memio_body(&m), "missing: database; schema 2"));
	assert_null(strstr(memio_body(&m), "schema 2;"));
	assert_true(memio_has(&m, "Retry-After: 1"));

	request("GET", CHAT);
	serve();
	assert_problem(404, "not-found");
}

static void
test_metrics(void **state)
{
	(void)state;
	app.face = FACE_HEALTH;
	app_setup_metrics();
	request("GET", "/metrics");
	serve();
	request("GET", "/metrics");
	serve();
	assert_int_equal(memio_status(&m), 200);
	assert_true(memio_has(
	    &m, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
	assert_non_null(strstr(memio_body(&m), "route=\"/metrics\""));
	assert_non_null(strstr(memio_body(&m), "sb_http_requests_total"));
	/* through a proxy, from elsewhere */
	request("GET", "/metrics");
	param("HTTP_X_FORWARDED_FOR", "192.0.2.7");
	serve();
	assert_problem(403, "forbidden");
	request("GET", "/metrics");
	nenv = 2;
	param("REMOTE_ADDR", "192.0.2.7");
	param("HTTP_X_FORWARDED_FOR", "127.0.0.1");
	serve();
	assert_problem(403, "forbidden");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_request_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_client_address, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_not_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_method, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_body_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_type, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_guard_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_sick_handlers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_preflight, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_bad_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_health, setup, teardown),
		cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
	};
	void *area = calloc(1, metric_size(1));
	int fd = mkstemp(log_path), rc;

	if (fd < 0 || close(fd) != 0 || log_open(log_path, LOG_INFO, NULL) != 0)
		return 1;
	metric_attach(area, 1);
	metric_slot(0);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(log_path);
	free(area);
	return rc;
}
