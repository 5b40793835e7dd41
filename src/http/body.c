/*
 * The body is read once, to its end record and within bounds, whoever wants
 * it: a connection with an unread body can neither be watched for the
 * reader's hang-up nor carry another request.
 */
#include "http/http_priv.h"

#include <errno.h>
#include <string.h>

#include "http/request.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PIECE 4096

void
body_init(struct http_req *req, const struct http_io *io,
    const struct http_bounds *bounds)
{
	struct http_body *b = mem_new(req->ctx, struct http_body);

	b->io = io;
	b->drain = bounds->drain;
	if (bounds->body_ms > 0)
		b->deadline = req->started + bounds->body_ms * CLOCK_MS;
	req->body = b;
}

static int
broken(struct http_body *b, struct err *e)
{
	b->state = BODY_BROKEN;
	if (e != NULL)
		*e = b->err;
	return -1;
}

static int
slow(struct http_body *b, struct err *e)
{
	err_set_kind(&b->err, ERR_TIMEOUT, "request-timeout", 0,
	    "the request's body did not arrive in time");
	return broken(b, e);
}

/* The next bytes into ${p}: their number, 0 at the end, -1 broken. */
static ssize_t
piece(struct http_body *b, char *p, struct err *e)
{
	ssize_t n;

	if (b->deadline != 0 && clock_mono() > b->deadline)
		return slow(b, e);
	n = b->io->read(b->io->arg, p, PIECE);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT)
		return slow(b, e);
	err_set(&b->err, ERR_MALFORMED, "the request's body is cut off");
	return broken(b, e);
}

/* Read on, keeping nothing: from ${seen} bytes to the end or the bound. */
static int
drain(struct http_body *b, size_t seen, struct err *e)
{
	char p[PIECE];
	ssize_t n;

	while (seen <= b->drain) {
		n = piece(b, p, e);
		if (n < 0)
			return -1;
		if (n == 0) {
			b->state = BODY_REFUSED;
			return 0;
		}
		seen += (size_t)n;
	}
	return broken(b, e);
}

static int
refuse(struct http_body *b, size_t seen, size_t max, struct err *e)
{
	struct err why = { 0 };

	err_set(&why, ERR_TOO_LARGE,
	    "the request's body is larger than %zu bytes", max);
	b->err = why;
	(void)drain(b, seen, NULL); /* either way, this is the reason */
	b->err = why;
	if (e != NULL)
		*e = why;
	return -1;
}

static int
read_all(struct http_req *req, size_t max, struct err *e)
{
	struct http_body *b = req->body;
	char p[PIECE];
	struct buf got;
	ssize_t n;

	if (req->content_length >= 0 && (uint64_t)req->content_length > max)
		return refuse(b, 0, max, e);
	buf_init(&got, req->ctx, max + 1);
	for (;;) {
		n = piece(b, p, e);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		if ((size_t)n > max - got.len)
			return refuse(b, got.len + (size_t)n, max, e);
		buf_add(&got, p, (size_t)n);
	}
	if (req->content_length >= 0 &&
	    (uint64_t)req->content_length != got.len) {
		b->state = BODY_REFUSED;
		err_set(&b->err, ERR_MALFORMED,
		    "Content-Length and the body differ");
		*e = b->err;
		return -1;
	}
	b->state = BODY_WHOLE;
	b->data = got.data;
	b->len = got.len;
	return 0;
}

int
http_body(struct http_req *req, size_t max, const char **ret, size_t *len,
    struct err *e)
{
	struct http_body *b = req->body;
	struct err unused;

	if (e == NULL)
		e = &unused;
	if (b->state == BODY_UNREAD && read_all(req, max, e) != 0)
		return -1;
	if (b->state != BODY_WHOLE) {
		*e = b->err;
		return -1;
	}
	if (b->len > max)
		return err_set(e, ERR_TOO_LARGE,
		    "the request's body is larger than %zu bytes", max);
	*ret = b->data;
	*len = b->len;
	return 0;
}

void
body_discard(struct http_req *req)
{
	struct http_body *b = req->body;

	if (b->state != BODY_UNREAD)
		return;
	err_set(&b->err, ERR_MALFORMED, "the request's body was not read");
	(void)drain(b, 0, NULL);
}

bool
body_ended(const struct http_req *req)
{
	return req->body->state == BODY_WHOLE ||
	       req->body->state == BODY_REFUSED;
}
