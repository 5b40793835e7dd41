/* TLS is verified and never given up: against openssl s_server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/call.h"
#include "net/net_priv.h"
#include "server.h"
#include "util/clock.h"

extern char **environ;

static char dir[] = "/tmp/sb-test-tls-XXXXXX";
static bool have;

static const char *
in_dir(const char *name)
{
	static char text[4][96];
	static unsigned next;
	char *t = text[next++ % 4];

	snprintf(t, sizeof(text[0]), "%s/%s", dir, name);
	return t;
}

static pid_t
run(char *const argv[], const char *in)
{
	posix_spawn_file_actions_t fa;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, in, O_RDWR, 0);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&fa);
	return pid;
}

static bool
run_wait(char *const argv[])
{
	pid_t pid = run(argv, "/dev/null");
	int st;

	return pid > 0 && waitpid(pid, &st, 0) == pid && WIFEXITED(st) &&
	       WEXITSTATUS(st) == 0;
}

/* Self-signed: whoever trusts it as an authority may talk to it. */
static bool
make_cert(const char *name, const char *san)
{
	char key[32], crt[32], ext[96], kp[96], cp[96];

	snprintf(key, sizeof(key), "%s.key", name);
	snprintf(crt, sizeof(crt), "%s.crt", name);
	snprintf(ext, sizeof(ext), "subjectAltName=%s", san);
	snprintf(kp, sizeof(kp), "%s", in_dir(key));
	snprintf(cp, sizeof(cp), "%s", in_dir(crt));
	char *argv[] = { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-keyout", kp, "-out", cp,
		"-days", "2", "-subj", "/CN=test", "-addext", ext, NULL };
	return run_wait(argv);
}

/* Sign it again, with an end that is past. */
static bool
expire(const char *name)
{
	char key[32], crt[32], kp[96], cp[96];

	snprintf(key, sizeof(key), "%s.key", name);
	snprintf(crt, sizeof(crt), "%s.crt", name);
	snprintf(kp, sizeof(kp), "%s", in_dir(key));
	snprintf(cp, sizeof(cp), "%s", in_dir(crt));
	char *argv[] = { "openssl", "x509", "-in", cp, "-signkey", kp, "-days",
		"-1", "-out", cp, NULL };
	return run_wait(argv);
}

static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&a, n) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		abort();
	close(fd);
	return ntohs(a.sin_port);
}

static bool
reachable(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool ok = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return ok;
}

static pid_t
s_server(const char *cert, int port, const char *opt1, const char *opt2)
{
	char crt[96], key[96], at[32], name[32];

	snprintf(name, sizeof(name), "%s.crt", cert);
	snprintf(crt, sizeof(crt), "%s", in_dir(name));
	snprintf(name, sizeof(name), "%s.key", cert);
	snprintf(key, sizeof(key), "%s", in_dir(name));
	snprintf(at, sizeof(at), "127.0.0.1:%d", port);
	char *argv[] = { "openssl", "s_server", "-accept", at, "-cert", crt,
		"-key", key, "-www", (char *)(uintptr_t)opt1,
		(char *)(uintptr_t)opt2, "ALL:@SECLEVEL=0", NULL };
	if (!opt1)
		argv[9] = NULL;
	pid_t pid = run(argv, "/dev/null");
	int64_t until = clock_mono() + 30 * CLOCK_S;

	while (!reachable(port) && clock_mono() < until)
		sleep_ms(5);
	return pid;
}

static int
count_body(void *arg, const char *p, size_t n)
{
	(void)p;
	*(size_t *)arg += n;
	return 0;
}

/* A GET of https://${host}:${port}/ trusting ${ca}. */
static int
fetch(const char *host, int port, const char *ca, struct net_reply *r,
    struct err *e)
{
	struct net_opts o = { .warm = 2,
		.resolve = { .threads = 1, .ttl_ms = 1000 },
		.ca_file = ca };
	struct net *net = net_new_opts(&o);
	size_t n = 0;
	char url[96];

	snprintf(url, sizeof(url), "https://%s:%d/", host, port);
	struct net_call c = { .method = "GET",
		.url = url,
		.connect_ms = 30000,
		.first_byte_ms = 30000,
		.idle_ms = 30000,
		.deadline = clock_mono() + 60 * CLOCK_S,
		.on_body = count_body,
		.arg = &n,
		.gone_fd = -1 };
	int rc = net_call(net, &c, r, e);
	net_free(net);
	return rc;
}

struct tls_case {
	const char *what, *cert, *host, *ca, *opt1, *opt2;
	bool ok;
};

static void
test_certificates(void **state)
{
	static const struct tls_case cases[] = {
		{ "trusted", "good", "127.0.0.1", "good.crt", NULL, NULL,
		    true },
		{ "trusted, by name", "good", "localhost", "good.crt", NULL,
		    NULL, true },
		{ "self-signed", "good", "127.0.0.1", NULL, NULL, NULL, false },
		{ "other authority", "good", "127.0.0.1", "other.crt", NULL,
		    NULL, false },
		{ "wrong host", "other", "127.0.0.1", "other.crt", NULL, NULL,
		    false },
		{ "expired", "old", "127.0.0.1", "old.crt", NULL, NULL, false },
		{ "TLS 1.0", "good", "127.0.0.1", "good.crt", "-tls1",
		    "-cipher", false },
		{ "TLS 1.1", "good", "127.0.0.1", "good.crt", "-tls1_1",
		    "-cipher", false },
	};

	(void)state;
	if (!have)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tls_case *t = &cases[i];
		struct net_reply r;
		struct err e = { 0 };
		int port = free_port();
		pid_t pid = s_server(t->cert, port, t->opt1, t->opt2);
		assert_true(pid > 0);
		int rc =
		    fetch(t->host, port, t->ca ? in_dir(t->ca) : NULL, &r, &e);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (t->ok && rc != 0)
			fail_msg("%s: refused: %s", t->what, e.text);
		if (!t->ok && (rc == 0 || r.end != NET_CONNECT))
			fail_msg("%s: end %d", t->what, (int)r.end);
	}
}

static void
serve_not_tls(struct server *s, int fd)
{
	char c;
	int *plain = server_arg(s);

	/* The first byte of a TLS hello is 22; a G would be plain HTTP. */
	if (recv(fd, &c, 1, 0) == 1 && c != 22)
		*plain = 1;
	if (server_accepts(s) == 1) {
		struct sockaddr none = { .sa_family = AF_UNSPEC };
		connect(fd, &none, sizeof(none)); /* RST in the handshake */
	} else {
		server_send(fd, "HTTP/1.1 200 OK\r\n\r\n");
	}
}

static void
test_broken_handshake(void **state)
{
	int plain = 0;
	struct server *s = server_start(serve_not_tls, &plain);
	struct net_reply r;
	struct err e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    fetch("127.0.0.1", server_port(s), NULL, &r, &e), -1);
		assert_int_equal(r.end, NET_CONNECT);
		assert_int_equal(e.code, ERR_UPSTREAM);
	}
	assert_int_equal(server_accepts(s), 2);
	server_stop(s);
	assert_int_equal(plain, 0);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	have = make_cert("good", "IP:127.0.0.1,DNS:localhost") &&
	       make_cert("other", "DNS:elsewhere.test") &&
	       make_cert("old", "IP:127.0.0.1") && expire("old");
	if (!have)
		print_message("skipped: no openssl program\n");
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "good.crt", "good.key",
		"other.crt", "other.key", "old.crt", "old.key" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	rmdir(dir);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_broken_handshake),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
