/*
 * A connection is in one of these states, kept in an array by descriptor: IDLE
 * (armed in the set), BUSY (some thread's), CLOSING (looked at by the drain) or
 * none.  Who wants an idle one, a thread with its event or the drain, takes it
 * by compare-and-swap.
 */
#include "daemon/conns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define KEY_LISTEN UINT64_MAX
#define KEY_STOP (UINT64_MAX - 1)
#define KEY_HAND (UINT64_MAX - 2)

enum state { CONN_NONE, CONN_IDLE, CONN_BUSY, CONN_CLOSING };

/* Without descriptors the listening socket rests this long. */
#define ACCEPT_REST (50 * CLOCK_MS)
#define REST_SAY (10 * CLOCK_S)
/* A new connection wakes the first process in the socket's queue that waits;
 * leaving and joining again puts this one at its end, so that all get work. */
#define REJOIN_AFTER 16

struct conns {
	int listen_fd, ep, stop_fd;
	int hand_in, hand_out; /* -1: none */
	void (*accepted)(void *arg, int fd);
	void *arg;
	_Atomic(unsigned char) *state; /* by descriptor */
	int size;
	atomic_int top; /* greatest descriptor seen */
	atomic_uint count, accepts;
	atomic_bool closing;

	pthread_mutex_t mu; /* guards what follows */
	bool wanted;        /* joined and not left */
	bool listening;     /* the socket is in the set */
	int64_t rest_until; /* 0: does not rest */
	int64_t rest_said;  /* in the log */
};

/* --- the listening socket; with the lock held --------------------------- */

static void
listen_add(struct conns *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE,
		.data.u64 = KEY_LISTEN };

	if (!c->listening &&
	    epoll_ctl(c->ep, EPOLL_CTL_ADD, c->listen_fd, &ev) == 0)
		c->listening = true;
	ev.data.u64 = KEY_HAND;
	if (c->listening && c->hand_in >= 0)
		(void)epoll_ctl(c->ep, EPOLL_CTL_ADD, c->hand_in, &ev);
}

static void
listen_del(struct conns *c)
{
	if (c->listening)
		epoll_ctl(c->ep, EPOLL_CTL_DEL, c->listen_fd, NULL);
	if (c->listening && c->hand_in >= 0)
		epoll_ctl(c->ep, EPOLL_CTL_DEL, c->hand_in, NULL);
	c->listening = false;
}

/* --- and without it ------------------------------------------------------ */

static void
listen_rest(struct conns *c, int why)
{
	int64_t now = clock_mono();
	bool say;

	pthread_mutex_lock(&c->mu);
	say = c->rest_said == 0 || now - c->rest_said > REST_SAY;
	if (say)
		c->rest_said = now;
	listen_del(c);
	c->rest_until = now + ACCEPT_REST;
	pthread_mutex_unlock(&c->mu);
	if (say)
		log_event(LOG_ERROR, "accept_rests", "errno", log_int(why),
		    "connections", log_int(conns_count(c)), NULL);
}

static void
listen_rejoin(struct conns *c)
{
	pthread_mutex_lock(&c->mu);
	if (c->listening) {
		listen_del(c);
		listen_add(c);
	}
	pthread_mutex_unlock(&c->mu);
}

/* Wait for ${fd} to become readable, without a thread. */
static void
conn_arm(struct conns *c, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
		.data.u64 = (uint64_t)fd };
	unsigned char idle = CONN_IDLE;

	/* Before it is armed: the event may come at once. */
	atomic_store(&c->state[fd], CONN_IDLE);
	if (epoll_ctl(c->ep, EPOLL_CTL_MOD, fd, &ev) == 0)
		return;
	if (errno == ENOENT && epoll_ctl(c->ep, EPOLL_CTL_ADD, fd, &ev) == 0)
		return;
	/* No memory or watches for it: giving it up is all that is left, unless
	 * the drain has done so already. */
	if (!atomic_compare_exchange_strong(&c->state[fd], &idle, CONN_NONE))
		return;
	close(fd);
	atomic_fetch_sub(&c->count, 1);
}

static void
conn_close(struct conns *c, int fd)
{
	atomic_store(&c->state[fd], CONN_NONE);
	close(fd);
	atomic_fetch_sub(&c->count, 1);
}

/* 1 bytes wait, 0 the peer has closed, -1 nothing yet */
static int
conn_peek(int fd)
{
	char b;
	ssize_t n = recv(fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	return 0;
}

/* ${fd} has come: this process's from now on, and BUSY. */
static void
conn_own(struct conns *c, int fd)
{
	int top;

	atomic_fetch_add(&c->count, 1);
	atomic_store(&c->state[fd], CONN_BUSY);
	for (top = atomic_load(&c->top); top < fd;)
		if (atomic_compare_exchange_weak(&c->top, &top, fd))
			break;
}

/* The next connection of the listening socket, or AGAIN or REST. */
static int
conn_accept(struct conns *c)
{
	int fd;

	do
		fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0 && errno == EAGAIN)
		return CONNS_AGAIN;
	if (fd < 0 || fd >= c->size) {
		listen_rest(c, fd < 0 ? errno : EMFILE);
		if (fd >= 0)
			close(fd);
		return CONNS_REST;
	}
	conn_own(c, fd);
	if (c->accepted != NULL)
		c->accepted(c->arg, fd);
	if (atomic_fetch_add(&c->accepts, 1) % REJOIN_AFTER == REJOIN_AFTER - 1)
		listen_rejoin(c);
	return fd;
}

/* The message that carries a descriptor: one byte, since none would be the end
 * of the pair. */
struct hand {
	char byte;
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg;
};

static void
hand_init(struct hand *h)
{
	*h = (struct hand){ .iov = { &h->byte, 1 } };
	h->msg.msg_iov = &h->iov;
	h->msg.msg_iovlen = 1;
	h->msg.msg_control = h->control;
	h->msg.msg_controllen = sizeof(h->control);
}

/* A connection that another process hands over, or AGAIN. */
static int
conn_receive(struct conns *c)
{
	const struct cmsghdr *m;
	struct hand h;
	int fd;

	hand_init(&h);
	if (recvmsg(c->hand_in, &h.msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
		return CONNS_AGAIN;
	m = CMSG_FIRSTHDR(&h.msg);
	if (m == NULL || m->cmsg_type != SCM_RIGHTS ||
	    m->cmsg_len != CMSG_LEN(sizeof(int)))
		return CONNS_AGAIN; /* no descriptor was left for it */
	memcpy(&fd, CMSG_DATA(m), sizeof(fd));
	if (fd >= c->size) {
		close(fd);
		return CONNS_AGAIN;
	}
	conn_own(c, fd);
	return fd;
}

/*
 * The connection an event is about, BUSY and with bytes to read.  A new one
 * that has sent nothing yet waits in the set like the others: a peer that
 * connects and is silent holds no thread.
 */
static int
conn_take(struct conns *c, const struct epoll_event *ev)
{
	unsigned char idle = CONN_IDLE;
	int fd;

	if (ev->data.u64 == KEY_LISTEN || ev->data.u64 == KEY_HAND) {
		fd = ev->data.u64 == KEY_LISTEN ? conn_accept(c)
		                                : conn_receive(c);
		if (fd < 0 || conn_peek(fd) == 1)
			return fd;
		conn_arm(c, fd);
		return CONNS_AGAIN;
	}
	fd = (int)ev->data.u64;
	if (!atomic_compare_exchange_strong(&c->state[fd], &idle, CONN_BUSY))
		return CONNS_AGAIN;
	if (ev->events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
		if (conn_peek(fd) != 1) {
			conn_close(c, fd);
			return CONNS_AGAIN;
		}
	return fd;
}

static void
sweep(struct conns *c, unsigned most)
{
	struct pollfd pf = { .fd = c->listen_fd, .events = POLLIN };
	int fd;

	while (most-- > 0 && poll(&pf, 1, 0) == 1 && (fd = conn_accept(c)) >= 0)
		conn_arm(c, fd);
	while (c->hand_in >= 0 && (fd = conn_receive(c)) >= 0)
		conn_arm(c, fd);
}

/* --- what others call ---------------------------------------------------- */

int
conns_next(struct conns *c, int timeout_ms)
{
	struct epoll_event ev;
	int n = epoll_wait(c->ep, &ev, 1, timeout_ms);

	if (n == 0)
		return CONNS_TIMEOUT;
	if (n < 0)
		return CONNS_AGAIN;
	if (ev.data.u64 == KEY_STOP)
		return CONNS_STOP;
	return conn_take(c, &ev);
}

int
conns_next_kept(struct conns *c)
{
	struct epoll_event ev;

	if (epoll_wait(c->ep, &ev, 1, 0) <= 0)
		return CONNS_TIMEOUT;
	if (ev.data.u64 == KEY_STOP)
		return CONNS_STOP;
	if (ev.data.u64 == KEY_LISTEN || ev.data.u64 == KEY_HAND)
		return CONNS_AGAIN;
	return conn_take(c, &ev);
}

int
conns_return(struct conns *c, int fd)
{
	if (!atomic_load(&c->closing)) {
		conn_arm(c, fd);
		return -1;
	}
	if (conn_peek(fd) == 1)
		return fd;
	conn_close(c, fd);
	return -1;
}

int
conns_hand_over(struct conns *c, int fd)
{
	struct cmsghdr *m;
	struct hand h;

	if (c->hand_out < 0)
		return -1;
	hand_init(&h);
	m = CMSG_FIRSTHDR(&h.msg);
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(m), &fd, sizeof(fd));
	/* First: once it is sent, this set would go on watching it. */
	epoll_ctl(c->ep, EPOLL_CTL_DEL, fd, NULL);
	if (sendmsg(c->hand_out, &h.msg, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return -1;
	conn_close(c, fd);
	return 0;
}

void
conns_gone(struct conns *c)
{
	/* Its state is left alone: the number may be another one's by now. */
	atomic_fetch_sub(&c->count, 1);
}

void
conns_join(struct conns *c)
{
	pthread_mutex_lock(&c->mu);
	c->wanted = true;
	listen_add(c);
	pthread_mutex_unlock(&c->mu);
}

void
conns_leave(struct conns *c, unsigned owed)
{
	pthread_mutex_lock(&c->mu);
	if (!c->wanted)
		owed = 0;
	c->wanted = false;
	listen_del(c);
	pthread_mutex_unlock(&c->mu);
	sweep(c, owed);
}

void
conns_fetch(struct conns *c, unsigned most)
{
	bool joined;

	pthread_mutex_lock(&c->mu);
	joined = c->listening;
	pthread_mutex_unlock(&c->mu);
	if (joined)
		sweep(c, most);
}

int64_t
conns_tend(struct conns *c)
{
	int64_t due;

	pthread_mutex_lock(&c->mu);
	if (c->rest_until != 0 && clock_mono() >= c->rest_until) {
		c->rest_until = 0;
		if (c->wanted)
			listen_add(c);
	}
	due = c->rest_until;
	pthread_mutex_unlock(&c->mu);
	return due;
}

void
conns_drain(struct conns *c)
{
	int fd, top = atomic_load(&c->top);

	atomic_store(&c->closing, true);
	for (fd = 0; fd <= top; fd++) {
		unsigned char idle = CONN_IDLE;

		if (!atomic_compare_exchange_strong(
			&c->state[fd], &idle, CONN_CLOSING))
			continue;
		/* An event that came meanwhile was dropped by its thread, so
		 * arm it again. */
		if (conn_peek(fd) == 1)
			conn_arm(c, fd);
		else
			conn_close(c, fd);
	}
}

void
conns_stop(struct conns *c)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(c->stop_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

unsigned
conns_count(const struct conns *c)
{
	return atomic_load(&c->count);
}

struct conns *
conns_new(int listen_fd, const int *hand, void (*accepted)(void *arg, int fd),
    void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = KEY_STOP };
	struct conns *c = mem_new(NULL, struct conns);
	struct rlimit rl;

	c->listen_fd = listen_fd;
	c->hand_in = hand != NULL ? hand[0] : -1;
	c->hand_out = hand != NULL ? hand[1] : -1;
	c->accepted = accepted;
	c->arg = arg;
	c->size = 1024;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur > 1024)
		c->size = rl.rlim_cur < 4194304 ? (int)rl.rlim_cur : 4194304;
	c->state = calloc((size_t)c->size, sizeof(*c->state));
	pthread_mutex_init(&c->mu, NULL);
	c->ep = epoll_create1(EPOLL_CLOEXEC);
	c->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->state == NULL || c->ep < 0 || c->stop_fd < 0 ||
	    epoll_ctl(c->ep, EPOLL_CTL_ADD, c->stop_fd, &ev) != 0) {
		conns_free(c);
		return NULL;
	}
	return c;
}

void
conns_free(struct conns *c)
{
	int fd;

	if (c == NULL)
		return;
	for (fd = 0; c->state != NULL && fd <= atomic_load(&c->top); fd++)
		if (atomic_load(&c->state[fd]) == CONN_IDLE)
			close(fd);
	if (c->ep >= 0)
		close(c->ep);
	if (c->stop_fd >= 0)
		close(c->stop_fd);
	pthread_mutex_destroy(&c->mu);
	free(c->state);
	mem_free(c);
}
