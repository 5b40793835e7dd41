/*
 * One call: resolve, connect, send, read, each within its own limit, while
 * the reader, the heartbeat and the cancel flag are looked after.  All waiting
 * is in line_wait(): one poll for everything that can happen.
 */
#include "net/call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/egress_priv.h"
#include "net/head_priv.h"
#include "net/net_priv.h"
#include "net/resolve.h"
#include "net/target_priv.h"
#include "util/clock.h"
#include "util/hold.h"

#include "util/banned.h"

#define RESPONSE_MAX ((size_t)4 * 1024 * 1024)
/* How long the end of a body may take when nothing of it is wanted. */
#define ENOUGH_NS (100 * CLOCK_MS)
#define ENOUGH_BYTES ((size_t)64 * 1024)
/* A bound on one sleep, against lost timers of any kind. */
#define SLEEP_MAX_MS 1000

struct run {
	const struct net_call *c;
	const char *url;
	int connect_ms;
	int64_t deadline;
	struct net_reply *r;
	struct line *line;
	size_t max;
	struct resolved vetted; /* where an egress call may go */
	int64_t start;
	int64_t connect_at;   /* this attempt to connect began */
	int64_t connected_at; /* 0: not connected */
	int64_t body_at;      /* last bytes of the body */
	int64_t beat_at;
	int64_t gone_at;   /* when to ask again what to do without reader */
	int64_t enough_at; /* 0: more is wanted */
	size_t enough_bytes;
	struct head head;
	bool watch; /* gone_fd is worth polling */
	bool ended;
	const char *limit; /* which one was reached */
};

int
net_peer_gone(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return -1;
	if (n == 0)
		return 1;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0
	                                                                 : 1;
}

static void
run_end(struct run *x, enum net_end end)
{
	if (!x->ended) {
		x->ended = true;
		x->r->end = end;
	}
}

/* libcurl's callbacks. */

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct run *x = arg;
	bool before = x->head.done;

	if (x->ended || size * n == 0)
		return 0;
	if (head_line(&x->head, x->r, p, size * n) != 0) {
		run_end(x, NET_TOO_LARGE);
		return 0;
	}
	if (!before && x->head.done && x->c->on_head)
		x->c->on_head(x->c->arg, x->r->status);
	return size * n;
}

static size_t
on_write(char *p, size_t size, size_t n, void *arg)
{
	struct run *x = arg;

	n *= size;
	if (x->ended)
		return 0;
	if (x->enough_at) {
		x->enough_bytes += n;
		return x->enough_bytes > ENOUGH_BYTES ? 0 : n;
	}
	x->body_at = clock_mono();
	if (x->r->bytes == 0)
		x->r->first_byte_ns = x->body_at - x->start;
	if (n > x->max - x->r->bytes) {
		run_end(x, NET_TOO_LARGE);
		return 0;
	}
	x->r->bytes += n;
	int rc = x->c->on_body ? x->c->on_body(x->c->arg, p, n) : 0;
	if (rc == NET_ENOUGH) {
		x->enough_at = x->body_at;
	} else if (rc != 0) {
		run_end(x, NET_STOPPED);
		return 0;
	}
	return n;
}

/* Is the numeric ${address} one that the guard has let through? */
static bool
is_vetted(const struct run *x, const char *address)
{
	for (int i = 0; i < x->vetted.n; i++)
		if (strcmp(x->vetted.addr[i], address) == 0)
			return egress_allows(x->c->egress, address);
	return false;
}

static bool
socket_vetted(const struct run *x, const struct curl_sockaddr *a)
{
	char text[INET6_ADDRSTRLEN];
	const void *p = NULL;

	if (a->family == AF_INET)
		p = &((const struct sockaddr_in *)(const void *)&a->addr)
		         ->sin_addr;
	else if (a->family == AF_INET6)
		p = &((const struct sockaddr_in6 *)(const void *)&a->addr)
		         ->sin6_addr;
	return p && inet_ntop(a->family, p, text, sizeof(text)) &&
	       is_vetted(x, text);
}

/* A connection stands, TLS included, and the request is about to be sent. */
static int
on_prereq(void *arg, char *ip, char *local, int port, int local_port)
{
	struct run *x = arg;

	(void)local;
	(void)port;
	(void)local_port;
	/* A warm one as well, made when its name led elsewhere. */
	if (x->c->egress && !egress_allows(x->c->egress, ip)) {
		x->limit = egress_refusal;
		run_end(x, NET_CONNECT);
		return CURL_PREREQFUNC_ABORT;
	}
	x->connected_at = clock_mono();
	x->r->sent = true;
	return CURL_PREREQFUNC_OK;
}

static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct run *x = arg;

	(void)purpose;
	if (x->c->egress && !socket_vetted(x, a)) {
		x->limit = egress_refusal;
		return CURL_SOCKET_BAD;
	}
	if (x->connected_at) {
		/* The warm connection was dead after all. */
		x->connected_at = 0;
		x->connect_at = clock_mono();
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* What to look after between sleeps. */

static void
min_at(int64_t *at, int64_t other)
{
	if (other > 0 && other < *at)
		*at = other;
}

static int64_t
after_ms(int64_t t, int ms)
{
	return t > 0 && ms > 0 ? t + ms * CLOCK_MS : 0;
}

/* The limit that is reached first, and when. */
static int64_t
run_limit(const struct run *x, const char **what)
{
	const struct net_call *c = x->c;
	int64_t at;

	if (x->enough_at) {
		*what = NULL;
		return x->enough_at + ENOUGH_NS;
	}
	if (!x->connected_at) {
		*what = "no connection within the time limit";
		at = after_ms(x->connect_at, x->connect_ms);
	} else if (!x->body_at) {
		*what = "no answer within the time limit";
		at = after_ms(x->connected_at, c->first_byte_ms);
	} else {
		*what = "the answer stopped coming";
		at = after_ms(x->body_at, c->idle_ms);
	}
	if (x->deadline > 0 && (at == 0 || x->deadline < at)) {
		*what = "the answer took too long";
		at = x->deadline;
	}
	return at;
}

/* Without its reader: go on for a while, or end. */
static void
reader_gone(struct run *x, int64_t now)
{
	int ms = x->c->on_gone ? x->c->on_gone(x->c->arg) : 0;

	x->watch = false; /* nothing new comes from there */
	if (ms <= 0)
		run_end(x, NET_GONE);
	else
		x->gone_at = now + ms * CLOCK_MS;
}

static void
check_reader(struct run *x)
{
	if (!x->watch || x->enough_at)
		return;
	int gone = net_peer_gone(x->c->gone_fd);
	if (gone > 0)
		reader_gone(x, clock_mono());
	else if (gone < 0)
		x->watch = false; /* pipelined bytes: polling would spin */
}

/* True when the call is over, whatever the peer does. */
static bool
run_check(struct run *x, int64_t now)
{
	const struct net_call *c = x->c;
	const char *what;
	int64_t at;

	/* What came is enough: nobody can stop it any more. */
	if (c->cancel && !x->enough_at && atomic_load(c->cancel))
		run_end(x, NET_CANCELLED);
	if (c->on_beat && c->beat_ms > 0 && !x->ended && !x->enough_at &&
	    now >= x->beat_at + c->beat_ms * CLOCK_MS) {
		x->beat_at = now;
		if (c->on_beat(c->arg) != 0 && !c->ignore_gone)
			reader_gone(x, now);
	}
	if (x->gone_at > 0 && now >= x->gone_at && !x->ended && !x->enough_at)
		reader_gone(x, now);
	at = run_limit(x, &what);
	if (at > 0 && now >= at && !x->ended) {
		x->limit = what;
		run_end(x, x->enough_at ? NET_OK : NET_TIMEOUT);
	}
	return x->ended;
}

/* Sleep until something happens or is due. */
static void
line_wait(struct run *x, int64_t now)
{
	struct curl_waitfd extra = { .fd = x->c->gone_fd,
		.events = CURL_WAIT_POLLIN };
	const char *what;
	int64_t at = now + SLEEP_MAX_MS * CLOCK_MS;

	min_at(&at, run_limit(x, &what));
	if (x->c->on_beat && !x->enough_at)
		min_at(&at, after_ms(x->beat_at, x->c->beat_ms));
	if (!x->enough_at)
		min_at(&at, x->gone_at);
	int ms = clock_left_ms(at, SLEEP_MAX_MS);
	if (curl_multi_poll(x->line->multi, &extra,
		x->watch && !x->enough_at ? 1 : 0, ms, NULL) != CURLM_OK)
		run_end(x, NET_BROKEN);
	if (extra.revents)
		check_reader(x);
}

/* Before the call. */

static void
name_ready(void *arg)
{
	net_wake(arg);
}

/* Wait for the name's addresses as for everything else. */
static int
run_resolve(struct run *x, struct net *net, struct net_wait *w,
    const struct target *t, struct resolved *out)
{
	struct resolve_ask ask = { .ready = name_ready, .arg = w };
	struct resolver *rs = net_resolver(net);
	enum resolve_state s = resolve_start(rs, t->host, &ask, out);

	if (s == RESOLVE_WAIT) {
		while ((s = resolve_take(rs, &ask, out)) == RESOLVE_WAIT) {
			int64_t now = clock_mono();
			if (run_check(x, now))
				break;
			line_wait(x, now);
		}
		resolve_stop(rs, &ask);
	}
	if (s == RESOLVE_FAILED) {
		x->limit = "its name is not known";
		run_end(x, NET_CONNECT);
	}
	return s == RESOLVE_DONE ? 0 : -1;
}

static int
line_prepare(struct run *x, struct curl_slist *head, struct curl_slist *addrs)
{
	const struct net_call *c = x->c;
	CURL *h = x->line->easy;
	bool get = strcmp(c->method, "GET") == 0;
	int bad = !head;

#define SET(opt, value) bad |= curl_easy_setopt(h, opt, value) != CURLE_OK
	SET(CURLOPT_URL, x->url);
	SET(CURLOPT_CUSTOMREQUEST, c->method);
	if (get && c->body_len == 0) {
		SET(CURLOPT_HTTPGET, 1L);
	} else {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
		SET(CURLOPT_POSTFIELDS, c->body_len ? c->body : "");
	}
	SET(CURLOPT_HTTPHEADER, head);
	SET(CURLOPT_RESOLVE, addrs);
	/* Ours decides; libcurl's divides the time between addresses. */
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)x->connect_ms + 200);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_WRITEFUNCTION, on_write);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_PREREQFUNCTION, on_prereq);
	SET(CURLOPT_PREREQDATA, x);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, x);
#undef SET
	return bad ? -1 : 0;
}

/* After it. */

static void
run_result(struct run *x, CURLcode rc)
{
	if (rc == CURLE_OK && x->head.done)
		run_end(x, NET_OK);
	if (x->enough_at)
		run_end(x, NET_OK);
	if (x->connected_at || x->head.lines > 0) {
		run_end(x, NET_BROKEN);
	} else if (rc == CURLE_OPERATION_TIMEDOUT) {
		x->limit = "no connection within the time limit";
		run_end(x, NET_TIMEOUT);
	} else {
		if (rc == CURLE_PEER_FAILED_VERIFICATION)
			x->limit = "its certificate is not to be trusted";
		else if (rc == CURLE_SSL_CONNECT_ERROR)
			x->limit = "TLS failed";
		run_end(x, NET_CONNECT);
	}
}

/* Move bytes and wait until the call is over; true: the connection may serve
 * again. */
static bool
run_transfer(struct run *x)
{
	CURLM *m = x->line->multi;
	int running = 1;

	if (curl_multi_add_handle(m, x->line->easy) != CURLM_OK) {
		run_end(x, NET_CONNECT);
		return false;
	}
	for (;;) {
		int64_t now;
		if (curl_multi_perform(m, &running) != CURLM_OK)
			run_end(x, NET_BROKEN);
		if (!running)
			break;
		now = clock_mono();
		if (run_check(x, now))
			break;
		line_wait(x, now);
		if (x->ended)
			break;
	}
	bool whole = false;
	if (!running) {
		int left;
		CURLMsg *msg = curl_multi_info_read(m, &left);
		CURLcode rc = msg ? msg->data.result : CURLE_RECV_ERROR;
		whole = rc == CURLE_OK;
		run_result(x, rc);
	}
	curl_multi_remove_handle(m, x->line->easy);
	return whole;
}

static int
run_error(const struct run *x, struct err *e)
{
	switch (x->r->end) {
	case NET_OK:
		return 0;
	case NET_CONNECT:
		return err_set_kind(e, ERR_UPSTREAM, "upstream-unreachable", 0,
		    "cannot connect%s%s", x->limit ? ": " : "",
		    x->limit ? x->limit : "");
	case NET_TIMEOUT:
		return err_set_kind(
		    e, ERR_TIMEOUT, "upstream-timeout", 0, "%s", x->limit);
	case NET_TOO_LARGE:
		return err_set_kind(e, ERR_UPSTREAM, "upstream-too-large", 0,
		    "the answer is too large");
	case NET_GONE:
		return err_set(e, ERR_GONE, "the reader left");
	case NET_STOPPED:
	case NET_CANCELLED:
		return err_set(e, ERR_CANCELLED, "stopped on request");
	case NET_BROKEN:
		break;
	}
	return err_set_kind(e, ERR_UPSTREAM, "upstream-broken", 0,
	    "the connection broke before the answer's end");
}

static void
publish(const struct net_call *c, struct net_wait *w)
{
	if (c->wait)
		__atomic_store_n(c->wait, w, __ATOMIC_SEQ_CST);
}

static bool
run_all(
    struct run *x, struct net *net, struct net_wait *w, const struct target *t)
{
	struct curl_slist *head = NULL, *addrs = NULL;
	struct resolved a = { 0 }, numeric;
	bool whole = false, literal;

	check_reader(x);
	if (run_check(x, x->start) || run_resolve(x, net, w, t, &a) != 0)
		return false;
	if (x->c->egress && !egress_allows_all(x->c->egress, t->host, &a)) {
		x->limit = egress_refusal;
		run_end(x, NET_CONNECT);
		return false;
	}
	x->vetted = a;
	head = target_headers(x->c->headers);
	/* An address is its own answer; CURLOPT_RESOLVE takes none in brackets.
	 */
	literal = resolve_literal(t->host, &numeric);
	addrs = literal ? NULL : target_addresses(t, &a);
	if ((literal || addrs) && line_prepare(x, head, addrs) == 0)
		whole = run_transfer(x);
	else
		run_end(x, NET_CONNECT);
	/* The handle outlives the lists and this run. */
	curl_easy_setopt(x->line->easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(x->line->easy, CURLOPT_RESOLVE, NULL);
	curl_slist_free_all(head);
	curl_slist_free_all(addrs);
	return whole;
}

/*
 * Where the call goes.  Through the guard it goes to the URL as the guard has
 * read it, and if libcurl should read another host it goes nowhere; its
 * connections are its own, so that none is used which was made past the guard.
 */
static int
run_target(struct run *x, struct egress_url *u, struct target *t)
{
	char origin[ORIGIN_SIZE];

	x->url = x->c->url;
	if (!x->c->egress)
		return target_parse(x->url, t);
	if (egress_parse(x->url, u, NULL) != 0 ||
	    target_parse(u->text, t) != 0 || strcmp(t->host, u->host) != 0 ||
	    strcmp(t->port, u->port) != 0)
		return -1;
	x->url = u->text;
	memcpy(origin, t->origin, sizeof(origin));
	return snprintf(t->origin, sizeof(t->origin), "egress %s", origin) <
	               (int)sizeof(t->origin)
	           ? 0
	           : -1;
}

static void
run_limits(struct run *x)
{
	const struct net_call *c = x->c;

	x->max = c->response_max     ? c->response_max
	         : c->egress != NULL ? EGRESS_RESPONSE_MAX
	                             : RESPONSE_MAX;
	x->connect_ms = c->connect_ms;
	x->deadline = c->deadline;
	if (c->egress && x->connect_ms <= 0)
		x->connect_ms = EGRESS_CONNECT_MS;
	if (c->egress && x->deadline <= 0)
		x->deadline = x->start + EGRESS_TOTAL_MS * CLOCK_MS;
}

int
net_call(struct net *net, const struct net_call *c, struct net_reply *r,
    struct err *e)
{
	struct egress_url u;
	struct target t;
	struct run x = { .c = c, .r = r };

	hold_assert_none();
	memset(r, 0, sizeof(*r));
	r->end = NET_CONNECT;
	x.start = x.connect_at = x.beat_at = clock_mono();
	x.watch = c->gone_fd >= 0 && !c->ignore_gone;
	run_limits(&x);
	if (run_target(&x, &u, &t) != 0) {
		x.limit = "its address is not valid";
		return run_error(&x, e);
	}
	x.line = line_take(net, t.origin);
	if (!x.line)
		return run_error(&x, e);
	struct net_wait *w = wait_take(net, x.line->multi);
	publish(c, w);
	bool whole = run_all(&x, net, w, &t);
	publish(c, NULL);
	wait_give(net, w);
	line_give(net, x.line, whole);
	return run_error(&x, e);
}
