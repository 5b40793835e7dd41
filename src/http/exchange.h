/*
 * One request with its answer, apart from where the bytes come from and go to:
 * fcgi.c makes the pair of a FastCGI connection, tests and fuzzers of memory.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_req;
struct http_resp;

/* Parameters beyond these are not taken: the request is answered 431. */
#define HTTP_PARAMS_MAX 256
#define HTTP_PARAMS_BYTES 65536

struct http_io {
	void *arg;
	/* Some bytes of the body: their number, 0 at its end, -1 with errno
	 * (EAGAIN: the sender pauses too long; anything else: broken). */
	ssize_t (*read)(void *arg, void *p, size_t n);
	/* Take bytes, perhaps to keep them until flush; 0, or -1 for good. */
	int (*write)(void *arg, const void *p, size_t n);
	int (*flush)(void *arg);
};

struct http_bounds {
	int64_t body_ms; /* the whole body must be here by then; 0: no bound */
	size_t drain;    /* a refused body is read to here */
};

/*
 * A request of FastCGI parameters ("NAME=value", NULL-terminated), copied
 * below ${ctx}, which is the request's memory from now on.  Always succeeds:
 * what is wrong with it stands in req->bad.  ${io} must outlive the request.
 */
struct http_req *http_req_new(void *ctx, char *const *env,
    const struct http_io *io, const struct http_bounds *);

/* The answer of ${req}, in the same memory. */
struct http_resp *http_resp_new(struct http_req *, const struct http_io *io);

/*
 * After the handler: read what is left of the body.  True when both sides are
 * at their end, so that the connection can carry another request; false when
 * nothing was answered, the reader has gone or the body is broken.
 */
bool http_exchange_end(struct http_req *, struct http_resp *);

#endif
