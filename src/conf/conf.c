/*
 * The configuration file.  A line is "name = value", a comment, or empty.
 *
 *	threads = 64                # white space and "#" start a comment
 *	log_file = "/var/log/a b"   # quotes keep "#" and spaces at the ends;
 *	                            # inside, \" and \\ stand for " and \
 *
 * The whole file is refused at its first error: the old configuration stays.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/param_priv.h"
#include "util/auto.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define FILE_MOST ((size_t)256 * 1024)
#define LINE_MOST 8192

struct reader {
	const char *name; /* of the file, for messages */
	unsigned line;
	struct conf *conf;
	unsigned *set; /* by parameter: the line that set it, 0 none */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * The value in s[0..n), with comment and quotes taken away, to out (n + 1
 * places).  0, or -1 with the reason.
 */
static int
read_value(const char *s, size_t n, char *out, struct err *e)
{
	size_t at = 0, len = 0;

	if (n == 0 || s[0] != '"') {
		while (at < n &&
		       !(s[at] == '#' && (at == 0 || is_blank(s[at - 1]))))
			at++;
		while (at > 0 && is_blank(s[at - 1]))
			at--;
		memcpy(out, s, at);
		out[at] = '\0';
		return 0;
	}
	for (at = 1; at < n && s[at] != '"'; at++) {
		if (s[at] == '\\') {
			if (++at == n || (s[at] != '"' && s[at] != '\\'))
				return err_set(e, ERR_INVALID,
				    "a backslash in quotes must be followed "
				    "by \\ or \"");
		}
		out[len++] = s[at];
	}
	if (at == n)
		return err_set(e, ERR_INVALID, "the closing quote is missing");
	out[len] = '\0';
	for (at++; at < n && is_blank(s[at]); at++)
		continue;
	if (at < n && s[at] != '#')
		return err_set(
		    e, ERR_INVALID, "something follows the closing quote");
	return 0;
}

static int
unknown_name(const char *name, struct err *e)
{
	const char *near = param_nearest(name);

	if (near != NULL)
		return err_set(e, ERR_INVALID,
		    "unknown parameter; did you mean %s?", near);
	return err_set(e, ERR_INVALID, "unknown parameter");
}

/* "name = value" in s[0..n), blanks at both ends gone. */
static int
read_assignment(struct reader *r, const char *s, size_t n, struct err *e)
{
	char name[64], value[LINE_MOST + 1];
	const struct param *p;
	size_t at = 0;

	while (at < n && s[at] != '=' && !is_blank(s[at]) && s[at] != '#')
		at++;
	(void)snprintf(name, sizeof(name), "%.*s", (int)at, s);
	while (at < n && is_blank(s[at]))
		at++;
	if (name[0] == '\0' || at == n || s[at] != '=') {
		(void)err_set(
		    e, ERR_INVALID, "not of the form \"name = value\"");
		return name[0] != '\0' ? err_prefix(e, "%s", name) : -1;
	}
	for (at++; at < n && is_blank(s[at]); at++)
		continue;
	p = param_find(name);
	if (p == NULL) {
		(void)unknown_name(name, e);
	} else if (r->set[p - params] > 0) {
		(void)err_set(e, ERR_INVALID, "already set in line %u",
		    r->set[p - params]);
	} else if (read_value(s + at, n - at, value, e) == 0 &&
		   param_store(r->conf, p, value, r->conf, e) == 0) {
		r->set[p - params] = r->line;
		return 0;
	}
	return err_prefix(e, "%s", name);
}

static int
read_line(struct reader *r, const char *s, size_t n, struct err *e)
{
	if (n > 0 && s[n - 1] == '\r')
		n--;
	if (n > LINE_MOST)
		return err_set(e, ERR_INVALID,
		    "the line has more than %d bytes", LINE_MOST);
	if (!str_utf8_valid(s, n))
		return err_set(e, ERR_INVALID, "not UTF-8");
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return err_set(e, ERR_INVALID,
			    "a control character is not allowed");
	while (n > 0 && is_blank(*s)) {
		s++;
		n--;
	}
	while (n > 0 && is_blank(s[n - 1]))
		n--;
	if (n == 0 || *s == '#')
		return 0;
	return read_assignment(r, s, n, e);
}

static int
read_lines(struct reader *r, const char *text, size_t len, struct err *e)
{
	const char *end = text + len;

	/* What editors of other systems put in front of UTF-8. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl != NULL ? nl : end) - text);

		r->line++;
		if (read_line(r, text, n, e) != 0)
			return err_prefix(e, "%s:%u", r->name, r->line);
		text += n + (nl != NULL);
	}
	return 0;
}

int
conf_parse(const void *ctx, const char *text, size_t len, const char *name,
    const struct conf **ret, struct err *e)
{
	struct conf *c = mem_new(ctx, struct conf);
	struct reader r = { .name = name, .conf = c };

	r.set = mem_array(c, unsigned, params_count);
	for (size_t i = 0; i < params_count; i++) {
		if (param_store(c, &params[i], params[i].def, c, e) != 0) {
			mem_free(c);
			return err_prefix(e, "default of %s", params[i].name);
		}
	}
	c->file = mem_strdup(c, name);
	if (len > FILE_MOST || read_lines(&r, text, len, e) != 0) {
		mem_free(c);
		if (len > FILE_MOST)
			return err_set(e, ERR_INVALID,
			    "%s: more than %zu bytes", name, FILE_MOST);
		return -1;
	}
	mem_free(r.set);
	*ret = c;
	return 0;
}

int
conf_read(
    const void *ctx, const char *path, const struct conf **ret, struct err *e)
{
	struct buf text;
	char piece[4096];
	ssize_t n;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID,
		    "%s: %m", path);
	buf_init(&text, ctx, FILE_MOST + sizeof(piece));
	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			buf_add(&text, piece, (size_t)n);
	} while ((n > 0 && text.len <= FILE_MOST) || (n < 0 && errno == EINTR));
	if (n < 0)
		rc = err_set(e, ERR_INVALID, "%s: %m", path);
	else if (buf_failed(&text))
		rc = err_set(e, ERR_INTERNAL, "%s: no memory", path);
	else
		rc = conf_parse(ctx, text.data, text.len, path, ret, e);
	buf_free(&text);
	return rc;
}

const char *
conf_path(const char *given)
{
	const char *env;

	if (given != NULL)
		return given;
	env = getenv("SB_CONF");
	if (env != NULL && env[0] != '\0')
		return env;
	return SB_SYSCONFDIR "/switchboard/switchboard.conf";
}

static bool
same_list(const char *const *a, const char *const *b)
{
	for (; *a != NULL && *b != NULL; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == *b;
}

static bool
same(const struct param *p, const struct conf *a, const struct conf *b)
{
	const void *x = (const char *)a + p->offset;
	const void *y = (const char *)b + p->offset;

	switch (p->type) {
	case PARAM_INT:
	case PARAM_SIZE:
	case PARAM_TIME:
		return *(const int64_t *)x == *(const int64_t *)y;
	case PARAM_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case PARAM_TEXT:
		return strcmp(*(const char *const *)x,
			   *(const char *const *)y) == 0;
	case PARAM_LIST:
		return same_list(*(const char *const *const *)x,
		    *(const char *const *const *)y);
	}
	return false;
}

const char *
conf_needs_restart(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < params_count; i++)
		if (params[i].restart && !same(&params[i], a, b))
			return params[i].name;
	return NULL;
}
