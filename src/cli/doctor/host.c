/* Files, directories, sockets and limits of this machine. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/template.h"
#include "cli/cli.h"
#include "cli/doctor/exam.h"
#include "conf/conf.h"
#include "db/journal.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/limit.h"
#include "util/mem.h"

#include "util/banned.h"

#define JOURNAL_AGE 60 /* s; older than any restart of a database */

/* A file that holds secrets: there, and nobody else's to read. */
static void
exam_secret_file(struct exam *x, const char *check, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		exam_fail(x, check,
		    "put the file back from your backup; where there is none, "
		    "\"switchboard init --keep\" makes a new one",
		    "%s: %s", path, strerror(errno));
	else if ((st.st_mode & 077) != 0)
		exam_fail(x, check,
		    mem_printf(x->c->ctx,
			"chmod 600 %s, and think about who has read it", path),
		    "%s: mode %03o, others may read it", path,
		    (unsigned)st.st_mode & 0777);
	else if (access(path, R_OK) != 0)
		exam_warn(x, check,
		    "run the doctor as the server's user: it shall be able to "
		    "read the file, and nobody else",
		    "%s: you cannot read it", path);
	else
		exam_ok(x, check, "%s", path);
}

static void
exam_dir(struct exam *x, const char *check, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		exam_fail(x, check,
		    "start switchboardd, which makes it; or make it and give "
		    "it to the server's user",
		    "%s: %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		exam_fail(x, check, "a directory must be there",
		    "%s: no directory", path);
	else if ((st.st_mode & 07) != 0)
		exam_fail(x, check, mem_printf(x->c->ctx, "chmod o= %s", path),
		    "%s: mode %03o, open to everybody", path,
		    (unsigned)st.st_mode & 0777);
	else
		exam_ok(x, check, "%s", path);
}

static void
exam_templates(struct exam *x)
{
	struct templates *t;
	struct err e = { 0 };

	if (cli_templates(x->c, &t, &e) != 0) {
		exam_fail(x, "agent templates",
		    "mend the file, or copy the installed ones "
		    "(agent_templates in the data folder)",
		    "%s", e.text);
		return;
	}
	exam_ok(x, "agent templates", "%d in %s", templates_count(t),
	    x->conf->templates_dir);
	templates_free(t);
}

void
exam_files(struct exam *x)
{
	exam_secret_file(x, "master key", x->conf->master_key_file);
	exam_templates(x);
	exam_dir(x, "run directory", x->conf->run_dir);
	exam_dir(x, "state directory", x->conf->state_dir);
}

/* Does somebody listen there, and can the web server reach it? */
static void
exam_socket(struct exam *x, const char *name)
{
	char *path = mem_printf(x->c->ctx, "%s/%s", x->conf->run_dir, name);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_fd fd = -1;
	struct stat st;

	if (strlen(path) >= sizeof a.sun_path) {
		exam_fail(x, name, "a shorter run_dir",
		    "%s: too long for a socket", path);
		return;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		exam_fail(x, name,
		    errno == EACCES
			? "run the doctor as the server's user or root"
			: "start switchboardd; its log says why it does not",
		    "%s: %s", path, strerror(errno));
	else if (stat(path, &st) == 0 && (st.st_mode & 07) != 0)
		exam_warn(x, name, "socket_mode = 660",
		    "%s: mode %03o, everybody on this machine may connect",
		    path, (unsigned)st.st_mode & 0777);
	else
		exam_ok(x, name, "%s", path);
}

void
exam_sockets(struct exam *x)
{
	exam_socket(x, "chat.sock");
	exam_socket(x, "admin.sock");
	exam_socket(x, "health.sock");
}

/* The master of run_dir holds a lock there; 0: nobody does. */
static pid_t
master_pid(const struct exam *x)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_fd fd =
	    open(mem_printf(x->c->ctx, "%s/master.lock", x->conf->run_dir),
		O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fcntl(fd, F_GETLK, &fl) != 0 || fl.l_type == F_UNLCK)
		return 0;
	return fl.l_pid > 0 ? fl.l_pid : 0;
}

void
exam_limits(struct exam *x)
{
	static const struct {
		const char *check, *todo;
	} says[LIMITS] = {
		[LIMIT_NOFILE] = { "open files",
		    "LimitNOFILE=131072 in the unit, or ulimit -n before the "
		    "start" },
		[LIMIT_NPROC] = { "processes of the user",
		    "LimitNPROC=infinity in the unit, or ulimit -u before the "
		    "start" },
		[LIMIT_CGROUP] = { "tasks of the control group",
		    "TasksMax=infinity in the unit, or the container's pids "
		    "limit" },
		[LIMIT_THREADS_MAX] = { "threads of the kernel",
		    "sysctl kernel.threads-max" },
		[LIMIT_PID_MAX] = { "process ids", "sysctl kernel.pid_max" },
		[LIMIT_MAPS] = { "memory maps", "sysctl vm.max_map_count" },
	};
	unsigned workers =
	    (unsigned)(x->conf->chat_workers + x->conf->admin_workers);
	long long wanted = x->conf->threads;
	pid_t master = master_pid(x);
	struct limit limit[LIMITS];

	limit_read(master, master == 0, workers, limit);
	for (int i = 0; i < LIMITS; i++) {
		char value[32] = "unlimited";

		if (limit[i].value != LLONG_MAX)
			snprintf(value, sizeof value, "%lld", limit[i].value);
		if (limit[i].threads < wanted)
			exam_warn(x, says[i].check, says[i].todo,
			    "%s %s %s allows each worker %lld of its %lld "
			    "threads",
			    limit[i].name,
			    master == 0 ? "here is" : "of the server is", value,
			    limit[i].threads, wanted);
		else
			exam_ok(
			    x, says[i].check, "%s %s", limit[i].name, value);
	}
}

void
exam_dead_letters(struct exam *x)
{
	char *path =
	    mem_printf(x->c->ctx, "%s/dead-letters.jsonl", x->conf->state_dir);
	FILE *f = fopen(path, "re");
	long long lines = 0;
	int ch;

	if (f == NULL && errno != ENOENT) {
		exam_warn(x, "dead letters",
		    "run the doctor as the server's user or root", "%s: %s",
		    path, strerror(errno));
		return;
	}
	while (f != NULL && (ch = getc(f)) != EOF)
		lines += ch == '\n';
	if (f != NULL)
		fclose(f);
	if (lines == 0)
		exam_ok(x, "dead letters", "none");
	else
		exam_warn(x, "dead letters",
		    "each line says why, and holds all of its turn: put it "
		    "into the database by hand, then move the file away",
		    "%s: %lld turns that the database refused", path, lines);
}

void
exam_journals(struct exam *x)
{
	char *dir = mem_printf(x->c->ctx, "%s/journal", x->conf->state_dir);
	long long max = x->conf->journal_max, age = 0;
	struct journal_state s;
	struct err e = { 0 };

	if (journal_look(dir, &s, &e) != 0) {
		exam_warn(x, "journals",
		    "run the doctor as the server's user or root", "%s",
		    e.text);
		return;
	}
	if (s.oldest_us != 0)
		age = (clock_wall_us() - s.oldest_us) / 1000000;
	if (s.damaged > 0)
		exam_warn(x, "journals",
		    "what could be read is in the database; the files are kept "
		    "for you to look at, then move them away",
		    "%s: %u files could not be read as a whole", dir,
		    s.damaged);
	else if (s.files == 0)
		exam_ok(x, "journals", "nothing waits for the database");
	else if (age < JOURNAL_AGE)
		exam_ok(x, "journals", "%lld of %lld bytes wait, for %lld s",
		    (long long)s.bytes, max, age);
	else
		exam_fail(x, "journals",
		    "see why the database does not take them (above, and "
		    "\"writer_failed\" in the log); they are stored by "
		    "themselves as soon as it does",
		    "%s: %lld of %lld bytes wait for the database, the oldest "
		    "for %lld s",
		    dir, (long long)s.bytes, max, age);
}
