/* A folder of templates. */
#include "page/pages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "page/mustache.h"
#include "util/auto.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define STYLE "site.css"
#define SCRIPT "passkey.js"
#define SUFFIX ".html"

struct pages {
	struct mustache *set;
	struct buf style, script;
	char style_name[32], script_name[32];
};

static int
read_file(const char *path, struct buf *b, struct err *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char part[8192];
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
		buf_add(b, part, (size_t)n);
	if (n < 0)
		return err_set(e, ERR_INVALID, "%s: %s", path, strerror(errno));
	return buf_failed(b) ? err_set(e, ERR_INVALID,
				   "%s: longer than %zu bytes", path, b->max)
	                     : 0;
}

/* "login:3: what" becomes "DIR/login.html:3: what". */
static int
say_file(const char *dir, struct err *e)
{
	char text[sizeof(e->text)];
	size_t n;

	if (e == NULL)
		return -1;
	memcpy(text, e->text, sizeof(text));
	n = strcspn(text, ":");
	return err_set(
	    e, ERR_INVALID, "%s/%.*s" SUFFIX "%s", dir, (int)n, text, text + n);
}

static int
add_page(struct pages *p, const char *dir, const char *file, struct err *e)
{
	char *path = mem_printf(p, "%s/%s", dir, file);
	char *name = mem_strndup(p, file, strlen(file) - (sizeof(SUFFIX) - 1));
	struct buf b;
	int rc;

	buf_init(&b, p, MUSTACHE_TEXT_MAX);
	rc = read_file(path, &b, e);
	if (rc == 0 && mustache_add(p->set, name, b.data != NULL ? b.data : "",
			   b.len, e) != 0)
		rc = say_file(dir, e);
	buf_free(&b);
	mem_free(name);
	mem_free(path);
	return rc;
}

static bool
is_page(const char *file)
{
	size_t n = strlen(file);

	return *file != '.' && n > sizeof(SUFFIX) - 1 &&
	       strcmp(file + n - (sizeof(SUFFIX) - 1), SUFFIX) == 0;
}

bool
pages_file(const char *name)
{
	return is_page(name) || strcmp(name, STYLE) == 0 ||
	       strcmp(name, SCRIPT) == 0;
}

static int
add_pages(struct pages *p, const char *dir, struct err *e)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int rc = 0, n = 0;

	if (d == NULL)
		return err_set(e, ERR_INVALID, "%s: %s", dir, strerror(errno));
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (is_page(entry->d_name)) {
			rc = add_page(p, dir, entry->d_name, e);
			n++;
		}
	(void)closedir(d);
	if (rc == 0 && n == 0)
		rc = err_set(
		    e, ERR_INVALID, "%s: there are no pages in it", dir);
	if (rc == 0 && mustache_check(p->set, e) != 0)
		rc = say_file(dir, e);
	return rc;
}

/* A file that is sent as it is, under a name with its hash:
 * "site-0123abcd.css".
 */
static int
add_asset(struct pages *p, const char *dir, const char *file, struct buf *b,
    char name[32], struct err *e)
{
	char *path = mem_printf(p, "%s/%s", dir, file);
	size_t stem = strcspn(file, ".");
	unsigned char hash[32];
	char hex[9];

	buf_init(b, p, MUSTACHE_TEXT_MAX);
	if (read_file(path, b, e) != 0)
		return -1;
	crypto_sha256(b->data, b->len, hash);
	str_hex(hash, 4, hex);
	snprintf(name, 32, "%.*s-%s%s", (int)stem, file, hex, file + stem);
	return 0;
}

int
pages_load(const char *dir, struct pages **ret, struct err *e)
{
	struct pages *p = mem_new(NULL, struct pages);

	p->set = mustache_new(p, true);
	if (add_pages(p, dir, e) != 0 ||
	    add_asset(p, dir, STYLE, &p->style, p->style_name, e) != 0 ||
	    add_asset(p, dir, SCRIPT, &p->script, p->script_name, e) != 0) {
		mem_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void
pages_free(struct pages *p)
{
	mem_free(p);
}

int
pages_render(const struct pages *p, const char *name, const json_t *data,
    struct buf *out, struct err *e)
{
	return mustache_render(p->set, name, data, out, e);
}

const char *
pages_style_name(const struct pages *p)
{
	return p->style_name;
}

const char *
pages_style(const struct pages *p, size_t *len)
{
	*len = p->style.len;
	return p->style.data;
}

const char *
pages_script_name(const struct pages *p)
{
	return p->script_name;
}

const char *
pages_script(const struct pages *p, size_t *len)
{
	*len = p->script.len;
	return p->script.data;
}
