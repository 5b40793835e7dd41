/* One caller's connection: its requests in order, each answer by its plan. */
#include "simulate/caller_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "simulate/control_priv.h"
#include "simulate/stats_priv.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define REQUEST_MAX ((size_t)64 * 1024 * 1024)
#define HUGE_BODY (200L * 1024 * 1024)
#define FILL_AHEAD 262144

static void
caller_events(struct loop *l, struct caller *c, uint32_t want)
{
	struct epoll_event ev = { .events = want, .data.ptr = c };

	if (c->events != want)
		epoll_ctl(l->ep, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		    c->fd, &ev);
	c->events = want;
}

/* Closes what mem_free() takes away, also when the loop ends. */
static int
caller_closed(struct caller *c)
{
	close(c->fd);
	return 0;
}

void
caller_open(struct loop *l, int fd)
{
	struct caller *c = mem_new(l->ctx, struct caller);

	c->fd = fd;
	c->heap = -1;
	c->allow = SIZE_MAX;
	buf_init(&c->in, c, REQUEST_MAX + 65536);
	buf_init(&c->out, c, WIRE_MOST);
	buf_init(&c->piece, c, WIRE_MOST);
	talloc_set_destructor(c, caller_closed);
	stats_opened();
	caller_events(l, c, EPOLLIN | EPOLLRDHUP);
}

/* Bill an answer that was begun, whole or as far as it was said. */
static void
bill(const struct caller *c, bool whole)
{
	const struct plan *p = &c->script.plan;
	int said = c->step < 0 ? 0 : c->step, out = p->out;

	if (p->status != 200) {
		meter_bill(c->script.meter, METER_REFUSED, 0, 0, 0);
		return;
	}
	if (!whole)
		out =
		    p->chunks > 0 ? (int)((int64_t)out * said / p->chunks) : 0;
	meter_bill(c->script.meter, whole ? METER_WHOLE : METER_BROKEN, p->in,
	    p->cached, out);
}

static void
caller_end(struct loop *l, struct caller *c, bool reset)
{
	struct linger hard = { 1, 0 };

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	timer_stop(l, c);
	if (c->busy) {
		bill(c, false);
		stats_answer_end();
	}
	stats_closed();
	mem_free(c);
}

/* True: all that may be sent is. */
static bool
caller_flush(struct caller *c)
{
	size_t end = c->out.len < c->allow ? c->out.len : c->allow;
	size_t most = c->busy && c->script.plan.split > 0
	                  ? (size_t)c->script.plan.split
	                  : SIZE_MAX;

	while (c->sent < end) {
		size_t n = end - c->sent < most ? end - c->sent : most;
		ssize_t k;

		k = send(c->fd, c->out.data + c->sent, n, MSG_NOSIGNAL);
		if (k < 0)
			return false; /* full, or gone: epoll tells */
		c->sent += (size_t)k;
	}
	if (c->sent == c->out.len && c->sent > 0) {
		buf_clear(&c->out);
		c->sent = 0;
		if (c->allow != SIZE_MAX)
			c->allow = 0;
	}
	return true;
}

/* An empty buffer for what is framed next. */
static struct buf *
piece(struct caller *c)
{
	buf_clear(&c->piece);
	return &c->piece;
}

/* Frame body bytes as one HTTP chunk. */
static void
framed(struct caller *c, const struct buf *b)
{
	if (b->len == 0)
		return;
	buf_addf(&c->out, "%zx\r\n", b->len);
	buf_add(&c->out, b->data, b->len);
	buf_adds(&c->out, "\r\n");
}

static void
answer_done(struct caller *c)
{
	c->ended = true;
	if (c->script.plan.close)
		c->closing = true;
}

static void
answer_whole(struct caller *c)
{
	const struct plan *p = &c->script.plan;
	struct buf *b = piece(c);

	if (p->status != 200 || p->html)
		wire_refusal(&c->script, b);
	else
		wire_whole(&c->script, b);
	wire_head(&c->script, &c->out, b->len);
	if (p->drip_ms > 0)
		c->allow = c->out.len;
	buf_add(&c->out, b->data, b->len);
	answer_done(c);
}

static void
answer_begin(struct caller *c)
{
	const struct plan *p = &c->script.plan;
	struct buf *b = piece(c);

	if (p->status != 200 || p->html || !c->script.stream) {
		answer_whole(c);
		return;
	}
	if (p->huge) {
		wire_head(&c->script, &c->out, (size_t)HUGE_BODY);
		c->filler = HUGE_BODY;
		return;
	}
	wire_head(&c->script, &c->out, SIZE_MAX);
	if (p->drip_ms > 0)
		c->allow = c->out.len;
	wire_begin(&c->script, b);
	framed(c, b);
}

/* Faults that stand before piece ${i}; true: nothing follows. */
static bool
fault_at(struct loop *l, struct caller *c, int i, bool *dead)
{
	const struct plan *p = &c->script.plan;
	struct buf *b;

	if (p->stall_at == i) {
		caller_flush(c);
		return true; /* and no timer: silence */
	}
	if (p->cut_at == i || p->rst_at == i) {
		caller_flush(c);
		caller_end(l, c, p->rst_at == i);
		*dead = true;
		return true;
	}
	if (p->error_at == i) {
		b = piece(c);
		wire_error(&c->script, b);
		framed(c, b);
		c->broken = true;
		buf_adds(&c->out, "0\r\n\r\n");
		answer_done(c);
		return true;
	}
	return false;
}

/* Say what is due; false: the connection is no more. */
static bool
answer_step(struct loop *l, struct caller *c)
{
	const struct plan *p = &c->script.plan;
	struct buf *b;
	bool dead = false;

	if (c->step < 0) {
		if (p->stall_at == 0)
			return true;
		answer_begin(c);
		c->step = 0;
	}
	while (!c->ended && !c->filler) {
		if (fault_at(l, c, c->step, &dead))
			return !dead;
		if (c->step < p->chunks) {
			b = piece(c);
			wire_chunk(&c->script, c->step++, b);
			framed(c, b);
			stats_chunk();
			if (p->gap_ms > 0 && !p->drip_ms) {
				timer_at(l, c, c->due + p->gap_ms * CLOCK_MS);
				break;
			}
			continue;
		}
		b = piece(c);
		wire_end(&c->script, b);
		framed(c, b);
		buf_adds(&c->out, "0\r\n\r\n");
		answer_done(c);
	}
	return true;
}

static void
drop(struct buf *b, size_t n)
{
	if (n < b->len)
		memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

static void
serve(struct caller *c, const struct request *r)
{
	struct buf *b = piece(c);
	int status;

	if (control_answer(r, &status, b)) {
		buf_addf(&c->out,
		    "HTTP/1.1 %d Mock\r\nContent-Type: application/json\r\n"
		    "Content-Length: %zu\r\n\r\n",
		    status, b->len);
		buf_add(&c->out, b->data, b->len);
		return;
	}
	answer_make(&c->script, c, r);
	c->busy = true;
	c->ended = c->broken = false;
	c->step = -1;
	c->allow = SIZE_MAX;
	stats_answer_begin();
}

/* The first line and the length of the body; false: no request. */
static bool
read_head(struct request *r)
{
	const char *v;
	char digits[STR_INT];
	int64_t len = 0;
	size_t n;

	if (sscanf(r->head, "%15s %255[^ ?]", r->method, r->path) != 2)
		return false;
	n = answer_header(r, "content-length", &v);
	if (n >= sizeof digits)
		return false;
	memcpy(digits, v, n);
	digits[n] = '\0';
	if (n > 0 && str_int(digits, 0, (int64_t)REQUEST_MAX, &len) != 0)
		return false;
	r->body_len = (size_t)len;
	return true;
}

/* Take one whole request out of what came; false: not whole yet. */
static bool
take_request(struct loop *l, struct caller *c, bool *bad)
{
	struct request r;
	const struct plan *p;
	const char *end;

	if (c->in.len == 0)
		return false;
	end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
	if (!end)
		return false;
	r.head = c->in.data;
	r.head_len = (size_t)(end - c->in.data) + 4;
	if (!read_head(&r)) {
		*bad = true;
		return false;
	}
	if (c->in.len < r.head_len + r.body_len)
		return false;
	r.body = r.head + r.head_len;
	serve(c, &r);
	drop(&c->in, r.head_len + r.body_len);
	p = &c->script.plan;
	if (c->busy && (p->first_ms > 0 || p->gap_ms > 0 || p->drip_ms > 0))
		timer_at(l, c, clock_mono() + (int64_t)p->first_ms * CLOCK_MS);
	return true;
}

static void
fill(struct caller *c)
{
	char block[16384];

	memset(block, 'x', sizeof block); /* one endless line */
	while (c->filler > 0 && c->out.len - c->sent < FILL_AHEAD) {
		size_t n = (size_t)c->filler < sizeof block ? (size_t)c->filler
		                                            : sizeof block;

		drop(&c->out, c->sent);
		c->sent = 0;
		buf_add(&c->out, block, n);
		c->filler -= (long)n;
	}
	if (c->filler == 0)
		answer_done(c);
}

/* An answer is out: ready for the next. */
static void
caller_idle(struct loop *l, struct caller *c)
{
	bill(c, !c->broken);
	c->busy = false;
	c->ended = false;
	timer_stop(l, c);
	stats_answer_end();
	script_free(&c->script);
}

/* Do all that can be done now. */
void
caller_go(struct loop *l, struct caller *c)
{
	bool bad = false, full;

	for (;;) {
		if (!c->busy && !take_request(l, c, &bad))
			break;
		if (c->busy && c->heap < 0 && !c->ended && !c->filler &&
		    !answer_step(l, c))
			return;
		if (c->filler)
			fill(c);
		if (!caller_flush(c) || c->sent < c->out.len || !c->ended)
			if (c->busy)
				break;
		if (c->busy && c->ended) {
			caller_idle(l, c);
			if (c->closing) {
				caller_end(l, c, false);
				return;
			}
		}
	}
	if (bad || buf_failed(&c->out)) {
		caller_end(l, c, false);
		return;
	}
	full = c->sent < c->out.len && c->sent < c->allow;
	caller_events(
	    l, c, EPOLLIN | EPOLLRDHUP | (full || c->filler ? EPOLLOUT : 0u));
	if (c->busy && c->heap < 0 && c->allow != SIZE_MAX && c->ended)
		timer_at(
		    l, c, clock_mono() + c->script.plan.drip_ms * CLOCK_MS);
}

void
caller_timer(struct loop *l, struct caller *c)
{
	const struct plan *p = &c->script.plan;

	if (!c->ended && c->step < p->chunks) {
		int64_t due = c->due;

		if (!answer_step(l, c))
			return;
		if (c->due == due)
			timer_stop(l, c);
	} else if (!c->ended) {
		if (!answer_step(l, c))
			return;
		timer_stop(l, c);
	} else if (c->allow != SIZE_MAX) {
		c->allow++;
		timer_at(l, c, c->due + (int64_t)p->drip_ms * CLOCK_MS);
		if (c->allow >= c->out.len) {
			c->allow = SIZE_MAX;
			timer_stop(l, c);
		}
	} else {
		timer_stop(l, c);
	}
	caller_go(l, c);
}

void
caller_read(struct loop *l, struct caller *c)
{
	char part[65536];
	ssize_t n;

	while ((n = recv(c->fd, part, sizeof part, MSG_DONTWAIT)) > 0) {
		buf_add(&c->in, part, (size_t)n);
		if ((size_t)n < sizeof part)
			break;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
	    buf_failed(&c->in)) {
		if (c->busy)
			stats_client_gone(c->script.model, c->step);
		caller_end(l, c, false);
		return;
	}
	caller_go(l, c);
}
