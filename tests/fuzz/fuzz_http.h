/* A request of fuzzed FastCGI parameters, for the entries of src/http. */
#ifndef TESTS_FUZZ_HTTP_H
#define TESTS_FUZZ_HTTP_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/exchange.h"
#include "http/request.h"
#include "http/response.h"
#include "util/mem.h"

#define FUZZ_PARAMS 600

struct fuzz_http {
	char *text; /* the input, its lines terminated */
	char *env[FUZZ_PARAMS + 1];
	const char *body;
	size_t body_len, body_at;
	char *out;
	size_t out_len, out_cap;
	struct http_io io;
	void *ctx;
	struct http_req *req;
};

static inline ssize_t
fuzz_read(void *arg, void *p, size_t n)
{
	struct fuzz_http *f = arg;
	size_t left = f->body_len - f->body_at;

	/* uneven pieces, and now and then a sender that stops */
	if (left == 0) {
		errno = EAGAIN;
		return f->body_len % 7 == 6 ? -1 : 0;
	}
	if (n > 1 + f->body_len % 13)
		n = 1 + f->body_len % 13;
	if (n > left)
		n = left;
	memcpy(p, f->body + f->body_at, n);
	f->body_at += n;
	return (ssize_t)n;
}

static inline int
fuzz_write(void *arg, const void *p, size_t n)
{
	struct fuzz_http *f = arg;

	if (f->out_len + n + 1 > f->out_cap) {
		f->out_cap = (f->out_len + n + 1) * 2;
		f->out = realloc(f->out, f->out_cap);
		if (f->out == NULL)
			abort();
	}
	memcpy(f->out + f->out_len, p, n);
	f->out_len += n;
	f->out[f->out_len] = '\0';
	return 0;
}

static inline int
fuzz_flush(void *arg)
{
	(void)arg;
	return 0;
}

/* Lines are parameters; what stands behind an empty line is the body. */
static inline void
fuzz_open(struct fuzz_http *f, const uint8_t *data, size_t size)
{
	struct http_bounds bounds = { 0, 512 };
	size_t at = 0;
	int n = 0;

	memset(f, 0, sizeof(*f));
	f->text = malloc(size + 1);
	if (f->text == NULL)
		abort();
	memcpy(f->text, data, size);
	f->text[size] = '\0';
	while (at < size && n < FUZZ_PARAMS) {
		char *line = f->text + at, *end;

		end = memchr(line, '\n', size - at);
		if (end == NULL)
			end = f->text + size;
		at = (size_t)(end - f->text) + 1;
		if (end == line)
			break;
		*end = '\0';
		f->env[n++] = line;
	}
	if (at < size) {
		f->body = f->text + at;
		f->body_len = size - at;
	}
	f->io = (struct http_io){ f, fuzz_read, fuzz_write, fuzz_flush };
	f->ctx = mem_root("fuzz");
	f->req = http_req_new(f->ctx, f->env, &f->io, &bounds);
}

static inline void
fuzz_close(struct fuzz_http *f)
{
	mem_free(f->ctx);
	free(f->text);
	free(f->out);
}

#endif
