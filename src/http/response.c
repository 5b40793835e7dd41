/*
 * Answers as CGI wants them: a Status line, headers, an empty line, a body.
 * Headers are kept until the first byte of the body, so that each answer is
 * either whole or has not begun.
 */
#include "http/response.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/http_priv.h"
#include "http/request.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/mem.h"

#include "util/banned.h"

#define HEADERS_MAX 32 /* and the two that every body has */
#define VALUE_MAX 1024

struct http_resp {
	struct http_req *req;
	const struct http_io *io;
	int status;
	struct http_param headers[HEADERS_MAX + 2];
	int nheaders;
	bool sent, streaming, dead;
	uint64_t bytes;
};

struct http_resp *
http_resp_new(struct http_req *req, const struct http_io *io)
{
	struct http_resp *r = mem_new(req->ctx, struct http_resp);

	r->req = req;
	r->io = io;
	r->status = 200;
	http_set(r, "X-Content-Type-Options", "nosniff");
	return r;
}

void
http_status(struct http_resp *r, int status)
{
	if (!r->sent)
		r->status = status;
}

int
http_status_of(const struct http_resp *r)
{
	return r->status;
}

bool
http_sent(const struct http_resp *r)
{
	return r->sent;
}

uint64_t
http_bytes(const struct http_resp *r)
{
	return r->bytes;
}

void
http_abandon(struct http_resp *r)
{
	r->dead = true;
}

bool
http_abandoned(const struct http_resp *r)
{
	return r->dead;
}

/* RFC 9110, 5.6.2 */
static bool
name_ok(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("-_", *s) == NULL)
			return false;
	return true;
}

static bool
value_ok(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++, n++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return n <= VALUE_MAX;
}

static struct http_param *
find_header(struct http_resp *r, const char *name)
{
	for (int i = 0; i < r->nheaders; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			return &r->headers[i];
	return NULL;
}

/* Into ${h}, or as one more (NULL). */
static void
put_header(struct http_resp *r, struct http_param *h, const char *name,
    const char *value, int max)
{
	if (r->sent)
		return;
	if (value != NULL && (!name_ok(name) || !value_ok(value) ||
				 (h == NULL && r->nheaders >= max))) {
		log_event(LOG_WARN, "header_refused", "header",
		    name_ok(name) ? name : "?", NULL);
		value = NULL;
	}
	if (value == NULL) {
		if (h != NULL)
			*h = r->headers[--r->nheaders];
		return;
	}
	if (h == NULL) {
		h = &r->headers[r->nheaders++];
		h->name = mem_strdup(r->req->ctx, name);
	}
	h->value = mem_strdup(r->req->ctx, value);
}

static void
set_header(struct http_resp *r, const char *name, const char *value, int max)
{
	put_header(r, find_header(r, name), name, value, max);
}

void
http_addf(struct http_resp *r, const char *name, const char *fmt, ...)
{
	char value[VALUE_MAX + 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	put_header(r, NULL, name, value, HEADERS_MAX);
}

void
http_set(struct http_resp *r, const char *name, const char *value)
{
	set_header(r, name, value, HEADERS_MAX);
}

void
http_setf(struct http_resp *r, const char *name, const char *fmt, ...)
{
	char value[VALUE_MAX + 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	http_set(r, name, value); /* one too long is refused, not cut */
}

static void
put(struct http_resp *r, const void *p, size_t n)
{
	if (n > 0 && !r->dead && r->io->write(r->io->arg, p, n) != 0)
		r->dead = true;
}

static void
put_text(struct http_resp *r, const char *s)
{
	put(r, s, strlen(s));
}

void
resp_body(struct http_resp *r, const void *p, size_t n)
{
	if (strcmp(r->req->method, "HEAD") == 0 || r->status == 204 ||
	    r->status == 304)
		return;
	put(r, p, n);
	r->bytes += n;
}

int
resp_flush(struct http_resp *r)
{
	if (!r->dead && r->io->flush(r->io->arg) != 0)
		r->dead = true;
	return r->dead ? -1 : 0;
}

/* nginx sends on what stands here, and HTTP wants words behind the number. */
static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *words;
	} rows[] = { { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 204, "No Content" }, { 303, "See Other" },
		{ 304, "Not Modified" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 409, "Conflict" },
		{ 412, "Precondition Failed" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].words;
	return "Other";
}

static void
put_head(struct http_resp *r)
{
	char line[64];

	/* The web server may still be sending: take all of it first. */
	body_discard(r->req);
	r->sent = true;
	snprintf(line, sizeof(line), "Status: %03d %s\r\n", r->status % 1000,
	    reason(r->status));
	put_text(r, line);
	for (int i = 0; i < r->nheaders; i++) {
		put_text(r, r->headers[i].name);
		put_text(r, ": ");
		put_text(r, r->headers[i].value);
		put_text(r, "\r\n");
	}
	put_text(r, "\r\n");
}

void
http_send(
    struct http_resp *r, const char *content_type, const void *p, size_t n)
{
	char length[24];

	if (r->sent || r->dead)
		return;
	snprintf(length, sizeof(length), "%zu", n);
	set_header(r, "Content-Type", content_type, HEADERS_MAX + 2);
	set_header(r, "Content-Length", length, HEADERS_MAX + 2);
	put_head(r);
	resp_body(r, p, n);
}

void
http_send_empty(struct http_resp *r)
{
	if (r->sent || r->dead)
		return;
	http_set(r, "Content-Type", NULL);
	if (r->status != 204 && r->status != 304)
		set_header(r, "Content-Length", "0", HEADERS_MAX + 2);
	put_head(r);
}

int
http_stream_begin(struct http_resp *r, const char *content_type)
{
	if (r->sent || r->dead)
		return -1;
	set_header(r, "Content-Type", content_type, HEADERS_MAX + 2);
	put_head(r);
	r->streaming = true;
	metric_add(M_STREAMS, 1);
	return resp_flush(r);
}

int
http_stream(struct http_resp *r, const void *p, size_t n)
{
	if (!r->streaming)
		return -1;
	resp_body(r, p, n);
	return resp_flush(r);
}

bool
http_exchange_end(struct http_req *req, struct http_resp *r)
{
	if (r->streaming)
		metric_add(M_STREAMS, -1);
	r->streaming = false;
	body_discard(req);
	return r->sent && !r->dead && body_ended(req);
}
