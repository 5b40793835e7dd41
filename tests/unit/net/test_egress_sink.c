/*
 * The guard at work (ROBUSTNESS D9-D13), in a network namespace of its own
 * where every address there is, of IPv4 and of IPv6, leads to one server here:
 * whatever is connected to is seen, and nothing leaves the machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/call.h"
#include "net/egress.h"
#include "net/net_priv.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

extern char **environ;

#define PUBLIC "93.184.216.34"
#define PUBLIC6 "2606:2800:220:1::1"

/* --- the namespace
 * ------------------------------------------------------------- */

static bool
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool
run_ip(const char *words)
{
	char text[128], *argv[16] = { NULL }, *save = NULL;
	int n = 0, status;
	pid_t pid;

	snprintf(text, sizeof(text), "ip %s", words);
	for (char *w = strtok_r(text, " ", &save); w != NULL && n < 15;
	     w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return posix_spawnp(&pid, "ip", NULL, NULL, argv, environ) == 0 &&
	       waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/* NULL, or why there is no namespace. */
static const char *
own_network(void)
{
	char map[32];
	unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();

	if (unshare(CLONE_NEWNET) != 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
			return "unshare() is not allowed here";
		snprintf(map, sizeof(map), "0 %u 1", uid);
		if (!write_file("/proc/self/uid_map", map))
			return "a user namespace is not allowed here";
		(void)write_file("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", gid);
		(void)write_file("/proc/self/gid_map", map);
	}
	if (!run_ip("link set lo up") ||
	    !run_ip("route add local 0.0.0.0/0 dev lo"))
		return "ip(8) cannot set up the network namespace";
	if (!run_ip("-6 route add local ::/0 dev lo"))
		return "there is no IPv6 here";
	return NULL;
}

/* --- the sink
 * ------------------------------------------------------------------ */

static struct {
	int fd, port;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t lock;
	int accepts;
	char last[INET6_ADDRSTRLEN]; /* whom the last one wanted */
	char head[4096];             /* of the last request */
	char answer[1024];           /* "": 200 */
	enum body { WHOLE, ENDLESS, SLOW } body;
} sink;

/* What it answers from now on; ${answer} NULL: 200 and ${body}. */
static void
sink_says(const char *answer, enum body body)
{
	pthread_mutex_lock(&sink.lock);
	snprintf(sink.answer, sizeof(sink.answer), "%s",
	    answer != NULL ? answer : "");
	sink.body = body;
	pthread_mutex_unlock(&sink.lock);
}

static void
send_all(int fd, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, s, n, MSG_NOSIGNAL);

		if (k <= 0)
			return;
		s += k;
		n -= (size_t)k;
	}
}

/* True when another request may come. */
static bool
sink_body(int fd)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
				 "ok";
	static const char more[] = "HTTP/1.1 200 OK\r\n\r\n";
	static char bulk[65536];
	char answer[sizeof(sink.answer)];
	enum body body;

	pthread_mutex_lock(&sink.lock);
	memcpy(answer, sink.answer, sizeof(answer));
	body = sink.body;
	pthread_mutex_unlock(&sink.lock);
	if (answer[0] != '\0') {
		send_all(fd, answer, strlen(answer));
	} else if (body == WHOLE) {
		send_all(fd, ok, sizeof(ok) - 1);
	} else {
		struct pollfd p = { fd, POLLRDHUP, 0 };

		send_all(fd, more, sizeof(more) - 1);
		while (!atomic_load(&sink.stop) &&
		       poll(&p, 1, body == SLOW ? 100 : 0) == 0)
			send_all(fd, bulk, body == SLOW ? 1 : sizeof(bulk));
	}
	return answer[0] == '\0' && body == WHOLE;
}

static void
sink_one(int fd)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);
	size_t len = 0;
	ssize_t k;

	pthread_mutex_lock(&sink.lock);
	sink.accepts++;
	getsockname(fd, (struct sockaddr *)&a, &n);
	if (IN6_IS_ADDR_V4MAPPED(&a.sin6_addr))
		inet_ntop(AF_INET, a.sin6_addr.s6_addr + 12, sink.last,
		    sizeof(sink.last));
	else
		inet_ntop(AF_INET6, &a.sin6_addr, sink.last, sizeof(sink.last));
	pthread_mutex_unlock(&sink.lock);
	for (;;) {
		char head[sizeof(sink.head)];

		len = 0;
		do {
			k = recv(fd, head + len, sizeof(head) - 1 - len, 0);
			if (k <= 0)
				return;
			len += (size_t)k;
			head[len] = '\0';
		} while (
		    strstr(head, "\r\n\r\n") == NULL && len < sizeof(head) - 1);
		pthread_mutex_lock(&sink.lock);
		memcpy(sink.head, head, len + 1);
		pthread_mutex_unlock(&sink.lock);
		if (!sink_body(fd))
			return;
	}
}

struct one {
	pthread_t thread;
	int fd;
};

static void *
one_main(void *arg)
{
	struct one *o = arg;

	sink_one(o->fd);
	shutdown(o->fd, SHUT_RDWR);
	return NULL;
}

static void *
sink_main(void *arg)
{
	static struct one ones[512];
	int n = 0;

	(void)arg;
	while (!atomic_load(&sink.stop)) {
		struct pollfd p = { sink.fd, POLLIN, 0 };

		if (poll(&p, 1, 20) <= 0)
			continue;
		if (n == 512)
			abort();
		ones[n].fd = accept4(sink.fd, NULL, NULL, SOCK_CLOEXEC);
		if (ones[n].fd < 0)
			continue;
		pthread_create(&ones[n].thread, NULL, one_main, &ones[n]);
		n++;
	}
	for (int i = 0; i < n; i++) {
		shutdown(ones[i].fd, SHUT_RDWR);
		pthread_join(ones[i].thread, NULL);
		close(ones[i].fd);
	}
	return NULL;
}

static void
sink_start(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	socklen_t n = sizeof(a);
	int off = 0;

	pthread_mutex_init(&sink.lock, NULL);
	sink.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sink.fd < 0 ||
	    setsockopt(sink.fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) !=
		0 ||
	    bind(sink.fd, (struct sockaddr *)&a, n) != 0 ||
	    listen(sink.fd, 128) != 0 ||
	    getsockname(sink.fd, (struct sockaddr *)&a, &n) != 0)
		abort();
	sink.port = ntohs(a.sin6_port);
	pthread_create(&sink.thread, NULL, sink_main, NULL);
}

static int
accepts(void)
{
	pthread_mutex_lock(&sink.lock);
	int n = sink.accepts;
	pthread_mutex_unlock(&sink.lock);
	return n;
}

/* --- names
 * --------------------------------------------------------------------- */

static atomic_int lookups;

/* The spellings of addresses that the system's resolver understands. */
static void
lookup_number(const char *host, struct resolved *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST };
	struct addrinfo *a;

	if (getaddrinfo(host, NULL, &hints, &a) != 0)
		return;
	if (getnameinfo(a->ai_addr, a->ai_addrlen, out->addr[0],
		sizeof(out->addr[0]), NULL, 0, NI_NUMERICHOST) == 0)
		out->n = 1;
	freeaddrinfo(a);
}

/* "rebind.test" is public once and then loopback. */
static int
lookup(const char *host, struct resolved *out)
{
	static const struct {
		const char *host, *addr[3];
	} names[] = {
		{ "good.test", { PUBLIC } },
		{ "good6.test", { PUBLIC6 } },
		{ "both.test", { PUBLIC6, PUBLIC } },
		{ "mixed.test", { PUBLIC, "127.0.0.1" } },
		{ "mixed2.test", { "127.0.0.1", PUBLIC } },
		{ "mixed6.test", { PUBLIC, "::1" } },
		{ "evil.test", { "127.0.0.1" } },
		{ "evil6.test", { "::1" } },
		{ "mapped.test", { "::ffff:127.0.0.1" } },
		{ "meta.test", { "169.254.169.254" } },
		{ "inside.test", { "10.1.2.3" } },
		{ "localhost", { "127.0.0.1" } },
		{ "x.localhost", { "127.0.0.1" } },
	};
	int n = atomic_fetch_add(&lookups, 1);

	out->n = 0;
	if (strcmp(host, "rebind.test") == 0) {
		out->n = 1;
		snprintf(out->addr[0], sizeof(out->addr[0]), "%s",
		    n == 0 ? PUBLIC : "127.0.0.1");
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		while (strcmp(names[i].host, host) == 0 && out->n < 3 &&
		       names[i].addr[out->n] != NULL) {
			snprintf(out->addr[out->n], sizeof(out->addr[0]), "%s",
			    names[i].addr[out->n]);
			out->n++;
		}
	if (out->n == 0)
		lookup_number(host, out);
	return out->n > 0 ? 0 : -1;
}

static struct net *net;
static struct egress *guard;
static void *root;

/* ${ttl_ms}: of names */
static void
use_net(int ttl_ms)
{
	struct net_opts o = { .warm = 8,
		.resolve = { .threads = 2,
		    .ttl_ms = ttl_ms,
		    .negative_ms = 1,
		    .lookup = lookup } };

	net_free(net);
	net = net_new_opts(&o);
	atomic_store(&lookups, 0);
}

static struct net_reply reply;
static struct err error;

static int
call_with(const struct egress *g, const char *url)
{
	static const char *const headers[] = { "Authorization: Bearer key-one",
		"x-api-key: key-two", NULL };
	struct net_call c = { .method = "GET",
		.url = url,
		.headers = headers,
		.egress = g,
		.connect_ms = g != NULL ? 0 : 2000,
		.gone_fd = -1 };

	memset(&error, 0, sizeof(error));
	return net_call(net, &c, &reply, &error);
}

static const char *
url_of(const char *host, const char *path)
{
	static char text[8][512];
	static unsigned next;
	char *t = text[next++ % 8];

	snprintf(t, sizeof(text[0]), "http://%s:%d%s", host, sink.port, path);
	return t;
}

static int
fresh(void **state)
{
	(void)state;
	use_net(60000);
	sink_says(NULL, WHOLE);
	pthread_mutex_lock(&sink.lock);
	sink.accepts = 0;
	sink.head[0] = sink.last[0] = '\0';
	pthread_mutex_unlock(&sink.lock);
	return 0;
}

/* Nobody is connected to. */
static void
no_connect(const char *url)
{
	int before = accepts();

	if (call_with(guard, url) == 0)
		fail_msg("%s was called", url);
	assert_int_equal(error.code, ERR_UPSTREAM);
	assert_false(reply.sent);
	if (accepts() != before)
		fail_msg("%s was connected to", url);
	/* Nor when it is saved. */
	assert_int_equal(
	    egress_check_url(net, guard, url, clock_mono() + CLOCK_S, &error),
	    -1);
	assert_int_equal(accepts(), before);
}

static void
goes_to(const char *host, const char *address)
{
	int before = accepts();

	if (call_with(guard, url_of(host, "/path?q")) != 0)
		fail_msg("%s: %s", host, error.text);
	assert_int_equal(reply.status, 200);
	assert_int_equal(accepts(), before + 1);
	assert_string_equal(sink.last, address);
}

/* --- tests
 * ---------------------------------------------------------------------- */

/* What the sink would see without the guard: libcurl goes to all of these. */
static void
the_sink_sees(void **state)
{
	static const char *const hosts[] = { "2130706433", "0x7f.1", "127.1",
		"0", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]",
		"user@127.0.0.1", "169.254.169.254", "10.0.0.1",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "evil.test" };

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		int before = accepts();

		use_net(60000); /* without warm connections */
		(void)call_with(NULL, url_of(hosts[i], "/"));
		if (accepts() == before)
			fail_msg("the sink does not see %s", hosts[i]);
	}
}

static void
spellings(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost",
		"LOCALHOST", "localhost.", "x.localhost", "2130706433",
		"0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1",
		"127.0.1", "127.0.0.01", "0", "0.0.0.0", "00.0.0.0",
		"user@127.0.0.1", "good.test@127.0.0.1",
		"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",
		"\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1", "/127.0.0.1",
		"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
		"[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]",
		"[2001:0:7f00:1::]", "[fe80::1]", "[fd00::1]", "[fc00::1]",
		"[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[100::1]",
		"169.254.169.254", "2852039166", "0xa9fea9fe",
		"0251.0376.0251.0376", "169.254.170.2", "100.100.100.200",
		"168.63.129.16", "192.0.0.192", "10.0.0.1", "172.16.0.1",
		"192.168.0.1", "100.64.0.1", "198.18.0.1", "192.0.2.1",
		"224.0.0.1", "255.255.255.255", "240.0.0.1", "evil.test",
		"EVIL.test.", "evil6.test", "mapped.test", "meta.test",
		"inside.test" };

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		no_connect(url_of(hosts[i], "/"));
	assert_int_equal(accepts(), 0);
	/* And where it may go. */
	goes_to("good.test", PUBLIC);
	goes_to(PUBLIC, PUBLIC);
	goes_to("good6.test", PUBLIC6);
	goes_to("[" PUBLIC6 "]", PUBLIC6);
	assert_non_null(strstr(sink.head, "GET /path?q HTTP/1.1\r\n"));
	assert_non_null(strstr(sink.head, "x-api-key: key-two\r\n"));
	assert_int_equal(call_with(guard, url_of("both.test", "/")), 0);
}

static void
opened(void **state)
{
	static const char *const list[] = { "10.1.0.0/16", NULL };
	struct egress *g = egress_new(root, list, NULL), *was = guard;

	(void)state;
	no_connect(url_of("inside.test", "/"));
	guard = g;
	goes_to("inside.test", "10.1.2.3");
	goes_to("10.1.0.9", "10.1.0.9");
	no_connect(url_of("10.2.0.1", "/"));
	no_connect(url_of("evil.test", "/"));
	guard = was;
	/* A warm connection that others made does not serve. */
	no_connect(url_of("inside.test", "/"));
	assert_int_equal(call_with(NULL, url_of("evil.test", "/")), 0);
	no_connect(url_of("evil.test", "/"));
}

static void
redirects(void **state)
{
	static const int codes[] = { 301, 302, 303, 307, 308 };
	static const char *const to[] = { "http://169.254.169.254:%d/",
		"http://good.test:%d/next", "//127.0.0.1:%d/", "/again",
		"file:///etc/passwd", "gopher://127.0.0.1:%d/_x",
		"dict://127.0.0.1:%d/x", "http://evil.test:%d/" };
	char answer[512], where[128];

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		for (size_t k = 0; k < sizeof(to) / sizeof(to[0]); k++) {
			int before = accepts();
			const char *port = strstr(to[k], "%d");

			if (port != NULL)
				snprintf(where, sizeof(where), "%.*s%d%s",
				    (int)(port - to[k]), to[k], sink.port,
				    port + 2);
			else
				snprintf(where, sizeof(where), "%s", to[k]);
			snprintf(answer, sizeof(answer),
			    "HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\n"
			    "Content-Length: 0\r\nConnection: close\r\n\r\n",
			    codes[i], where);
			sink_says(answer, WHOLE);
			assert_int_equal(
			    call_with(guard, url_of("good.test", "/")), 0);
			/* An answer like others, and no second hop. */
			assert_int_equal(reply.status, codes[i]);
			assert_int_equal(accepts(), before + 1);
			assert_string_equal(sink.last, PUBLIC);
		}
}

/* The name leads elsewhere the moment it has been looked at. */
static void
rebinding(void **state)
{
	(void)state;
	use_net(0); /* TTL 0: each look-up is a new one */
	assert_int_equal(
	    egress_check_url(net, guard, url_of("rebind.test", "/"),
		clock_mono() + CLOCK_S, &error),
	    0);
	assert_int_equal(atomic_load(&lookups), 1);
	no_connect(url_of("rebind.test", "/"));
	assert_true(atomic_load(&lookups) >= 2);
	assert_int_equal(accepts(), 0);
	/* One look-up is for the check and for the connection: with the first
	 * answer it goes to that, though the second would be another. */
	use_net(0);
	assert_int_equal(call_with(guard, url_of("rebind.test", "/")), 0);
	assert_int_equal(atomic_load(&lookups), 1);
	assert_int_equal(accepts(), 1);
	assert_string_equal(sink.last, PUBLIC);
	/* The connection is warm; the name is not what it was. */
	no_connect(url_of("rebind.test", "/"));
	assert_int_equal(accepts(), 1);
}

static void
several_addresses(void **state)
{
	(void)state;
	no_connect(url_of("mixed.test", "/"));
	no_connect(url_of("mixed2.test", "/"));
	no_connect(url_of("mixed6.test", "/"));
	assert_int_equal(accepts(), 0);
}

static void
proxies(void **state)
{
	static const char *const names[] = { "http_proxy", "HTTP_PROXY",
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
	char proxy[64];

	(void)state;
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", sink.port);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setenv(names[i], proxy, 1);
	goes_to("good.test", PUBLIC);
	assert_non_null(strstr(sink.head, "GET /path?q HTTP/1.1\r\n"));
	no_connect(url_of("evil.test", "/"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	assert_int_equal(accepts(), 1);
}

/* ROBUSTNESS D12: what nobody set a limit for has one. */
static void
limits(void **state)
{
	int64_t began;

	(void)state;
	sink_says(NULL, ENDLESS);
	assert_int_equal(call_with(guard, url_of("good.test", "/")), -1);
	assert_int_equal(reply.end, NET_TOO_LARGE);
	assert_in_range(reply.bytes, 1, EGRESS_RESPONSE_MAX);
	sink_says(NULL, SLOW);
	began = clock_mono();
	assert_int_equal(call_with(guard, url_of("good.test", "/")), -1);
	assert_int_equal(reply.end, NET_TIMEOUT);
	assert_in_range((clock_mono() - began) / CLOCK_MS,
	    EGRESS_TOTAL_MS - 100, EGRESS_TOTAL_MS + 3000);
}

static int
setup(void **state)
{
	(void)state;
	root = mem_root("test");
	guard = egress_new(root, NULL, NULL);
	sink_start();
	return log_open("/dev/null", LOG_WARN, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	net_free(net);
	atomic_store(&sink.stop, true);
	pthread_join(sink.thread, NULL);
	close(sink.fd);
	mem_free(root);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_sink_sees, fresh),
		cmocka_unit_test_setup(spellings, fresh),
		cmocka_unit_test_setup(opened, fresh),
		cmocka_unit_test_setup(redirects, fresh),
		cmocka_unit_test_setup(rebinding, fresh),
		cmocka_unit_test_setup(several_addresses, fresh),
		cmocka_unit_test_setup(proxies, fresh),
		cmocka_unit_test_setup(limits, fresh),
	};
	const char *why = own_network();

	if (why != NULL) {
		printf("no network namespace (%s): the egress guard is not "
		       "tried against connections\n",
		    why);
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
