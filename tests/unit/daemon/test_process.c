/*
 * What a process shows and keeps of itself: title and environment in procfs,
 * limits, sockets that replace a dead master's, the ring of the dead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/conf.h"
#include "daemon/limits.h"
#include "daemon/lost.h"
#include "daemon/sockets.h"
#include "daemon/title.h"
#include "util/mem.h"

#define CANARY "sk-canary-3141592653589793"

static char *self;
static char dir[] = "/tmp/sb-process-XXXXXX";

/* --- a second life of this program: what title.c does to procfs ---------- */

static int
contains(const char *file, const char *what)
{
	static char text[1 << 17];
	size_t n, i, len = strlen(what);
	FILE *f = fopen(file, "re");

	if (f == NULL)
		return -1;
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	for (i = 0; i + len <= n; i++)
		if (memcmp(text + i, what, len) == 0)
			return 1;
	return 0;
}

static int
titled_main(int argc, char **argv)
{
	const char *key;

	if (contains("/proc/self/environ", CANARY) != 1)
		return 10;
	title_setup(argc, argv);
	title_set("chat worker 12 of a rather long name, to be sure of it");
	key = title_provider("OPENAI_API_KEY");
	if (key == NULL || strcmp(key, CANARY) != 0)
		return 11;
	if (title_provider("ANTHROPIC_API_KEY") != NULL)
		return 12; /* "" counts as unset */
	if (getenv("OPENAI_API_KEY") != NULL)
		return 13;
	if (getenv("SB_OTHER") == NULL || strcmp(getenv("SB_OTHER"), "yes"))
		return 14;
	if (contains("/proc/self/environ", CANARY) != 0)
		return 15;
	if (contains("/proc/self/cmdline", "switchboardd: chat worker 12") != 1)
		return 16;
	return 0;
}

static void
test_title_and_environment(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("OPENAI_API_KEY", CANARY, 1);
		setenv("ANTHROPIC_API_KEY", "", 1);
		setenv("SB_OTHER", "yes", 1);
		execl(self, self, "titled", (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- limits -------------------------------------------------------------- */

static void
test_threads_fit_the_limits(void **state)
{
	struct rlimit before, tight;
	const char *why = "";
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(limits_threads(1, 1, &why), 1);
	assert_null(why);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = 1140;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(limits_threads(1024, 1, &why), 100);
	assert_string_equal(why, "RLIMIT_NOFILE");
	assert_int_equal(limits_threads(100, 1, &why), 100);
	assert_null(why);
	tight.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(limits_threads(1024, 1, &why), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* Who is not root is also counted by user. */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		tight.rlim_cur = tight.rlim_max = 1056;
		if ((geteuid() == 0 && setuid(65534) != 0) ||
		    setrlimit(RLIMIT_NPROC, &tight) != 0)
			_exit(1);
		_exit(limits_threads(1024, 2, &why) == 400 &&
			      strcmp(why, "RLIMIT_NPROC") == 0 &&
			      limits_threads(400, 2, &why) == 400 && why == NULL
			  ? 0
			  : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* No machine has so many. */
	assert_true(limits_threads(4000000000U, 1, &why) < 4000000000U);
	assert_non_null(why);
}

/* --- sockets ------------------------------------------------------------- */

static const struct conf *
conf_of(const char *run_dir)
{
	const struct conf *c = NULL;
	char text[1024];
	struct err e = { 0 };
	int n;

	n = snprintf(text, sizeof(text),
	    "run_dir = %s\nstate_dir = %s/state\nsocket_mode = 640\n", run_dir,
	    dir);
	assert_int_equal(conf_parse(NULL, text, (size_t)n, "test", &c, &e), 0);
	return c;
}

static int
dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(fd, (const void *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static void
test_sockets(void **state)
{
	char run[128], path[160];
	const struct conf *c;
	struct sockets s, second;
	struct err e = { 0 };
	struct stat st;
	pid_t pid;
	int i, status;

	(void)state;
	snprintf(run, sizeof(run), "%s/a/run", dir);
	snprintf(path, sizeof(path), "%s/chat.sock", run);
	c = conf_of(run);
	/* A master that is killed leaves its sockets behind. */
	pid = fork();
	if (pid == 0)
		_exit(sockets_open(c, &s, &e));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(dial(path), -1);
	assert_int_equal(sockets_open(c, &s, &e), 0);
	for (i = 0; i < SOCKET_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", run, socket_names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		assert_int_equal(dial(path), 0);
	}
	assert_int_equal(stat(run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	/* One master a directory, and it keeps its sockets. */
	pid = fork();
	if (pid == 0)
		_exit(
		    sockets_open(c, &second, &e) == -1 && e.code == ERR_CONFLICT
			? 0
			: 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(dial(path), 0);
	sockets_unlink(c);
	assert_int_equal(dial(path), -1);
	sockets_close(&s, -1);
	snprintf(path, sizeof(path), "%s/master.lock", run);
	unlink(path);
	rmdir(run);
	snprintf(path, sizeof(path), "%s/a", dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/state", dir);
	rmdir(path);
	mem_free((void *)(uintptr_t)c);
}

static void
test_socket_paths(void **state)
{
	char run[81] = "/tmp/";
	const struct conf *c;
	struct err e = { 0 };

	(void)state;
	/* The longest that the parameter takes fits into a socket's address. */
	memset(run + 5, 'a', sizeof(run) - 6);
	c = conf_of(run);
	assert_int_equal(sockets_check(c, &e), 0);
	mem_free((void *)(uintptr_t)c);
	c = conf_of("relative/run");
	assert_int_equal(sockets_check(c, &e), -1);
	assert_non_null(strstr(e.text, "absolute"));
	mem_free((void *)(uintptr_t)c);
}

/* --- the ring of the dead ------------------------------------------------ */

static void
test_lost(void **state)
{
	struct uuid id[300], got;
	int i;

	(void)state;
	lost_map();
	assert_false(lost_peek(&got));
	for (i = 0; i < 300; i++) {
		id_new(&id[i]);
		lost_put(&id[i]);
	}
	assert_true(lost_peek(&got));
	assert_true(id_eq(&got, &id[0]));
	/* Not done: it is there still, and what is not the oldest stays. */
	lost_done(&id[1]);
	assert_true(lost_peek(&got));
	assert_true(id_eq(&got, &id[0]));
	for (i = 0; i < 256; i++) {
		assert_true(lost_peek(&got));
		assert_true(id_eq(&got, &id[i]));
		lost_done(&got);
	}
	assert_false(lost_peek(&got));
	lost_put(&id[299]);
	assert_true(lost_peek(&got));
	assert_true(id_eq(&got, &id[299]));
}

static int
dir_make(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
dir_remove(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_title_and_environment),
		cmocka_unit_test(test_threads_fit_the_limits),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_socket_paths),
		cmocka_unit_test(test_lost),
	};

	if (argc == 2 && strcmp(argv[1], "titled") == 0)
		return titled_main(argc, argv);
	self = realpath("/proc/self/exe", NULL);
	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
