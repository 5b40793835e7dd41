/* Putting a message into the queue, or into a file for the operator. */
#include "mail/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/smtp.h"
#include "util/auto.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

static int
check_password_file(const char *file, struct err *e)
{
	struct stat st;

	if (stat(file, &st) != 0)
		return err_set(e, ERR_INVALID, "mail_password_file: %s: %s",
		    file, strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return err_set(e, ERR_INVALID,
		    "mail_password_file: %s: others can read it, or it is no "
		    "regular file; chmod 600",
		    file);
	return 0;
}

int
mail_check(const struct mail_conf *c, struct err *e)
{
	char *from;

	if (*c->url == '\0')
		return 0;
	if (smtp_check_url(c->url, e) != 0)
		return err_prefix(e, "mail_url");
	from = mail_address_of(NULL, c->from);
	mem_free(from);
	if (from == NULL)
		return err_set(e, ERR_INVALID,
		    "mail_from: an address, or \"Name <address>\", is needed "
		    "where mail_url is set");
	if ((*c->user == '\0') != (*c->password_file == '\0'))
		return err_set(e, ERR_INVALID,
		    "mail_user and mail_password_file: one without the other");
	return *c->user != '\0' ? check_password_file(c->password_file, e) : 0;
}

/* --- files -------------------------------------------------------------------
 */

static int
dir_open(const char *path, struct err *e)
{
	int fd;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_set(
		    e, ERR_UNAVAILABLE, "mail: %s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd
	               : err_set(e, ERR_UNAVAILABLE, "mail: %s: %s", path,
			     strerror(errno));
}

static bool
is_full(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d == NULL)
		return false; /* the write will say what is wrong */
	while (n <= MAIL_QUEUE_MAX && readdir(d) != NULL)
		n++;
	closedir(d);
	return n > MAIL_QUEUE_MAX;
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* ${head} and ${text} as one file that appears when it is whole. */
static int
file_put(int dir, const char *suffix, const char *head, const char *text,
    size_t len, struct err *e)
{
	char id[UUID_TEXT], tmp[64], name[64];
	struct uuid u;
	bool ok;
	int fd;

	id_new(&u);
	id_format(&u, id);
	snprintf(tmp, sizeof(tmp), ".tmp-%s", id);
	snprintf(name, sizeof(name), "%s%s", id, suffix);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_UNAVAILABLE, "mail: %s", strerror(errno));
	ok = write_all(fd, head, strlen(head)) == 0 &&
	     write_all(fd, text, len) == 0;
	ok = close(fd) == 0 && ok;
	if (ok && renameat(dir, tmp, dir, name) == 0)
		return 0;
	err_set(e, ERR_UNAVAILABLE, "mail: %s", strerror(errno));
	unlinkat(dir, tmp, 0);
	return -1;
}

static int
put_message(
    const struct mail_conf *c, const struct mail *m, void *ctx, struct err *e)
{
	bool sink = *c->url == '\0';
	auto_fd dir = -1;
	char *text, *from;
	size_t len = 0;

	if (mail_message(ctx, m, &text, &len, e) != 0)
		return -1;
	dir = dir_open(sink ? c->sink_dir : c->queue_dir, e);
	if (dir < 0)
		return -1;
	if (is_full(dir))
		return err_set(e, ERR_UNAVAILABLE,
		    "mail: %d messages wait already", MAIL_QUEUE_MAX);
	if (sink)
		return file_put(dir, ".eml", "", text, len, e);
	from = mail_address_of(ctx, m->from);
	return file_put(dir, ".mail", mem_printf(ctx, "%s\n%s\n", from, m->to),
	    text, len, e);
}

int
mail_put(const struct mail_conf *c, const struct mail *given, struct err *e)
{
	void *ctx = mem_root("mail");
	struct mail m = *given;
	int rc;

	if (m.from == NULL)
		/* A file needs no address that works. */
		m.from = *c->from != '\0' ? c->from : "switchboard@localhost";
	rc = put_message(c, &m, ctx, e);
	mem_free(ctx);
	return rc;
}
