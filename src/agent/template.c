/*
 * The set of templates.  Each is counted on its own, so that a new set can go
 * on with the old template of a file that has become bad.
 */
#include "agent/template.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/yaml.h"
#include "util/auto.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define TEMPLATES_MAX 256
#define SUFFIX ".yaml"

struct counted {
	struct agent_template *t; /* below this */
	atomic_uint refs;
};

struct templates {
	struct counted *list[TEMPLATES_MAX];
	int n;
};

/* A file being read. */
struct load {
	const char *dir, *file;
	char type[64]; /* its base name */
	void *ctx;
};

bool
template_tool_built(const char *name)
{
	static const char *const built[] = { "product_search" };

	for (size_t i = 0; i < sizeof(built) / sizeof(built[0]); i++)
		if (strcmp(name, built[i]) == 0)
			return true;
	return false;
}

static void
counted_unref(struct counted *c)
{
	if (atomic_fetch_sub(&c->refs, 1) == 1)
		mem_free(c);
}

/* The whole file into ${b}. */
static int
read_file(const char *path, struct buf *b, struct err *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char block[8192];
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_INVALID, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s: not a regular file", path);
	for (;;) {
		n = read(fd, block, sizeof(block));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(
			    e, ERR_INVALID, "%s: %s", path, strerror(errno));
		if (n == 0)
			break;
		buf_add(b, block, (size_t)n);
		if (buf_failed(b))
			return err_set(e, ERR_INVALID,
			    "%s:1: more than %zu KiB", path,
			    AGENT_YAML_MAX / 1024);
	}
	return 0;
}

static struct counted *
load_file(const struct load *l, struct err *e)
{
	char *path = mem_printf(l->ctx, "%s/%s", l->dir, l->file);
	struct counted *c;
	struct buf b;

	if (!str_is_name(l->type)) {
		err_set(e, ERR_INVALID,
		    "%s:1: the file's name is no agent type: lower-case "
		    "letters, digits and _",
		    path);
		return NULL;
	}
	buf_init(&b, l->ctx, AGENT_YAML_MAX);
	if (read_file(path, &b, e) != 0)
		return NULL;
	c = mem_new(NULL, struct counted);
	atomic_init(&c->refs, 1);
	if (template_parse(c, b.data, b.len, path, &c->t, e) != 0) {
		mem_free(c);
		return NULL;
	}
	if (strcmp(c->t->agent_type, l->type) != 0) {
		err_set(e, ERR_INVALID,
		    "%s:1: agent_type is \"%s\", but the file's name says "
		    "\"%s\"",
		    path, c->t->agent_type, l->type);
		mem_free(c);
		return NULL;
	}
	return c;
}

static struct counted *
find(const struct templates *ts, const char *type)
{
	for (int i = 0; ts != NULL && i < ts->n; i++)
		if (strcmp(ts->list[i]->t->agent_type, type) == 0)
			return ts->list[i];
	return NULL;
}

static int
wanted(const struct dirent *d)
{
	size_t n = strlen(d->d_name), suffix = strlen(SUFFIX);

	return d->d_name[0] != '.' && n > suffix &&
	       strcmp(d->d_name + n - suffix, SUFFIX) == 0;
}

static void
load_one(struct templates *ts, struct load *l, const struct templates *old,
    void (*report)(void *, const char *), void *arg)
{
	size_t n = strlen(l->file) - strlen(SUFFIX);
	struct err e = { 0 };
	struct counted *c;

	/* A name too long for a type becomes one that is none. */
	snprintf(l->type, sizeof(l->type), "%.*s",
	    n < sizeof(l->type) ? (int)n : 0, l->file);
	c = load_file(l, &e);
	if (c == NULL) {
		const char *then = "there are no agents of this type";

		c = find(old, l->type);
		if (c != NULL) {
			atomic_fetch_add(&c->refs, 1);
			then = "the template read before stays";
		}
		report(arg, mem_printf(l->ctx, "%s; %s", e.text, then));
	}
	if (c != NULL)
		ts->list[ts->n++] = c;
}

int
templates_load(const char *dir, const struct templates *old,
    void (*report)(void *arg, const char *text), void *arg,
    struct templates **ret, struct err *e)
{
	struct load l = { .dir = dir };
	struct templates *ts;
	struct dirent **files;
	int n = scandir(dir, &files, wanted, alphasort);

	if (n < 0)
		return err_set(e, ERR_INVALID, "templates_dir %s: %s", dir,
		    strerror(errno));
	ts = mem_new(NULL, struct templates);
	l.ctx = mem_root("templates_load");
	for (int i = 0; i < n; i++) {
		l.file = files[i]->d_name;
		if (ts->n < TEMPLATES_MAX)
			load_one(ts, &l, old, report, arg);
		free(files[i]);
	}
	free(files);
	mem_free(l.ctx);
	if (ts->n == 0) {
		templates_free(ts);
		return err_set(e, ERR_INVALID,
		    "templates_dir %s holds no template that can be used", dir);
	}
	*ret = ts;
	return 0;
}

void
templates_free(struct templates *ts)
{
	if (ts == NULL)
		return;
	for (int i = 0; i < ts->n; i++)
		counted_unref(ts->list[i]);
	mem_free(ts);
}

const struct agent_template *
templates_find(const struct templates *ts, const char *agent_type)
{
	const struct counted *c = find(ts, agent_type);

	return c != NULL ? c->t : NULL;
}

int
templates_count(const struct templates *ts)
{
	return ts->n;
}

const struct agent_template *
templates_at(const struct templates *ts, int i)
{
	return i >= 0 && i < ts->n ? ts->list[i]->t : NULL;
}
