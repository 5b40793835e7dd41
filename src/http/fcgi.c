/*
 * libfcgi behind one function.  Of its loop only reading and writing of
 * records is used: it never accepts (its listening socket is -1), never waits
 * for a connection's next request, and never closes one, since it would read
 * for two seconds more before it does.
 *
 * What it does not tell: after a failed flush the next one "succeeds", so the
 * first error ends the answer for good; and finishing a request writes once
 * more, so a broken one is freed instead of finished.
 */
#include "http/fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http/exchange.h"
#include "http/request.h"
#include "http/response.h"
#include "util/mem.h"

#include "util/banned.h"

#define ROLE_RESPONDER 1
/* A body may take this many of the sender's longest pauses in all. */
#define BODY_PAUSES 15

struct fcgi {
	FCGX_Request req;
	bool dead; /* a write failed: libfcgi is not asked again */
};

int
fcgi_setup(void)
{
	static const int taken[] = { SIGUSR1, SIGTERM };
	struct sigaction before[2], ignore = { .sa_handler = SIG_IGN };
	int rc;

	for (int i = 0; i < 2; i++)
		if (sigaction(taken[i], NULL, &before[i]) != 0)
			return -1;
	rc = FCGX_Init();
	for (int i = 0; i < 2; i++)
		if (sigaction(taken[i], &before[i], NULL) != 0)
			return -1;
	sigemptyset(&ignore.sa_mask);
	return rc == 0 && sigaction(SIGPIPE, &ignore, NULL) == 0 ? 0 : -1;
}

struct fcgi *
fcgi_new(void)
{
	struct fcgi *f = mem_new(NULL, struct fcgi);

	FCGX_InitRequest(&f->req, -1, 0);
	return f;
}

void
fcgi_free(struct fcgi *f)
{
	mem_free(f);
}

/*
 * One byte waits for the next record; the rest is what has come with it, so
 * that the caller looks at the clock between any two reads of the socket.
 */
static ssize_t
body_read(void *arg, void *p, size_t n)
{
	struct fcgi *f = arg;
	FCGX_Stream *in = f->req.in;
	char *to = p;
	ptrdiff_t have;
	int c, error;

	if (in == NULL) { /* see out_flush() */
		errno = EPROTO;
		return -1;
	}
	c = FCGX_GetChar(in);
	if (c == EOF) {
		error = FCGX_GetError(in);
		if (error == 0)
			return 0;
		errno = error > 0 ? error : EPROTO;
		return -1;
	}
	to[0] = (char)c;
	have = in->stop - in->rdNext;
	if (n - 1 < (size_t)have)
		have = (ptrdiff_t)n - 1;
	return 1 + FCGX_GetStr(to + 1, (int)have, in);
}

static int
check(struct fcgi *f, int rc)
{
	if (rc < 0 || FCGX_GetError(f->req.out) != 0)
		f->dead = true;
	return f->dead ? -1 : 0;
}

static int
out_write(void *arg, const void *p, size_t n)
{
	struct fcgi *f = arg;
	const char *from = p;

	while (n > 0 && !f->dead) {
		int part = n > INT_MAX ? INT_MAX : (int)n;

		(void)check(f, FCGX_PutStr(from, part, f->req.out));
		from += part;
		n -= (size_t)part;
	}
	return f->dead ? -1 : 0;
}

/* Only streams are flushed on the way: they last, and what there was to read
 * has been read before the first byte went out, so its buffer can go. */
static int
out_flush(void *arg)
{
	struct fcgi *f = arg;

	FCGX_FreeStream(&f->req.in);
	return f->dead ? -1 : check(f, FCGX_FFlush(f->req.out));
}

/* Read a request's parameters; the descriptor is closed on failure. */
static int
accept_request(struct fcgi *f, int fd)
{
	f->dead = false;
	f->req.ipcFd = fd;
	f->req.keepConnection = 1; /* else the call below closes it first */
	FCGX_Detach(&f->req);      /* no reading on when it gives up */
	if (FCGX_Accept_r(&f->req) == 0 && f->req.role == ROLE_RESPONDER)
		return 0;
	FCGX_Free(&f->req, 0);
	if (f->req.ipcFd >= 0)
		close(f->req.ipcFd);
	f->req.ipcFd = -1;
	return -1;
}

/*
 * Send what is still buffered and the end record, unless the answer is broken
 * off: its missing end is how the web server knows.  Then give the connection
 * back, or close it.
 */
static int
finish_request(struct fcgi *f, bool answered, bool ended)
{
	int fd = f->req.ipcFd;
	bool keep = ended && f->req.keepConnection != 0;

	if (!answered || f->dead || FCGX_FClose(f->req.err) != 0 ||
	    FCGX_FClose(f->req.out) != 0)
		keep = false;
	FCGX_Free(&f->req, 0);
	f->req.ipcFd = -1;
	if (keep)
		return fd;
	close(fd);
	return -1;
}

int
fcgi_serve(struct fcgi *f, int fd, const struct fcgi_opts *opts,
    void (*handle)(void *arg, struct http_req *, struct http_resp *), void *arg)
{
	struct http_io io = { f, body_read, out_write, out_flush };
	struct http_bounds bounds = { (int64_t)opts->read_ms * BODY_PAUSES,
		opts->body_drain };
	struct http_req *req;
	struct http_resp *resp;
	void *ctx;
	bool answered, ended;

	if (accept_request(f, fd) != 0)
		return -1;
	ctx = mem_root("request");
	req = http_req_new(ctx, f->req.envp, &io, &bounds);
	req->gone_fd = fd;
	resp = http_resp_new(req, &io);
	handle(arg, req, resp);
	ended = http_exchange_end(req, resp);
	answered = http_sent(resp) && !http_abandoned(resp);
	mem_free(ctx);
	return finish_request(f, answered, ended);
}

static void
set_timeout(int fd, int option, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv));
}

void
fcgi_patience(int fd, const struct fcgi_opts *opts)
{
	set_timeout(fd, SO_RCVTIMEO, opts->read_ms);
	set_timeout(fd, SO_SNDTIMEO, opts->write_ms);
}

void
fcgi_accepted(int fd, const struct fcgi_opts *opts)
{
	int flags = fcntl(fd, F_GETFL);

	/* libfcgi wants a blocking socket; the kernel keeps the time. */
	if (flags >= 0 && (flags & O_NONBLOCK) != 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcgi_patience(fd, opts);
}
