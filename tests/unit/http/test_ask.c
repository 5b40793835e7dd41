/* A request to our own server from the operator's command, and answers good
 * and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/ask.h"
#include "http/fcgi.h"
#include "http/request.h"
#include "http/response.h"
#include "records.h"
#include "util/buf.h"
#include "util/clock.h"

static struct {
	char path[64];
	int fd;
	const struct wire *says; /* NULL: the real server side */
	bool silent;
	atomic_bool over; /* nobody will come */
} server;

static void
handle(void *arg, struct http_req *req, struct http_resp *resp)
{
	char text[100];

	(void)arg;
	snprintf(
	    text, sizeof(text), "%s from %s", req->path, req->client_address);
	http_status(resp, 207);
	http_send(resp, "text/plain", text, strlen(text));
}

static void *
serve(void *arg)
{
	static const struct fcgi_opts opts = {
		.read_ms = 5000, .write_ms = 5000, .body_drain = 1000
	};
	struct pollfd comes = { .fd = server.fd, .events = POLLIN };
	void *state;
	char junk[512];
	int fd;

	(void)arg;
	while (poll(&comes, 1, 10) != 1)
		if (atomic_load(&server.over))
			return NULL;
	fd = accept(server.fd, NULL, NULL);
	if (fd < 0)
		return NULL;
	if (server.silent) {
		while (read(fd, junk, sizeof(junk)) > 0)
			continue;
	} else if (server.says != NULL) {
		(void)!read(fd, junk, sizeof(junk));
		(void)!write(fd, server.says->b, server.says->n);
	} else {
		fcgi_accepted(fd, &opts);
		state = fcgi_new();
		fd = fcgi_serve(state, fd, &opts, handle, NULL);
		fcgi_free(state);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int
asked(int ms, int *status, struct buf *body, struct err *e)
{
	pthread_t t;
	int rc;

	atomic_store(&server.over, false);
	assert_int_equal(pthread_create(&t, NULL, serve, NULL), 0);
	rc = http_ask(server.path, "GET", "/own/x",
	    clock_mono() + ms * CLOCK_MS, status, body, e);
	atomic_store(&server.over, true);
	pthread_join(t, NULL);
	return rc;
}

static void
answers(void **state)
{
	struct err e = { 0 };
	struct buf body;
	int status = 0;

	(void)state;
	buf_init(&body, NULL, 1000);
	if (asked(20000, &status, &body, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(status, 207);
	assert_string_equal(body.data, "/own/x from 127.0.0.1");
	buf_free(&body);
}

static void
expect_bad(const struct wire *says, enum err_code code)
{
	struct err e = { 0 };
	struct buf body;
	int status = 0;

	server.says = says;
	buf_init(&body, NULL, 1000);
	assert_int_equal(asked(20000, &status, &body, &e), -1);
	assert_int_equal(e.code, code);
	buf_free(&body);
	server.says = NULL;
}

static void
bad_answers(void **state)
{
	static struct wire w;
	static const uint8_t end[8];

	(void)state;
	w.n = 0;
	expect_bad(&w, ERR_UPSTREAM); /* nothing */
	wire_record(&w, REC_STDOUT, "Status: 200 OK\r\n", 16, 0);
	expect_bad(&w, ERR_UPSTREAM); /* cut off */
	wire_record(&w, REC_END, end, 8, 0);
	expect_bad(&w, ERR_UPSTREAM); /* no head */
	w.n = 0;
	wire_record(&w, REC_STDOUT, "\r\n\r\nx", 5, 3);
	w.n -= 2;
	expect_bad(&w, ERR_UPSTREAM); /* in the padding */
}

static void
nobody_there(void **state)
{
	struct err e = { 0 };
	struct buf body;
	char path[300];
	int status;

	(void)state;
	buf_init(&body, NULL, 1000);
	assert_int_equal(http_ask("/nonexistent/health.sock", "GET", "/x",
			     clock_mono() + CLOCK_S, &status, &body, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "does the server run"));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(http_ask(path, "GET", "/x", clock_mono() + CLOCK_S,
			     &status, &body, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	/* One that says nothing. */
	server.silent = true;
	assert_int_equal(asked(50, &status, &body, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	server.silent = false;
	buf_free(&body);
}

static int
setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(server.path, sizeof(server.path), "/tmp/sb-ask-%ld.sock",
	    (long)getpid());
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", server.path);
	server.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return fcgi_setup() == 0 &&
	               bind(server.fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	               listen(server.fd, 4) == 0
	           ? 0
	           : -1;
}

static int
teardown(void **state)
{
	(void)state;
	close(server.fd);
	return unlink(server.path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(bad_answers),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
