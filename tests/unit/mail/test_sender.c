/*
 * The queue and its sender against a real mail server (tests/lib/smtpd.py):
 * TLS or nothing, logins, refusals, tries, servers that hang; and the files
 * where there is no server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mail/sender.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

extern char **environ;

static char dir[64];

static const char *
in_dir(const char *name)
{
	static char text[8][128];
	static unsigned next;
	char *t = text[next++ % 8];

	snprintf(t, sizeof(text[0]), "%s/%s", dir, name);
	return t;
}

static void
nap(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* --- the server --------------------------------------------------------------
 */

static struct {
	pid_t pid;
	int in, port;
} server;

/* False: aiosmtpd is not there. */
static bool
server_start(char *mode, char *login)
{
	char program[512], port[16] = "";
	int in[2], out[2], status;
	char *argv[] = { program, dir, mode, login, NULL };
	posix_spawn_file_actions_t fa;
	FILE *f;

	snprintf(program, sizeof(program), "%s/tests/lib/smtpd.py",
	    getenv("srcdir") != NULL ? getenv("srcdir") : ".");
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in[0], 0);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	assert_int_equal(
	    posix_spawn(&server.pid, program, &fa, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&fa);
	close(in[0]);
	close(out[1]);
	server.in = in[1];
	f = fdopen(out[0], "r");
	assert_non_null(f);
	if (fgets(port, sizeof(port), f) == NULL) {
		fclose(f);
		close(server.in);
		assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
		return false;
	}
	fclose(f);
	server.port = (int)strtol(port, NULL, 10);
	assert_in_range(server.port, 1024, 65535);
	return true;
}

static void
server_stop(void)
{
	int status;

	close(server.in);
	assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
}

/* What it took so far, as an array. */
static json_t *
taken(void)
{
	json_t *all = json_array(), *one;
	FILE *f = fopen(in_dir("messages"), "r");
	char *line = NULL;
	size_t size = 0;

	while (f != NULL && getline(&line, &size, f) > 0 &&
	       (one = json_loads(line, 0, NULL)) != NULL)
		json_array_append_new(all, one);
	free(line);
	if (f != NULL)
		fclose(f);
	return all;
}

static size_t
taken_count(void)
{
	json_t *all = taken();
	size_t n = json_array_size(all);

	json_decref(all);
	return n;
}

static const char *
text_of(const json_t *m, const char *key)
{
	const char *s = json_string_value(json_object_get(m, key));

	assert_non_null(s);
	return s;
}

/* --- the queue ---------------------------------------------------------------
 */

static struct mail_conf conf;

/* Files in ${name} whose names end in ${suffix}. */
static int
files(const char *name, const char *suffix)
{
	DIR *d = opendir(in_dir(name));
	struct dirent *e;
	int n = 0;

	while (d != NULL && (e = readdir(d)) != NULL)
		n += strstr(e->d_name, suffix) != NULL;
	if (d != NULL)
		closedir(d);
	return n;
}

static void
until(bool (*what)(void), int seconds, const char *text)
{
	int64_t end = clock_mono() + seconds * CLOCK_S;

	while (!what()) {
		if (clock_mono() > end)
			fail_msg("not within %d s: %s", seconds, text);
		nap(20);
	}
}

static bool
queue_empty(void)
{
	return files("queue", ".mail") == 0;
}

static bool
log_has(const char *what)
{
	FILE *f = fopen(in_dir("log"), "r");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f != NULL && !found && getline(&line, &size, f) > 0)
		found = strstr(line, what) != NULL;
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

static bool
delayed(void)
{
	return log_has("mail_delayed");
}

static void
put(const char *to, const char *subject, const char *text, const char *html)
{
	struct mail m = {
		.to = to, .subject = subject, .text = text, .html = html
	};
	struct err e = { 0 };

	if (mail_put(&conf, &m, &e) != 0)
		fail_msg("%s", e.text);
}

static struct mail_sender *
sender(void)
{
	struct err e = { 0 };
	struct mail_sender *s = mail_sender_start(&conf, &e);

	assert_non_null(s);
	return s;
}

static void
set_password(const char *text)
{
	FILE *f = fopen(in_dir("password"), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_dir("password"), 0600), 0);
}

/* A configuration with the mail server as mail.test, which is no loopback. */
static void
use_server(const char *scheme, const char *user)
{
	static char url[64], via[96], ca[128], password[128], queue[128],
	    sink[128];

	snprintf(url, sizeof(url), "%s://mail.test:2525", scheme);
	snprintf(via, sizeof(via), "mail.test:2525:127.0.0.1:%d", server.port);
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	snprintf(password, sizeof(password), "%s/password", dir);
	snprintf(queue, sizeof(queue), "%s/queue", dir);
	snprintf(sink, sizeof(sink), "%s/sink", dir);
	conf = (struct mail_conf){ .url = url,
		.user = user,
		.password_file = *user != '\0' ? password : "",
		.from = "Sch\xc3\xb6ne Schuhe <noreply@shop.example>",
		.timeout_ms = 10000,
		.queue_dir = queue,
		.sink_dir = sink,
		.retry_ms = 100,
		.give_up_s = 3600,
		.via = via,
		.ca_file = ca };
}

#define NEEDS_SERVER(mode, login)                                              \
	do {                                                                   \
		static char mode_[] = mode, login_[] = login;                  \
		if (!server_start(mode_, *login_ != '\0' ? login_ : NULL)) {   \
			print_message("python3-aiosmtpd is not installed: "    \
				      "mail servers are not tried\n");         \
			skip();                                                \
		}                                                              \
	} while (0)

#define LONG "A line of more than a thousand bytes must be divided on its way: "

/* --- tests -------------------------------------------------------------------
 */

static void
starttls_login_and_every_byte(void **state)
{
	static const char text[] = "Gr\xc3\xbc\xc3\x9f"
				   "e, \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98"
				   "\x80!\n.\n..dots\nFrom me = you\n  \nend\n";
	char *longest = calloc(1, 5000);
	struct mail_sender *s;
	json_t *all, *m;

	(void)state;
	NEEDS_SERVER("starttls", "mailer:pass word");
	use_server("smtp", "mailer");
	set_password("pass word\n");
	s = sender();
	put("ann@x.example",
	    "Gr\xc3\xbc\xc3\x9f"
	    "e aus K\xc3\xb6ln",
	    text,
	    "<p>Gr\xc3\xbc\xc3\x9f"
	    "e</p>\n");
	until(queue_empty, 20, "it is sent");
	for (size_t i = 0; i < 4999; i++)
		longest[i] = LONG[i % (sizeof(LONG) - 1)];
	put("ann@x.example", "Plain", longest, NULL);
	until(queue_empty, 20, "the second is sent");
	mail_sender_stop(s);
	all = taken();
	assert_int_equal(json_array_size(all), 2);
	m = json_array_get(all, 0);
	assert_true(json_is_true(json_object_get(m, "tls")));
	assert_string_equal(text_of(m, "user"), "mailer");
	assert_string_equal(text_of(m, "mail_from"), "noreply@shop.example");
	assert_string_equal(
	    text_of(m, "from"), "Sch\xc3\xb6ne Schuhe <noreply@shop.example>");
	assert_string_equal(text_of(m, "to"), "ann@x.example");
	assert_string_equal(text_of(m, "subject"), "Gr\xc3\xbc\xc3\x9f"
						   "e aus K\xc3\xb6ln");
	assert_string_equal(text_of(m, "text"), text);
	assert_string_equal(text_of(m, "html"), "<p>Gr\xc3\xbc\xc3\x9f"
						"e</p>\n");
	assert_true(json_is_true(json_object_get(m, "ascii")));
	assert_int_equal(json_integer_value(json_object_get(m, "defects")), 0);
	assert_int_equal(json_integer_value(json_object_get(m, "bare")), 0);
	assert_in_range(
	    json_integer_value(json_object_get(m, "longest")), 10, 78);
	m = json_array_get(all, 1);
	assert_memory_equal(text_of(m, "text"), longest, 4999);
	assert_in_range(
	    json_integer_value(json_object_get(m, "longest")), 10, 78);
	json_decref(all);
	free(longest);
	server_stop();
	assert_true(log_has("mail_sent"));
	assert_false(log_has("pass word"));
	assert_false(log_has("ann@x"));
}

static void
smtps(void **state)
{
	struct mail_sender *s;
	json_t *all;

	(void)state;
	NEEDS_SERVER("smtps", "");
	use_server("smtps", "");
	s = sender();
	put("ann@x.example", "Hello", "Text\n", NULL);
	until(queue_empty, 20, "it is sent");
	mail_sender_stop(s);
	all = taken();
	assert_int_equal(json_array_size(all), 1);
	json_decref(all);
	server_stop();
}

/* It is not handed over, and stays. */
static void
stays(const char *log)
{
	struct mail_sender *s = sender();

	put("ann@x.example", "Hello", "Text\n", NULL);
	until(delayed, 20, "a try that failed");
	mail_sender_stop(s);
	assert_int_equal(files("queue", ".mail"), 1);
	assert_int_equal(taken_count(), 0);
	if (!log_has(log))
		fail_msg("the log says nothing of \"%s\"", log);
	server_stop();
}

static void
no_tls_no_mail(void **state)
{
	(void)state;
	NEEDS_SERVER("none", "");
	use_server("smtp", "");
	stays("SSL");
}

static void
untrusted_certificate(void **state)
{
	(void)state;
	NEEDS_SERVER("starttls", "");
	use_server("smtp", "");
	conf.ca_file = NULL;
	stays("ertificate");
}

static void
wrong_name(void **state)
{
	static char via[96];

	(void)state;
	NEEDS_SERVER("starttls", "");
	use_server("smtp", "");
	conf.url = "smtp://other.test:2525";
	snprintf(via, sizeof(via), "other.test:2525:127.0.0.1:%d", server.port);
	conf.via = via;
	stays("ertificate");
}

static void
wrong_password(void **state)
{
	struct mail_sender *s;

	(void)state;
	NEEDS_SERVER("starttls", "mailer:right");
	use_server("smtp", "mailer");
	set_password("wrong");
	s = sender();
	put("ann@x.example", "Hello", "Text\n", NULL);
	until(delayed, 20, "a try that failed");
	assert_int_equal(files("queue", ".mail"), 1);
	/* The right one needs no reload. */
	set_password("right\n");
	until(queue_empty, 20, "it is sent");
	mail_sender_stop(s);
	assert_int_equal(taken_count(), 1);
	server_stop();
}

/* On this host's loopback no TLS is needed. */
static void
loopback(void **state)
{
	static char url[64];
	struct mail_sender *s;
	json_t *all;

	(void)state;
	NEEDS_SERVER("none", "");
	use_server("smtp", "");
	conf.via = NULL;
	snprintf(url, sizeof(url), "smtp://127.0.0.1:%d", server.port);
	conf.url = url;
	s = sender();
	put("ann@x.example", "Hello", "Text\n", NULL);
	until(queue_empty, 20, "it is sent");
	mail_sender_stop(s);
	all = taken();
	assert_true(
	    json_is_false(json_object_get(json_array_get(all, 0), "tls")));
	json_decref(all);
	server_stop();
}

/* 550 is the end of a message, 451 is not, and neither holds up others. */
static void
refused_and_later(void **state)
{
	struct mail_sender *s;
	json_t *all;

	(void)state;
	NEEDS_SERVER("starttls", "");
	use_server("smtp", "");
	put("nobody@x.example", "Refused", "Text\n", NULL);
	put("later@x.example", "Later", "Text\n", NULL);
	put("ann@x.example", "Now", "Text\n", NULL);
	assert_int_equal(files("queue", ".mail"), 3);
	s = sender();
	until(queue_empty, 30, "all are settled");
	mail_sender_stop(s);
	all = taken();
	assert_int_equal(json_array_size(all), 2);
	assert_string_equal(text_of(json_array_get(all, 0), "subject"), "Now");
	assert_string_equal(
	    text_of(json_array_get(all, 1), "subject"), "Later");
	json_decref(all);
	assert_true(log_has("mail_refused"));
	assert_true(log_has("550 5.1.1"));
	assert_true(log_has("451 4.7.1"));
	server_stop();
}

static void
given_up(void **state)
{
	struct mail_sender *s;

	(void)state;
	NEEDS_SERVER("none", "");
	use_server("smtp", "");
	conf.give_up_s = 1;
	s = sender();
	put("ann@x.example", "Hello", "Text\n", NULL);
	until(queue_empty, 20, "it is dropped");
	mail_sender_stop(s);
	assert_true(log_has("mail_delayed"));
	assert_true(log_has("mail_given_up"));
	assert_int_equal(taken_count(), 0);
	server_stop();
}

static bool
hanging(void)
{
	return taken_count() > 0;
}

/* A server that takes the message and says nothing: the try ends by its
 * deadline, and by the end of the process. */
static void
hangs(void **state)
{
	struct mail_sender *s;
	int64_t began;

	(void)state;
	NEEDS_SERVER("starttls", "");
	use_server("smtp", "");
	conf.timeout_ms = 700;
	s = sender();
	put("hang@x.example", "Hello", "Text\n", NULL);
	until(delayed, 20, "the deadline ends it");
	assert_int_equal(files("queue", ".mail"), 1);
	mail_sender_stop(s);
	server_stop();
	unlink(in_dir("messages"));
	NEEDS_SERVER("starttls", "");
	use_server("smtp", "");
	conf.timeout_ms = 60000;
	s = sender();
	until(hanging, 20, "it is tried again");
	began = clock_mono();
	mail_sender_stop(s);
	assert_true(clock_mono() - began < 5 * CLOCK_S);
	assert_int_equal(files("queue", ".mail"), 1); /* not lost */
	server_stop();
}

/* Two senders, as while job workers change, and a writer beside them: each
 * message once. */
static void
each_once(void **state)
{
	struct mail_sender *a, *b;
	char subject[32];
	json_t *all;
	int seen[40] = { 0 };

	(void)state;
	NEEDS_SERVER("starttls", "");
	use_server("smtp", "");
	a = sender();
	b = sender();
	for (int i = 0; i < 40; i++) {
		snprintf(subject, sizeof(subject), "%d", i);
		put("ann@x.example", subject, "Text\n", NULL);
	}
	until(queue_empty, 60, "all are sent");
	mail_sender_stop(a);
	mail_sender_stop(b);
	all = taken();
	assert_int_equal(json_array_size(all), 40);
	for (size_t i = 0; i < 40; i++)
		seen[strtol(
		    text_of(json_array_get(all, i), "subject"), NULL, 10)]++;
	for (int i = 0; i < 40; i++)
		assert_int_equal(seen[i], 1);
	json_decref(all);
	server_stop();
}

static void
no_server_at_all(void **state)
{
	struct err e = { 0 };
	struct mail m = {
		.to = "ann@x.example", .subject = "Hello", .text = "Text\n"
	};
	struct dirent *d = NULL;
	struct stat st;
	char path[512], text[2048];
	ssize_t n;
	DIR *sink;
	int fd;

	(void)state;
	use_server("smtp", "");
	conf.url = "";
	conf.from = "";
	assert_int_equal(mail_check(&conf, &e), 0);
	umask(0); /* whatever the process has */
	assert_int_equal(mail_put(&conf, &m, &e), 0);
	assert_int_equal(mail_put(&conf, &m, &e), 0);
	assert_int_equal(files("sink", ".eml"), 2);
	assert_int_equal(files("sink", ".tmp"), 0);
	sink = opendir(in_dir("sink"));
	assert_non_null(sink);
	while ((d = readdir(sink)) != NULL && d->d_name[0] == '.')
		continue;
	assert_non_null(d);
	snprintf(path, sizeof(path), "%s/%s", in_dir("sink"), d->d_name);
	closedir(sink);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(in_dir("sink"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(strncmp(text, "From: ", 6), 0);
	assert_non_null(strstr(text, "To: <ann@x.example>\r\n"));
	m.to = "x\r\ny@z";
	assert_int_equal(mail_put(&conf, &m, &e), -1);
	assert_int_equal(files("sink", ".eml"), 2);
	conf.sink_dir = "/proc/no/such";
	m.to = "ann@x.example";
	assert_int_equal(mail_put(&conf, &m, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static void
checks(void **state)
{
	static const struct {
		const char *url, *user, *file, *from, *complaint;
	} rows[] = {
		{ "smtp://m.example:587", "", "", "a@b.example", NULL },
		{ "smtps://m.example", "", "", "A <a@b.example>", NULL },
		{ "smtps://[2001:db8::1]:465", "", "", "a@b.example", NULL },
		{ "http://m.example", "", "", "a@b.example", "mail_url" },
		{ "m.example", "", "", "a@b.example", "mail_url" },
		{ "smtp://u:p@m.example", "", "", "a@b.example", "mail_user" },
		{ "smtp://m.example", "", "", "", "mail_from" },
		{ "smtp://m.example", "", "", "nobody", "mail_from" },
		{ "smtp://m.example", "u", "", "a@b.example",
		    "mail_password_file" },
		{ "smtp://m.example", "u", "/no/such", "a@b.example",
		    "mail_password_file: /no/such" },
		{ "smtp://m.example", "u", "/etc/passwd", "a@b.example",
		    "chmod 600" },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mail_conf c = { .url = rows[i].url,
			.user = rows[i].user,
			.password_file = rows[i].file,
			.from = rows[i].from };
		int rc;

		memset(&e, 0, sizeof(e));
		rc = mail_check(&c, &e);
		assert_int_equal(rc, rows[i].complaint == NULL ? 0 : -1);
		if (rc != 0 && strstr(e.text, rows[i].complaint) == NULL)
			fail_msg("row %zu: %s", i, e.text);
	}
}

/* --- around ------------------------------------------------------------------
 */

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sb-test-mail-XXXXXX");
	return mkdtemp(dir) != NULL &&
	               log_open(in_dir("log"), LOG_DEBUG, NULL) == 0
	           ? 0
	           : -1;
}

static void
empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char name[512];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		unlink(name);
	}
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

static int
teardown(void **state)
{
	(void)state;
	empty(in_dir("queue"));
	empty(in_dir("sink"));
	empty(dir);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(starttls_login_and_every_byte),
		TEST(smtps),
		TEST(no_tls_no_mail),
		TEST(untrusted_certificate),
		TEST(wrong_name),
		TEST(wrong_password),
		TEST(loopback),
		TEST(refused_and_later),
		TEST(given_up),
		TEST(hangs),
		TEST(each_once),
		TEST(no_server_at_all),
		TEST(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
