/*
 * One FastCGI request after the other on a kept connection: libfcgi is
 * included in this folder only (fcgi.c).  The waiting is the daemon's: it
 * hands a ready descriptor to fcgi_serve() and takes it back.
 */
#ifndef HTTP_FCGI_H
#define HTTP_FCGI_H

#include <stdbool.h>
#include <stddef.h>

struct http_req;
struct http_resp;

/* Once a process, before threads.  SIGPIPE is ignored from now on; libfcgi's
 * own handlers for SIGTERM and SIGUSR1 are taken out again.  0 or -1. */
int fcgi_setup(void);

struct fcgi; /* a thread's request object, reused */
struct fcgi *fcgi_new(void);
void fcgi_free(struct fcgi *);

struct fcgi_opts {
	int read_ms, write_ms; /* socket time-outs */
	size_t body_drain;     /* a refused body is read to here, then the
	                          connection is closed */
};

/*
 * Serve exactly one request from ${fd}, which has become readable: read it,
 * call ${handle}, finish.  Returns the descriptor to be waited on again, or
 * -1 when the connection is closed: its end was read, the web server wants no
 * more requests on it, what came was no request (then ${handle} is not
 * called), or a side broke off in the middle.  The request, its answer and
 * their memory are gone when it returns.
 */
int fcgi_serve(struct fcgi *, int fd, const struct fcgi_opts *,
    void (*handle)(void *arg, struct http_req *, struct http_resp *),
    void *arg);

/* Prepare an accepted connection: close-on-exec, time-outs. */
void fcgi_accepted(int fd, const struct fcgi_opts *);
/* Other time-outs than those it was accepted with. */
void fcgi_patience(int fd, const struct fcgi_opts *);

#endif
