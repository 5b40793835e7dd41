/*
 * A load client for loopback: keeps N connections busy with one request
 * (closed loop), or holds N event streams open at once, and prints what it saw
 * as one JSON object.  One thread, epoll; bounded in time and count.
 *
 *	load [-c N] [-d SECONDS] [-s] [-r RAMP] [-H HEADER]... [-b BODY] [-m
 *METHOD]
 *	     [-q MAX] [-f FILE] PORT PATH
 *
 * -s: streams: every connection sends one request and reads its events to the
 * end.  -r: connections opened per second in that mode.  -q: stop after so
 * many requests.  -f: lines "PATH KEY": each request goes to one of them, drawn
 * by lot, with the key as its bearer token (PATH is not used).  "#####" in the
 * body becomes a number that no other request has.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

enum phase { IDLE, CONNECTING, SENDING, HEAD, BODY, DONE };

struct conn {
	int fd;
	enum phase phase;
	size_t sent;
	char head[4096];
	size_t head_len;
	int64_t left; /* body bytes still to come; -1: chunked or to the end */
	int status;
	int64_t began, first_delta, last_event;
	unsigned deltas;
	bool done_event;
	bool last;     /* the server closes after this answer */
	char tail[16]; /* last bytes, to find events and chunk ends over
	                  reads */
	size_t tail_len;
};

struct samples {
	int64_t *v;
	size_t n, cap;
};

static struct {
	int port;
	const char *path, *method, *body;
	const char *headers[16];
	int nheaders;
	bool streams;
	int64_t conns, seconds, ramp, quota;
	struct buf request;
	char *number; /* where "#####" stands in the request */
	const char *file;
	struct buf targets;
	struct target {
		const char *path, *key;
	} * target;
	size_t ntargets;
} opt = { .method = "GET", .conns = 32, .seconds = 10, .ramp = 500 };

static struct samples latency, first, gaps;
static uint64_t statuses[600], errors, started, finished, done_events;
static int epfd;

static void
sample(struct samples *s, int64_t v)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4096;
		s->v = realloc(s->v, s->cap * sizeof(*s->v));
		if (s->v == NULL)
			abort();
	}
	s->v[s->n++] = v;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Nothing may have answered: then there is no array either. */
static void
sort(struct samples *s)
{
	if (s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), by_value);
}

static double
percentile(struct samples *s, double p)
{
	size_t i;

	if (s->n == 0)
		return 0;
	i = (size_t)((double)(s->n - 1) * p);
	return (double)s->v[i] / 1e6;
}

static void
watch(struct conn *c, uint32_t events, int op)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(epfd, op, c->fd, &ev) != 0)
		abort();
}

static void
drop(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->phase = IDLE;
}

static int
dial(struct conn *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)opt.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 &&
	    errno != EINPROGRESS) {
		drop(c);
		return -1;
	}
	c->phase = CONNECTING;
	watch(c, EPOLLOUT, EPOLL_CTL_ADD);
	return 0;
}

static void
build_request(const char *path, const char *key)
{
	buf_clear(&opt.request);
	buf_addf(&opt.request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n",
	    opt.method, path, opt.port);
	for (int i = 0; i < opt.nheaders; i++)
		buf_addf(&opt.request, "%s\r\n", opt.headers[i]);
	if (key != NULL)
		buf_addf(&opt.request, "Authorization: Bearer %s\r\n", key);
	if (opt.body != NULL)
		buf_addf(&opt.request,
		    "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		    strlen(opt.body));
	buf_adds(&opt.request, "\r\n");
	if (opt.body != NULL)
		buf_adds(&opt.request, opt.body);
	opt.number = strstr(opt.request.data, "#####");
}

/* The request that is sent next.  It is short: what a full socket leaves over
 * for later is seldom, and then ends as another's. */
static void
next_request(void)
{
	static uint64_t lot = 88172645463325252;
	char digits[8];

	if (opt.ntargets > 0) {
		const struct target *t;

		lot ^= lot << 13;
		lot ^= lot >> 7;
		lot ^= lot << 17;
		t = &opt.target[lot % opt.ntargets];
		build_request(t->path, t->key);
	}
	if (opt.number != NULL) {
		snprintf(
		    digits, sizeof(digits), "%05d", (int)(started % 100000));
		memcpy(opt.number, digits, 5);
	}
}

/* Lines "PATH KEY". */
static int
read_targets(void *ctx)
{
	FILE *f = fopen(opt.file, "re");
	char in[65536], *line, *end, *space;
	size_t n, lines = 0;

	if (f == NULL)
		return -1;
	buf_init(&opt.targets, ctx, (size_t)64 << 20);
	while ((n = fread(in, 1, sizeof(in), f)) > 0)
		buf_add(&opt.targets, in, n);
	fclose(f);
	for (size_t i = 0; i < opt.targets.len; i++)
		lines += opt.targets.data[i] == '\n';
	opt.target = mem_array(ctx, struct target, lines + 1);
	for (line = opt.targets.data; (end = strchr(line, '\n')) != NULL;
	     line = end + 1) {
		*end = '\0';
		space = strchr(line, ' ');
		if (space == NULL)
			return -1;
		*space = '\0';
		opt.target[opt.ntargets++] = (struct target){ line, space + 1 };
	}
	return opt.ntargets > 0 ? 0 : -1;
}

static void
begin(struct conn *c)
{
	next_request();
	c->phase = SENDING;
	c->sent = c->head_len = c->tail_len = 0;
	c->left = 0;
	c->deltas = 0;
	c->first_delta = c->last_event = 0;
	c->done_event = false;
	c->began = clock_mono();
	started++;
}

static int
push(struct conn *c)
{
	while (c->sent < opt.request.len) {
		ssize_t n = send(c->fd, opt.request.data + c->sent,
		    opt.request.len - c->sent, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->sent += (size_t)n;
	}
	c->phase = HEAD;
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
	return 0;
}

/* Count events in stream bytes: "event: delta" and "event: done". */
static void
scan_events(struct conn *c, const char *p, size_t n)
{
	const char *end = p + n, *q = p;
	int64_t now = clock_mono();

	while ((q = memmem(q, (size_t)(end - q), "event: d", 8)) != NULL) {
		q += 8;
		if (end - q >= 4 && memcmp(q, "elta", 4) == 0) {
			if (c->first_delta == 0) {
				c->first_delta = now;
				sample(&first, now - c->began);
			} else {
				sample(&gaps, now - c->last_event);
			}
			c->last_event = now;
			c->deltas++;
		} else if (end - q >= 3 && memcmp(q, "one", 3) == 0) {
			c->done_event = true;
		}
	}
}

/* The head is complete: status, and how the body ends. */
static void
read_head(struct conn *c)
{
	char *line = c->head;
	int64_t status = 0;

	if (c->head_len > 12) {
		char digits[4] = { line[9], line[10], line[11], 0 };

		if (str_int(digits, 100, 599, &status) != 0)
			status = 0;
	}
	c->status = (int)status;
	c->left = -1;
	c->last = false;
	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, "content-length:", 15) == 0)
			c->left = strtoll(line + 15, NULL, 10);
		else if (strncasecmp(line, "connection: close", 17) == 0)
			c->last = true;
	}
}

static void
ended(struct conn *c)
{
	sample(&latency, clock_mono() - c->began);
	statuses[c->status]++;
	finished++;
	if (c->done_event)
		done_events++;
}

/* Body bytes; true when the answer is complete. */
static bool
eat(struct conn *c, const char *p, size_t n)
{
	if (opt.streams)
		scan_events(c, p, n);
	if (c->left >= 0) {
		c->left -= (int64_t)n;
		return c->left <= 0;
	}
	/* Chunked: the last chunk is "0\r\n\r\n"; keep the last bytes. */
	if (n >= sizeof(c->tail)) {
		memcpy(c->tail, p + n - sizeof(c->tail), sizeof(c->tail));
		c->tail_len = sizeof(c->tail);
	} else {
		size_t keep = sizeof(c->tail) - n;

		if (keep > c->tail_len)
			keep = c->tail_len;
		memmove(c->tail, c->tail + c->tail_len - keep, keep);
		memcpy(c->tail + keep, p, n);
		c->tail_len = keep + n;
	}
	return c->tail_len >= 5 &&
	       memcmp(c->tail + c->tail_len - 5, "0\r\n\r\n", 5) == 0;
}

/* 1 complete, 0 more to come, -1 broken */
static int
pull(struct conn *c)
{
	char in[16384];
	ssize_t n = recv(c->fd, in, sizeof(in), 0);
	char *p = in;

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	if (c->phase == HEAD) {
		size_t room = sizeof(c->head) - 1 - c->head_len;
		size_t take = (size_t)n < room ? (size_t)n : room;
		size_t before = c->head_len;
		char *end;

		memcpy(c->head + c->head_len, in, take);
		c->head_len += take;
		c->head[c->head_len] = '\0';
		end = strstr(c->head, "\r\n\r\n");
		if (end == NULL)
			return take < (size_t)n ? -1 : 0;
		end[2] = '\0';
		read_head(c);
		p = in + ((size_t)(end - c->head) + 4 - before);
		n -= p - in;
		c->phase = BODY;
		if (c->left == 0)
			return 1;
		if (n == 0)
			return 0;
	}
	return eat(c, p, (size_t)n) ? 1 : 0;
}

static void
step(struct conn *c, bool more)
{
	int rc = 0;

	if (c->phase == CONNECTING)
		begin(c);
	if (c->phase == SENDING)
		rc = push(c);
	else
		rc = pull(c);
	if (rc < 0) {
		errors++;
		drop(c);
		if (opt.streams)
			c->phase = DONE;
		return;
	}
	if (rc == 0)
		return;
	ended(c);
	if (opt.streams) {
		drop(c);
		c->phase = DONE;
	} else if (c->last) {
		drop(c); /* open_more() dials again */
	} else if (more) {
		begin(c);
		if (push(c) != 0) {
			errors++;
			drop(c);
		}
	} else {
		drop(c);
	}
}

static void
report(double elapsed)
{
	bool comma = false;

	sort(&latency);
	sort(&first);
	sort(&gaps);
	printf("{\"seconds\":%.3f,\"started\":%llu,\"finished\":%llu,"
	       "\"errors\":%llu,\"per_second\":%.1f,\"statuses\":{",
	    elapsed, (unsigned long long)started, (unsigned long long)finished,
	    (unsigned long long)errors, (double)finished / elapsed);
	for (int i = 0; i < 600; i++)
		if (statuses[i] > 0) {
			printf("%s\"%d\":%llu", comma ? "," : "", i,
			    (unsigned long long)statuses[i]);
			comma = true;
		}
	printf("},\"latency_ms\":{\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,"
	       "\"max\":%.3f}",
	    percentile(&latency, 0.5), percentile(&latency, 0.95),
	    percentile(&latency, 0.99), percentile(&latency, 1));
	if (opt.streams)
		printf(",\"done_events\":%llu,\"first_delta_ms\":{\"p50\":%.3f,"
		       "\"p99\":%.3f,\"max\":%.3f},\"gap_ms\":{\"p50\":%.3f,"
		       "\"p99\":%.3f,\"max\":%.3f}",
		    (unsigned long long)done_events, percentile(&first, 0.5),
		    percentile(&first, 0.99), percentile(&first, 1),
		    percentile(&gaps, 0.5), percentile(&gaps, 0.99),
		    percentile(&gaps, 1));
	printf("}\n");
}

/* Open what the ramp allows by now, and reopen what broke. */
static size_t
open_more(struct conn *all, size_t opened, int64_t start)
{
	int64_t want = opt.conns;

	if (opt.streams) {
		want = (clock_mono() - start) * opt.ramp / CLOCK_S + 1;
		if (want > opt.conns)
			want = opt.conns;
	}
	while ((int64_t)opened < want)
		if (dial(&all[opened++]) != 0)
			errors++;
	if (!opt.streams)
		for (size_t i = 0; i < opened; i++)
			if (all[i].phase == IDLE && dial(&all[i]) != 0)
				errors++;
	return opened;
}

static void
run(void)
{
	void *ctx = mem_root("load");
	struct conn *all = mem_array(ctx, struct conn, (size_t)opt.conns);
	int64_t start = clock_mono(), end = start + opt.seconds * CLOCK_S;
	size_t opened = 0;
	struct epoll_event ev[256];

	for (int64_t i = 0; i < opt.conns; i++)
		all[i].fd = -1;
	while (clock_mono() < end) {
		bool more = opt.quota == 0 || (int64_t)started < opt.quota;
		int n;

		if (more)
			opened = open_more(all, opened, start);
		n = epoll_wait(epfd, ev, 256, 20);
		for (int i = 0; i < n; i++)
			step(ev[i].data.ptr,
			    opt.quota == 0 || (int64_t)started < opt.quota);
		if (opt.quota > 0 && (int64_t)(finished + errors) >= opt.quota)
			break;
		if (opt.streams && (int64_t)(finished + errors) >= opt.conns)
			break;
	}
	report((double)(clock_mono() - start) / 1e9);
	mem_free(ctx);
}

static int
options(int argc, char **argv)
{
	int c;
	int64_t port;

	while ((c = getopt(argc, argv, "c:d:sr:H:b:m:q:f:")) != -1) {
		int rc = 0;

		switch (c) {
		case 'c':
			rc = str_int(optarg, 1, 20000, &opt.conns);
			break;
		case 'd':
			rc = str_int(optarg, 1, 600, &opt.seconds);
			break;
		case 's':
			opt.streams = true;
			break;
		case 'r':
			rc = str_int(optarg, 1, 100000, &opt.ramp);
			break;
		case 'H':
			if (opt.nheaders < 16)
				opt.headers[opt.nheaders++] = optarg;
			break;
		case 'b':
			opt.body = optarg;
			break;
		case 'f':
			opt.file = optarg;
			break;
		case 'm':
			opt.method = optarg;
			break;
		case 'q':
			rc = str_int(optarg, 1, INT64_C(100000000), &opt.quota);
			break;
		default:
			rc = -1;
		}
		if (rc != 0)
			return -1;
	}
	if (argc - optind != 2 || str_int(argv[optind], 1, 65535, &port) != 0)
		return -1;
	opt.port = (int)port;
	opt.path = argv[optind + 1];
	return 0;
}

int
main(int argc, char **argv)
{
	if (options(argc, argv) != 0) {
		fprintf(stderr,
		    "usage: load [-c N] [-d SECONDS] [-s] [-r RAMP] "
		    "[-H HEADER]... [-b BODY] [-m METHOD] [-q MAX] "
		    "[-f FILE] "
		    "PORT PATH\n");
		return 2;
	}
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		return 1;
	void *ctx = mem_root("targets");

	if (opt.file != NULL && read_targets(ctx) != 0) {
		fprintf(stderr, "load: %s: no lines \"PATH KEY\"\n", opt.file);
		return 2;
	}
	buf_init(&opt.request, NULL, 1 << 20);
	build_request(opt.path, NULL);
	run();
	mem_free(ctx);
	return 0;
}
