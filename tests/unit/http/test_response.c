/* Answers: heads, bodies, streams, events, CORS, and what cannot get in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "http/cors.h"
#include "http/sse.h"
#include "memio.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#include "util/banned.h"

static struct memio m;

static void
open_as(const char *method)
{
	char a[64];
	const char *env[] = { a, "REQUEST_URI=/", NULL };

	snprintf(a, sizeof(a), "REQUEST_METHOD=%s", method);
	memio_open(&m, env);
}

static int
setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	open_as("GET");
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
test_whole(void **state)
{
	(void)state;
	http_status(m.resp, 201);
	http_set(m.resp, "X-One", "1");
	http_set(m.resp, "x-one", "2");
	http_setf(m.resp, "X-Number", "%d", 42);
	http_set(m.resp, "X-Away", "1");
	http_set(m.resp, "X-Away", NULL);
	assert_false(http_sent(m.resp));
	http_send(m.resp, "text/plain", "hello", 5);
	assert_true(http_sent(m.resp));
	assert_int_equal(memio_status(&m), 201);
	assert_true(memio_has(&m, "X-One: 2"));
	assert_true(memio_has(&m, "X-Number: 42"));
	assert_true(memio_has(&m, "Content-Type: text/plain"));
	assert_true(memio_has(&m, "Content-Length: 5"));
	assert_true(memio_has(&m, "X-Content-Type-Options: nosniff"));
	assert_false(memio_has_header(&m, "X-Away"));
	assert_string_equal(memio_body(&m), "hello");
	assert_int_equal(http_bytes(m.resp), 5);
	/* once only */
	http_status(m.resp, 500);
	http_set(m.resp, "X-Late", "1");
	http_send(m.resp, "text/plain", "again", 5);
	http_send_empty(m.resp);
	assert_int_equal(http_stream_begin(m.resp, "text/plain"), -1);
	assert_int_equal(http_stream(m.resp, "x", 1), -1);
	assert_string_equal(memio_body(&m), "hello");
	assert_int_equal(http_status_of(m.resp), 201);
	assert_true(http_exchange_end(m.req, m.resp));
	assert_int_equal(m.flushes, 0);
}

static void
test_empty(void **state)
{
	(void)state;
	http_status(m.resp, 303);
	http_set(m.resp, "Location", "/there");
	http_send_empty(m.resp);
	assert_true(memio_has(&m, "Content-Length: 0"));
	assert_true(memio_has(&m, "Location: /there"));
	assert_false(memio_has_header(&m, "Content-Type"));
	assert_string_equal(memio_body(&m), "");
	memio_close(&m);
	open_as("GET");
	http_status(m.resp, 204);
	http_send_empty(m.resp);
	assert_false(memio_has_header(&m, "Content-Length"));
	memio_close(&m);
	/* a 204 cannot have a body, whoever asks for one */
	open_as("GET");
	http_status(m.resp, 204);
	http_send(m.resp, "text/plain", "no", 2);
	assert_string_equal(memio_body(&m), "");
}

static void
test_head(void **state)
{
	(void)state;
	memio_close(&m);
	open_as("HEAD");
	http_send(m.resp, "text/plain", "hello", 5);
	assert_true(memio_has(&m, "Content-Length: 5"));
	assert_string_equal(memio_body(&m), "");
	assert_int_equal(http_bytes(m.resp), 0);
	memio_close(&m);
	open_as("HEAD");
	assert_int_equal(sse_begin(m.resp), 0);
	assert_int_equal(sse_event(m.resp, "a", NULL, 0, "{}", 2), 0);
	assert_string_equal(memio_body(&m), "");
}

/* D6: nothing in a value makes a second header. */
static void
test_injection(void **state)
{
	static const char *const values[] = { "a\r\nSet-Cookie: x=1",
		"a\nSet-Cookie: x=1", "a\rSet-Cookie: x=1", "\r\n\r\n<html>",
		"a\tb", "a\x01", "a\x7f", "\x1b[31m", "a\x0b", "a\x0c" };
	static const char *const names[] = { "", "a b", "a:b", "a\r\nb", "a\n",
		"\xc3\xa9", "a\"b" };
	char longest[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		http_set(m.resp, "X-Value", "good");
		http_set(m.resp, "X-Value", values[i]);
		http_setf(m.resp, "X-Format", "%s", values[i]);
		http_set(m.resp, "Location", values[i]);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		http_set(m.resp, names[i], "v");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	http_set(m.resp, "X-Long", longest);
	http_setf(m.resp, "X-Long-Too", "%s", longest);
	http_send(m.resp, "text/plain", "", 0);
	assert_string_equal(m.out,
	    "Status: 200 OK\r\nX-Content-Type-Options: nosniff\r\n"
	    "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n");
}

static void
test_too_many_headers(void **state)
{
	char name[32];
	int n = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "X-%d", i);
		http_set(m.resp, name, "v");
	}
	http_send(m.resp, "text/plain", "x", 1);
	assert_true(memio_has(&m, "Content-Type: text/plain"));
	assert_true(memio_has(&m, "Content-Length: 1"));
	for (const char *s = m.out; (s = strstr(s, "\r\nX-")) != NULL; s++)
		n++;
	assert_in_range(n, 20, 32);
}

static void
test_stream(void **state)
{
	(void)state;
	assert_int_equal(sse_begin(m.resp), 0);
	assert_int_equal(metric_sum(M_STREAMS), 1);
	assert_true(memio_has(&m, "Content-Type: text/event-stream"));
	assert_true(memio_has(&m, "X-Accel-Buffering: no"));
	assert_true(memio_has(&m, "Cache-Control: no-cache, no-store"));
	assert_false(memio_has_header(&m, "Content-Length"));
	assert_int_equal(
	    sse_event(m.resp, "delta", "turn", 12, "{\"a\":1}", 7), 0);
	assert_int_equal(sse_ping(m.resp), 0);
	assert_int_equal(
	    sse_event(m.resp, "x", NULL, 0, "a\nb\r\nc\rd\n", 9), 0);
	assert_int_equal(sse_event(m.resp, "done", "turn", 13, "", 0), 0);
	assert_string_equal(memio_body(&m),
	    "retry: 500\n\n"
	    "event: delta\nid: turn:12\ndata: {\"a\":1}\n\n"
	    ": ping\n\n"
	    "event: x\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
	    "event: done\nid: turn:13\ndata: \n\n");
	assert_int_equal(m.flushes, 6);
	assert_int_equal(http_bytes(m.resp), (uint64_t)strlen(memio_body(&m)));
	assert_true(http_exchange_end(m.req, m.resp));
	assert_int_equal(metric_sum(M_STREAMS), 0);
}

/* Once gone, gone: no write is tried after the first that failed. */
static void
test_gone(void **state)
{
	int writes;

	(void)state;
	assert_int_equal(sse_begin(m.resp), 0);
	m.fail_at = m.out_len + 10;
	assert_int_equal(sse_event(m.resp, "delta", "t", 1, "{}", 2), -1);
	m.fail_at = 0;
	writes = m.writes;
	assert_int_equal(sse_event(m.resp, "delta", "t", 2, "{}", 2), -1);
	assert_int_equal(sse_ping(m.resp), -1);
	assert_int_equal(m.writes, writes);
	assert_true(http_abandoned(m.resp));
	assert_false(http_exchange_end(m.req, m.resp));
	assert_int_equal(metric_sum(M_STREAMS), 0);
}

static void
test_abandon(void **state)
{
	(void)state;
	http_abandon(m.resp);
	http_send(m.resp, "text/plain", "x", 1);
	http_send_empty(m.resp);
	assert_int_equal(http_stream_begin(m.resp, "x"), -1);
	assert_false(http_sent(m.resp));
	assert_int_equal(m.out_len, 0);
	assert_false(http_exchange_end(m.req, m.resp));
}

static void
test_unanswered(void **state)
{
	(void)state;
	assert_int_equal(sse_event(m.resp, "a", NULL, 0, "", 0), -1);
	assert_int_equal(m.out_len, 0);
	assert_false(http_exchange_end(m.req, m.resp));
}

static void
test_cors(void **state)
{
	(void)state;
	cors_allow(m.resp, "https://a.example");
	http_send(m.resp, "text/plain", "", 0);
	assert_true(
	    memio_has(&m, "Access-Control-Allow-Origin: https://a.example"));
	assert_true(memio_has(&m, "Vary: Origin"));
	assert_true(memio_has_header(&m, "Access-Control-Expose-Headers"));
	assert_false(memio_has_header(&m, "Access-Control-Allow-Credentials"));
	memio_close(&m);

	open_as("OPTIONS");
	cors_preflight(m.resp, "https://a.example");
	assert_int_equal(memio_status(&m), 204);
	assert_true(
	    memio_has(&m, "Access-Control-Allow-Origin: https://a.example"));
	assert_true(
	    memio_has(&m, "Access-Control-Allow-Methods: GET, POST, DELETE"));
	assert_non_null(strstr(m.out, "X-Widget-Key"));
	assert_false(memio_has_header(&m, "Access-Control-Allow-Credentials"));
	memio_close(&m);

	open_as("OPTIONS");
	cors_preflight(m.resp, NULL);
	assert_int_equal(memio_status(&m), 204);
	assert_null(strstr(m.out, "Access-Control-"));
	assert_true(memio_has(&m, "Vary: Origin"));
	memio_close(&m);

	open_as("GET");
	cors_allow(m.resp, "https://a.example\r\nX-Evil: 1");
	http_send(m.resp, "text/plain", "", 0);
	assert_false(memio_has_header(&m, "Access-Control-Allow-Origin"));
	assert_false(memio_has_header(&m, "X-Evil"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_injection, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_too_many_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abandon, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_unanswered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cors, setup, teardown),
	};
	void *area = calloc(1, metric_size(1));

	if (log_open("/dev/null", LOG_ERROR, NULL) != 0)
		return 1;
	metric_attach(area, 1);
	metric_slot(0);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	free(area);
	return rc;
}
