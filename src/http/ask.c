/*
 * FastCGI from the other side, as little as one request needs: a begin record,
 * the parameters, an empty body; then standard output until the end record.
 */
#include "http/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/buf.h"
#include "util/clock.h"

#include "util/banned.h"

#define HEAD 8
#define RECORD_MAX (HEAD + 65535 + 255)
#define ANSWER_MAX ((size_t)8 << 20)
#define WAIT_MS 60000

enum { BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static void
record(struct buf *b, int type, const char *p, size_t n)
{
	const char head[HEAD] = { 1, (char)type, 0, 1, (char)(n >> 8),
		(char)(n & 0xff), 0, 0 };

	buf_add(b, head, HEAD);
	buf_add(b, p, n);
}

/* Names and values here are shorter than 128 bytes but for the path. */
static void
param(struct buf *b, const char *name, const char *value)
{
	size_t n = strlen(value);
	const char size[4] = { (char)(0x80 | (n >> 24)), (char)(n >> 16),
		(char)(n >> 8), (char)(n & 0xff) };

	buf_addc(b, (char)strlen(name));
	buf_add(b, size, sizeof(size));
	buf_adds(b, name);
	buf_adds(b, value);
}

static void
request(struct buf *b, const char *method, const char *path)
{
	static const char responder[HEAD] = { 0, 1 };
	struct buf params;

	buf_init(&params, NULL, 8192);
	param(&params, "REQUEST_METHOD", method);
	param(&params, "REQUEST_URI", path);
	param(&params, "QUERY_STRING", "");
	param(&params, "SERVER_PROTOCOL", "HTTP/1.1");
	param(&params, "REMOTE_ADDR", "127.0.0.1");
	record(b, BEGIN, responder, sizeof(responder));
	record(b, PARAMS, params.data, params.len);
	record(b, PARAMS, "", 0);
	record(b, STDIN, "", 0);
	if (buf_failed(&params))
		b->failed = true;
	buf_free(&params);
}

static int
away(struct err *e, const char *path)
{
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
	    "%s: %s (does the server run?)", path, strerror(errno));
}

static int
open_socket(const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return away(e, path);
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return away(e, path);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
		(void)away(e, path);
		close(fd);
		return -1;
	}
	return fd;
}

/* Exactly ${n} bytes. */
static int
read_all(int fd, char *p, size_t n, int64_t deadline, struct err *e)
{
	while (n > 0) {
		struct pollfd f = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&f, 1, clock_left_ms(deadline, WAIT_MS)) == 0)
			return err_set(
			    e, ERR_TIMEOUT, "the server does not answer");
		got = recv(fd, p, n, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return err_set(e, ERR_UPSTREAM,
			    "the server has cut its answer off");
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

/* Read records until the end of the request. */
static int
read_answer(int fd, struct buf *out, int64_t deadline, struct err *e)
{
	unsigned char h[RECORD_MAX];
	char *p = (char *)h;

	for (;;) {
		size_t n;

		if (read_all(fd, p, HEAD, deadline, e) != 0)
			return -1;
		int type = h[1];

		n = (size_t)h[4] << 8 | h[5];
		if (read_all(fd, p, n + h[6], deadline, e) != 0)
			return -1;
		if (type == STDOUT)
			buf_add(out, p, n);
		else if (type == END)
			return 0;
		if (buf_failed(out))
			return err_set(
			    e, ERR_UPSTREAM, "the answer is too long");
	}
}

static int
split(const struct buf *answer, int *status, struct buf *body, struct err *e)
{
	const char *end = strstr(answer->data, "\r\n\r\n");
	const char *line = strstr(answer->data, "Status: ");

	if (end == NULL)
		return err_set(
		    e, ERR_UPSTREAM, "the server's answer has no head");
	*status =
	    line != NULL && line < end ? (int)strtol(line + 8, NULL, 10) : 200;
	end += 4;
	buf_add(body, end, answer->len - (size_t)(end - answer->data));
	return 0;
}

int
http_ask(const char *path, const char *method, const char *target,
    int64_t deadline, int *status, struct buf *body, struct err *e)
{
	auto_fd fd = open_socket(path, e);
	struct buf b;
	ssize_t sent;
	int rc;

	if (fd < 0)
		return -1;
	buf_init(&b, NULL, ANSWER_MAX);
	request(&b, method, target);
	sent = send(fd, b.data, b.len, MSG_NOSIGNAL);
	if (buf_failed(&b) || sent < 0 || (size_t)sent != b.len) {
		buf_free(&b);
		return err_set(e, ERR_UPSTREAM, "the request was not taken");
	}
	buf_clear(&b);
	rc = read_answer(fd, &b, deadline, e);
	if (rc == 0)
		rc = split(&b, status, body, e);
	buf_free(&b);
	return rc;
}
