/*
 * Workers of one generation must not differ in their templates because a file
 * was spoilt between two starts; so what was accepted lies beside the sockets,
 * on a file system that does not outlive the machine.
 */
#include "daemon/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/template.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "page/pages.h"
#include "telemetry/log.h"
#include "util/auto.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define FILE_MAX (4 << 20)
#define PATH_SIZE 512

static void
report_refused(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_ERROR, "template_refused", "error", text, NULL);
}

static void
report_nothing(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static int
file_read(const char *path, struct buf *b)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char part[8192];
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_add(b, part, (size_t)n);
	return n < 0 || buf_failed(b) ? -1 : 0;
}

static int
file_write(const char *path, const struct buf *b)
{
	char fresh[PATH_SIZE + 32];
	ssize_t n;
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.%ld", path, (long)getpid());
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	n = write(fd, b->data, b->len);
	if (close(fd) != 0 || n < 0 || (size_t)n != b->len ||
	    rename(fresh, path) != 0) {
		unlink(fresh);
		return -1;
	}
	return 0;
}

static void
file_hash(const struct buf *b, char out[65])
{
	unsigned char hash[32];

	crypto_sha256(b->data, b->len, hash);
	str_hex(hash, sizeof(hash), out);
}

/* Copy the file of ${t}, if it still is what was accepted. */
static void
keep_one(const char *from, const char *to, const struct agent_template *t)
{
	void *ctx = mem_root("template");
	char *source, *target, hash[65];
	struct buf have, want;

	buf_init(&have, ctx, FILE_MAX);
	buf_init(&want, ctx, FILE_MAX);
	source = mem_printf(ctx, "%s/%s.yaml", from, t->agent_type);
	target = mem_printf(ctx, "%s/%s.yaml", to, t->agent_type);
	if (file_read(target, &have) == 0) {
		file_hash(&have, hash);
		if (strcmp(hash, t->hash) == 0) {
			mem_free(ctx);
			return;
		}
	}
	if (file_read(source, &want) == 0) {
		file_hash(&want, hash);
		if (strcmp(hash, t->hash) == 0 &&
		    file_write(target, &want) != 0)
			log_event(LOG_WARN, "template_not_kept", "file", target,
			    "error", strerror(errno), NULL);
	}
	mem_free(ctx);
}

int
keep_templates(const struct conf *c, struct templates **ret, struct err *e)
{
	struct templates *old = NULL, *now = NULL;
	char dir[PATH_SIZE];
	int i, rc;

	snprintf(dir, sizeof(dir), "%s/templates", c->run_dir);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		log_event(LOG_WARN, "template_not_kept", "file", dir, "error",
		    strerror(errno), NULL);
	if (templates_load(dir, NULL, report_nothing, NULL, &old, NULL) != 0)
		old = NULL;
	rc = templates_load(
	    c->templates_dir, old, report_refused, NULL, &now, e);
	if (rc != 0 && old != NULL) {
		log_event(
		    LOG_ERROR, "templates_refused", "error", e->text, NULL);
		*ret = old;
		return 0;
	}
	templates_free(old);
	if (rc != 0)
		return -1;
	for (i = 0; i < templates_count(now); i++)
		keep_one(c->templates_dir, dir, templates_at(now, i));
	*ret = now;
	return 0;
}

/* Copy a page's file, unless the copy is the same. */
static void
keep_page(const char *from, const char *to, const char *name)
{
	void *ctx = mem_root("page");
	char *source = mem_printf(ctx, "%s/%s", from, name);
	char *target = mem_printf(ctx, "%s/%s", to, name);
	struct buf have, want;

	buf_init(&have, ctx, FILE_MAX);
	buf_init(&want, ctx, FILE_MAX);
	if (file_read(source, &want) == 0 &&
	    (file_read(target, &have) != 0 || have.len != want.len ||
		memcmp(have.data, want.data, want.len) != 0) &&
	    file_write(target, &want) != 0)
		log_event(LOG_WARN, "page_not_kept", "file", target, "error",
		    strerror(errno), NULL);
	mem_free(ctx);
}

static void
keep_all_pages(const char *from, const char *to)
{
	DIR *d = opendir(from);
	const struct dirent *entry;

	if (mkdir(to, 0700) != 0 && errno != EEXIST)
		log_event(LOG_WARN, "page_not_kept", "file", to, "error",
		    strerror(errno), NULL);
	while (d != NULL && (entry = readdir(d)) != NULL)
		if (pages_file(entry->d_name))
			keep_page(from, to, entry->d_name);
	if (d != NULL)
		(void)closedir(d);
}

int
keep_pages(const struct conf *c, struct pages **ret, struct err *e)
{
	char kept[PATH_SIZE];

	snprintf(kept, sizeof(kept), "%s/pages", c->run_dir);
	if (pages_load(c->page_templates_dir, ret, e) == 0) {
		keep_all_pages(c->page_templates_dir, kept);
		return 0;
	}
	log_event(LOG_ERROR, "pages_refused", "error", e->text, NULL);
	return pages_load(kept, ret, e);
}

struct check {
	void (*report)(void *arg, const char *text);
	void *arg;
	int bad;
};

static void
report_counted(void *arg, const char *text)
{
	struct check *k = arg;

	k->bad++;
	k->report(k->arg, text);
}

int
keep_check(const struct conf *c, void (*report)(void *arg, const char *text),
    void *arg)
{
	struct check k = { report, arg, 0 };
	struct templates *t = NULL;
	struct err e = { 0 };

	if (templates_load(
		c->templates_dir, NULL, report_counted, &k, &t, &e) != 0) {
		report_counted(&k, e.text);
		return -1;
	}
	templates_free(t);
	return k.bad == 0 ? 0 : -1;
}
