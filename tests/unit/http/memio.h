/* A request and its answer in memory, for tests of what lies above http. */
#ifndef TESTS_HTTP_MEMIO_H
#define TESTS_HTTP_MEMIO_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http/exchange.h"
#include "http/request.h"
#include "http/response.h"
#include "util/mem.h"

struct memio {
	const char *body;     /* what the request brings */
	size_t len, at, step; /* step: bytes of a read, 0 all */
	int read_errno;       /* after the body, instead of its end */
	char *out;            /* all that was written, terminated */
	size_t out_len, out_cap;
	int flushes, writes;
	size_t fail_at; /* the write that passes this many bytes fails */
	struct http_io io;
	void *ctx;
	struct http_req *req;
	struct http_resp *resp;
};

static inline ssize_t
memio_read(void *arg, void *p, size_t n)
{
	struct memio *m = arg;

	if (m->at == m->len) {
		errno = m->read_errno;
		return m->read_errno != 0 ? -1 : 0;
	}
	if (m->step > 0 && n > m->step)
		n = m->step;
	if (n > m->len - m->at)
		n = m->len - m->at;
	memcpy(p, m->body + m->at, n);
	m->at += n;
	return (ssize_t)n;
}

static inline int
memio_write(void *arg, const void *p, size_t n)
{
	struct memio *m = arg;

	m->writes++;
	if (m->fail_at > 0 && m->out_len + n > m->fail_at)
		return -1;
	if (m->out_len + n + 1 > m->out_cap) {
		m->out_cap = (m->out_len + n + 1) * 2;
		m->out = realloc(m->out, m->out_cap);
		if (m->out == NULL)
			abort();
	}
	memcpy(m->out + m->out_len, p, n);
	m->out_len += n;
	m->out[m->out_len] = '\0';
	return 0;
}

static inline int
memio_flush(void *arg)
{
	struct memio *m = arg;

	m->flushes++;
	return 0;
}

/* ${m} may have body, step, read_errno and fail_at set before. */
static inline void
memio_open_bound(struct memio *m, const char *const *env, size_t drain)
{
	struct http_bounds bounds = { 10000, drain };

	m->io = (struct http_io){ m, memio_read, memio_write, memio_flush };
	if (m->len == 0 && m->body != NULL)
		m->len = strlen(m->body);
	m->ctx = mem_root("test");
	m->req = http_req_new(m->ctx, (char *const *)env, &m->io, &bounds);
	m->resp = http_resp_new(m->req, &m->io);
}

static inline void
memio_open(struct memio *m, const char *const *env)
{
	memio_open_bound(m, env, 1024 * 1024);
}

static inline void
memio_close(struct memio *m)
{
	http_exchange_end(m->req, m->resp);
	mem_free(m->ctx);
	free(m->out);
	memset(m, 0, sizeof(*m));
}

/* The answer's body: what stands behind the empty line, or NULL. */
static inline const char *
memio_body(const struct memio *m)
{
	const char *gap = m->out != NULL ? strstr(m->out, "\r\n\r\n") : NULL;

	return gap != NULL ? gap + 4 : NULL;
}

/* Does the head hold exactly this line? */
static inline bool
memio_has(const struct memio *m, const char *line)
{
	size_t n = strlen(line);

	for (const char *s = m->out; s != NULL; s = strstr(s, "\r\n")) {
		if (s != m->out)
			s += 2;
		if (strncmp(s, line, n) == 0 && strncmp(s + n, "\r\n", 2) == 0)
			return true;
		if (strncmp(s, "\r\n", 2) == 0)
			return false;
	}
	return false;
}

/* Does the head hold a header of this name? */
static inline bool
memio_has_header(const struct memio *m, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = m->out; s != NULL; s = strstr(s, "\r\n")) {
		if (s != m->out)
			s += 2;
		if (strncmp(s, name, n) == 0 && s[n] == ':')
			return true;
		if (strncmp(s, "\r\n", 2) == 0)
			return false;
	}
	return false;
}

static inline int
memio_status(const struct memio *m)
{
	return m->out != NULL && strncmp(m->out, "Status: ", 8) == 0
	           ? (int)strtol(m->out + 8, NULL, 10)
	           : -1;
}

#endif
