/* What the service manager hears: real datagrams on real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "util/clock.h"

#include "util/banned.h"

static char dir[] = "/tmp/sb-test-notify-XXXXXX";
static int manager = -1;

/* Listen at ${path}, where a leading @ is the abstract name space. */
static void
listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	assert_true(n < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, n);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(manager >= 0);
	assert_int_equal(
	    bind(manager, (const void *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
	    0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
}

/* The datagram that is there, or "". */
static const char *
heard(void)
{
	static char text[600];
	ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int
teardown(void **state)
{
	(void)state;
	if (manager >= 0)
		close(manager);
	manager = -1;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	notify_setup();
	return 0;
}

static void
test_a_path(void **state)
{
	char path[80];

	(void)state;
	snprintf(path, sizeof(path), "%s/notify", dir);
	listen_at(path);
	notify_setup();
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_send("READY=1\nSTATUS=%d workers", 3);
	assert_string_equal(heard(), "READY=1\nSTATUS=3 workers");
	assert_string_equal(heard(), "");
	/* no watchdog was asked for */
	assert_int_equal(notify_watchdog(), 0);
	assert_string_equal(heard(), "");
	unlink(path);
}

static void
test_an_abstract_name(void **state)
{
	char name[80];

	(void)state;
	snprintf(name, sizeof(name), "@sb-test-notify-%ld", (long)getpid());
	listen_at(name);
	notify_setup();
	notify_send("STOPPING=1");
	assert_string_equal(heard(), "STOPPING=1");
}

static void
test_nobody(void **state)
{
	(void)state;
	/* none, no such thing, one that is gone: nothing happens */
	notify_setup();
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	notify_setup();
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	notify_setup();
	notify_send("READY=1");
	assert_int_equal(notify_watchdog(), 0);
}

static void
test_a_deaf_manager(void **state)
{
	int64_t began = clock_mono();
	char path[80];
	int i;

	(void)state;
	snprintf(path, sizeof(path), "%s/deaf", dir);
	listen_at(path);
	notify_setup();
	/* Its queue is full long before; each more is dropped at once. */
	for (i = 0; i < 5000; i++)
		notify_send("STATUS=%d", i);
	assert_string_equal(heard(), "STATUS=0");
	assert_true(clock_mono() - began < 10 * CLOCK_S);
	unlink(path);
}

static void
test_watchdog(void **state)
{
	char path[80], pid[24];
	int64_t now, due;

	(void)state;
	snprintf(path, sizeof(path), "%s/watchdog", dir);
	listen_at(path);
	setenv("WATCHDOG_USEC", "400000", 1);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	notify_setup();
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	now = clock_mono();
	due = notify_watchdog();
	assert_string_equal(heard(), "WATCHDOG=1");
	/* half of what was asked for, and not before */
	assert_true(due >= now + 200 * CLOCK_MS);
	assert_true(due < clock_mono() + 201 * CLOCK_MS);
	if (notify_watchdog() == due)
		assert_string_equal(heard(), "");
	poll(NULL, 0, 210);
	assert_true(notify_watchdog() > due);
	assert_string_equal(heard(), "WATCHDOG=1");
	unlink(path);
}

static void
test_anothers_watchdog(void **state)
{
	char path[80];

	(void)state;
	snprintf(path, sizeof(path), "%s/other", dir);
	listen_at(path);
	setenv("WATCHDOG_USEC", "400000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify_setup();
	assert_int_equal(notify_watchdog(), 0);
	assert_string_equal(heard(), "");
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_path, teardown),
		cmocka_unit_test_teardown(test_an_abstract_name, teardown),
		cmocka_unit_test_teardown(test_nobody, teardown),
		cmocka_unit_test_teardown(test_a_deaf_manager, teardown),
		cmocka_unit_test_teardown(test_watchdog, teardown),
		cmocka_unit_test_teardown(test_anothers_watchdog, teardown),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
