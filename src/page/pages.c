/* A folder of templates. */
#include "page/pages.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "page/mustache.h"
#include "page/texts.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define SUFFIX ".html"

/* Without these no page is whole. */
static const char *const needed[] = { "tabler_min_css", "site_css",
	"htmx_min_js", "console_js", "passkey_js" };
static const char *const needed_files[] = { "tabler.min.css", "site.css",
	"htmx.min.js", "console.js", "passkey.js" };

struct pages {
	struct mustache *set;
	struct asset *assets;
	json_t *asset_names;
	json_t *texts[PAGES_LANGS];
};

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
	rc = asset_read(path, &b, e);
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
	return is_page(name) || asset_file(name) || texts_file(name);
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

static int
add_assets(struct pages *p, const char *dir, struct err *e)
{
	if (assets_load(p, dir, &p->assets, p->asset_names, e) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (json_object_get(p->asset_names, needed[i]) == NULL)
			return err_set(e, ERR_INVALID, "%s/%s: %s", dir,
			    needed_files[i], strerror(ENOENT));
	return 0;
}

int
pages_load(const char *dir, struct pages **ret, struct err *e)
{
	struct pages *p = mem_new(NULL, struct pages);

	p->set = mustache_new(p, true);
	p->asset_names = json_object();
	if (add_pages(p, dir, e) != 0 || add_assets(p, dir, e) != 0 ||
	    texts_load(p, dir, p->texts, e) != 0) {
		pages_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void
pages_free(struct pages *p)
{
	if (p == NULL)
		return;
	json_decref(p->asset_names);
	for (int i = 0; i < PAGES_LANGS; i++)
		json_decref(p->texts[i]);
	mem_free(p);
}

int
pages_render(const struct pages *p, const char *name, const json_t *data,
    struct buf *out, struct err *e)
{
	return mustache_render(p->set, name, data, out, e);
}

json_t *
pages_texts(const struct pages *p, enum pages_lang lang)
{
	return p->texts[lang];
}

const char *
pages_text(const struct pages *p, enum pages_lang lang, const char *name)
{
	return texts_find(p->texts[lang], name);
}

json_t *
pages_assets(const struct pages *p)
{
	return p->asset_names;
}

const struct asset *
pages_asset(const struct pages *p, const char *name)
{
	return assets_find(p->assets, name);
}
