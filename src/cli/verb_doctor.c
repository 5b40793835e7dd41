/*
 * switchboard doctor: look at each part of an installation and say what is
 * wrong with it and what to do.  Changes nothing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/template.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "db/db.h"
#include "db/journal.h"
#include "db/migrate.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define JOURNAL_AGE 60 /* s; older than any restart of a database */

struct exam {
	struct cli *c;
	const struct conf *conf;
	json_t *rows;
	bool sick;
};

static const struct out_col cols[] = { { "check", "CHECK" }, { "ok", "OK" },
	{ "detail", "DETAIL" }, { NULL, NULL } };

static void __attribute__((format(printf, 4, 5)))
note(struct exam *x, const char *check, bool ok, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_array_append_new(
	    x->rows, json_pack("{s:s, s:b, s:s}", "check", check, "ok", (int)ok,
			 "detail", text));
	x->sick = x->sick || !ok;
}

/* A file that holds secrets: there, and nobody else's to read. */
static void
exam_secret_file(struct exam *x, const char *check, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		note(x, check, false, "%s: %s", path, strerror(errno));
	else if ((st.st_mode & 077) != 0)
		note(x, check, false,
		    "%s: mode %03o, others may read it: chmod 600", path,
		    (unsigned)st.st_mode & 0777);
	else
		note(x, check, true, "%s", path);
}

static void
exam_roles(struct exam *x)
{
	static const char *const roles[] = { "sb_owner", "sb_chat", "sb_admin",
		"sb_writer", "sb_job" };

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		char *check = mem_printf(x->c->ctx, "database as %s", roles[i]);
		struct err e = { 0 };
		struct db_pool *db;
		int64_t before = clock_mono();

		if (cli_db_as(x->c, roles[i], &db, &e) != 0) {
			note(x, check, false, "%s", e.text);
			continue;
		}
		if (db_ping(db, clock_mono() + 5 * CLOCK_S, &e) != 0)
			note(x, check, false, "%s", e.text);
		else
			note(x, check, true, "answers in %lld ms",
			    (long long)((clock_mono() - before) / CLOCK_MS));
		db_pool_free(db);
	}
}

static void
exam_schema(struct exam *x)
{
	struct err e = { 0 };

	if (migrate_check(x->conf->database_url, "sb_admin", &e) != 0)
		note(x, "schema", false, "%s", e.text);
	else
		note(x, "schema", true, "is what this version knows");
}

static void
exam_templates(struct exam *x)
{
	struct templates *t;
	struct err e = { 0 };

	if (cli_templates(x->c, &t, &e) != 0) {
		note(x, "agent templates", false, "%s", e.text);
		return;
	}
	note(x, "agent templates", true, "%d in %s", templates_count(t),
	    x->conf->templates_dir);
	templates_free(t);
}

static void
exam_dir(struct exam *x, const char *check, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		note(x, check, false, "%s: %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		note(x, check, false, "%s: no directory", path);
	else if ((st.st_mode & 07) != 0)
		note(x, check, false, "%s: mode %03o, open to everybody", path,
		    (unsigned)st.st_mode & 0777);
	else
		note(x, check, true, "%s", path);
}

/* Turns that wait for the database, and what a human must see to. */
static void
exam_journals(struct exam *x)
{
	char *dir = mem_printf(x->c->ctx, "%s/journal", x->conf->state_dir);
	int64_t max = x->conf->journal_max, age;
	struct journal_state s;
	struct err e = { 0 };

	if (journal_look(dir, &s, &e) != 0) {
		note(x, "journals", false, "%s", e.text);
		return;
	}
	age = s.oldest_us == 0 ? 0 : (clock_wall_us() - s.oldest_us) / 1000000;
	if (s.damaged > 0)
		note(x, "journals", false,
		    "%s: %u files could not be read as a whole and are kept",
		    dir, s.damaged);
	else if (s.files == 0)
		note(x, "journals", true, "%s: nothing waits", dir);
	else
		note(x, "journals", age < JOURNAL_AGE,
		    "%s: %lld of %lld bytes wait for the database, the oldest "
		    "for %lld s",
		    dir, (long long)s.bytes, (long long)max, (long long)age);
}

/* Turns that no database would take: for a human to see to. */
static void
exam_dead_letters(struct exam *x)
{
	char *path =
	    mem_printf(x->c->ctx, "%s/dead-letters.jsonl", x->conf->state_dir);
	struct stat st;

	if (stat(path, &st) != 0)
		note(x, "dead letters", errno == ENOENT, "%s: %s", path,
		    errno == ENOENT ? "none" : strerror(errno));
	else if (st.st_size > 0)
		note(x, "dead letters", false,
		    "%s: %lld bytes of turns that were refused", path,
		    (long long)st.st_size);
	else
		note(x, "dead letters", true, "%s is empty", path);
}

/* Does somebody listen there? */
static void
exam_socket(struct exam *x, const char *name)
{
	char *path = mem_printf(x->c->ctx, "%s/%s", x->conf->run_dir, name);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof a.sun_path) {
		note(x, name, false, "%s: too long for a socket", path);
		return;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		note(x, name, false, "%s: %s; is switchboardd running?", path,
		    strerror(errno));
	else
		note(x, name, true, "%s", path);
	if (fd >= 0)
		close(fd);
}

int
verb_doctor(struct cli *c, struct err *e)
{
	struct exam x = { .c = c };

	if (cli_conf(c, &x.conf, e) != 0)
		return -1;
	x.rows = json_array();
	note(&x, "configuration", true, "%s", x.conf->file);
	exam_secret_file(&x, "master key", x.conf->master_key_file);
	exam_roles(&x);
	exam_schema(&x);
	exam_templates(&x);
	exam_dir(&x, "run directory", x.conf->run_dir);
	exam_dir(&x, "state directory", x.conf->state_dir);
	exam_journals(&x);
	exam_dead_letters(&x);
	exam_socket(&x, "chat.sock");
	exam_socket(&x, "admin.sock");
	exam_socket(&x, "health.sock");
	out_list(c, x.rows, cols);
	if (!x.sick)
		return 0;
	/* The list says it all: with --json nothing may follow it. */
	if (c->json) {
		c->silent = true;
		return -1;
	}
	return err_set(e, ERR_CONFLICT, "something is wrong, see above");
}
