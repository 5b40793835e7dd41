/* The pages as they are shipped: each is well-formed and prints what it is
 * given as text; a folder that is not good is refused by file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "page/pages.h"
#include "util/mem.h"

#include "util/banned.h"

#define EVIL "<b>\"'><script>alert(1)</script>{{me.email}}%s%n"

static const char *const names[] = { "code", "factor", "forgotten", "insecure",
	"login", "logout", "me", "password", "problem", "recovery", "sent" };
static void *ctx;
static char dir[64];

static int
begin(void **state)
{
	(void)state;
	ctx = mem_root("test");
	snprintf(dir, sizeof(dir), "/tmp/sb-pages-XXXXXX");
	return crypto_setup(NULL) == 0 && mkdtemp(dir) != NULL ? 0 : -1;
}

static int
end(void **state)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;

	(void)state;
	while (d != NULL && (entry = readdir(d)) != NULL)
		(void)unlink(mem_printf(ctx, "%s/%s", dir, entry->d_name));
	if (d != NULL)
		(void)closedir(d);
	mem_free(ctx);
	return rmdir(dir);
}

static void
link_all(const char *from)
{
	DIR *d = opendir(from);
	const struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		if (pages_file(entry->d_name))
			assert_int_equal(
			    symlink(
				mem_printf(ctx, "%s/%s", from, entry->d_name),
				mem_printf(ctx, "%s/%s", dir, entry->d_name)),
			    0);
	(void)closedir(d);
}

static struct pages *
shipped(void)
{
	const char *src = getenv("srcdir");
	char here[PATH_MAX], source[PATH_MAX];
	struct err e = { 0 };
	struct pages *p;

	/* As an installation lays them together: ours and the build's. */
	assert_non_null(getcwd(here, sizeof(here)));
	link_all(mem_printf(ctx, "%s/templates/pages",
	    realpath(src != NULL ? src : ".", source)));
	link_all(mem_printf(ctx, "%s/front", here));
	if (pages_load(dir, &p, &e) != 0)
		fail_msg("%s", e.text);
	return p;
}

/* Whatever is asked for says something bad, and every section is there. */
static json_t *
worst(void)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}",
	    "name", EVIL, "account", EVIL, "role_text", EVIL, "address", EVIL,
	    "user_agent", EVIL, "created_at", EVIL, "last_used_at", EVIL, "id",
	    EVIL, "current", 1);
	json_t *me = json_pack("{s:s, s:s, s:b, s:[O]}", "email", EVIL,
	    "display_name", EVIL, "is_platform_admin", 1, "memberships", row);

	return json_pack(
	    "{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
	    " s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:o, s:[o], s:[O],"
	    " s:[s], s:[s], s:s}",
	    "form_token", EVIL, "passkey_error", EVIL, "asset", "site_css",
	    EVIL, "passkey_js", EVIL, "request_id", EVIL, "error", EVIL, "note",
	    EVIL, "email", EVIL, "return_to", EVIL, "title", EVIL, "detail",
	    EVIL, "status", EVIL, "instead", EVIL, "qr", EVIL, "password_error",
	    EVIL, "factor_error", EVIL, "again", 1, "signed_out", 1, "plain", 1,
	    "more", 1, "factor", 1, "me", me, "sign_ins", row, "passkeys", row,
	    "codes", EVIL, "secret", EVIL, "unused", "");
}

/* Every tag that is opened is closed, in order, but for those that never are.
 */
static void
well_formed(const char *name, const char *html)
{
	static const char *const empty[] = { "meta", "link", "input", "img",
		"rect", "path", "circle" };
	char open[64][16];
	int depth = 0;

	for (const char *s = html; (s = strchr(s, '<')) != NULL; s++) {
		bool closes = s[1] == '/', is_empty = false;
		char tag[16];

		if (s[1] == '!')
			continue;
		snprintf(tag, sizeof(tag), "%.*s",
		    (int)strcspn(s + 1 + closes, " />\n"), s + 1 + closes);
		for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
			is_empty |= strcmp(tag, empty[i]) == 0;
		if (is_empty)
			continue;
		if (!closes) {
			assert_true(depth < 64);
			memcpy(open[depth++], tag, sizeof(tag));
		} else if (depth == 0 || strcmp(open[--depth], tag) != 0) {
			fail_msg("%s: </%s> ends <%s>", name, tag,
			    depth >= 0 ? open[depth] : "nothing");
		}
	}
	if (depth != 0)
		fail_msg("%s: <%s> is not closed", name, open[depth - 1]);
}

static char *
rendered(const struct pages *p, const char *name, const json_t *data)
{
	struct err e = { 0 };
	struct buf b;

	buf_init(&b, ctx, (size_t)1 << 20);
	if (pages_render(p, name, data, &b, &e) != 0)
		fail_msg("%s: %s", name, e.text);
	return b.data;
}

static int
scripts(const char *html)
{
	int n = 0;

	for (; (html = strstr(html, "<script")) != NULL; html++)
		n++;
	return n;
}

static void
test_shipped(void **state)
{
	struct pages *p = shipped();
	json_t *bad = worst(), *nothing = json_object(), *v;
	const char *key;

	(void)state;
	assert_non_null(bad);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *html = rendered(p, names[i], bad);

		assert_non_null(strstr(html, "</html>"));
		bool own = strcmp(names[i], "login") == 0 ||
		           strcmp(names[i], "code") == 0 ||
		           strcmp(names[i], "me") == 0;

		/* Three have one script of ours, and no other. */
		if (strstr(html, "<b>") != NULL ||
		    scripts(html) != (own ? 1 : 0) ||
		    (own && strstr(html, "<script src=\"&lt;b") == NULL))
			fail_msg("%s prints markup of its data", names[i]);
		assert_null(strstr(html, " style="));
		assert_null(strstr(html, " on"
					 "click="));
		well_formed(names[i], html);
		well_formed(names[i], rendered(p, names[i], nothing));
	}
	assert_non_null(strstr(rendered(p, "me", bad), "{{me.email}}%s%n"));
	json_object_foreach(pages_assets(p), key, v)
	{
		const struct asset *a =
		    pages_asset(p, json_string_value(v) + strlen("/assets/"));

		assert_non_null(a);
		assert_true(a->plain.len > 10);
		/* what the build has compressed is of this very text */
		if (a->gzip.len < 20 || a->gzip.len >= a->plain.len + 64)
			fail_msg("%s: %zu bytes compressed to %zu", a->name,
			    a->plain.len, a->gzip.len);
	}
	assert_null(pages_asset(p, "site-00000000.css"));
	assert_null(pages_asset(p, "site.css"));
	json_decref(bad);
	json_decref(nothing);
	pages_free(p);
}

static void
file(const char *name, const char *text)
{
	char *path = mem_printf(ctx, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
refused(const char *what)
{
	struct err e = { 0 };
	struct pages *p;

	assert_int_equal(pages_load(dir, &p, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_string_equal(e.text, mem_printf(ctx, "%s%s", dir, what));
}

static const struct asset *
site(const struct pages *p)
{
	return pages_asset(
	    p, json_string_value(json_object_get(pages_assets(p), "site_css")) +
		   strlen("/assets/"));
}

static void
test_wanted(void **state)
{
	(void)state;
	assert_int_equal(pages_lang_wanted(NULL), PAGES_EN);
	assert_int_equal(pages_lang_wanted(""), PAGES_EN);
	assert_int_equal(pages_lang_wanted("de"), PAGES_DE);
	assert_int_equal(
	    pages_lang_wanted("de-AT,de;q=0.9,en;q=0.8"), PAGES_DE);
	assert_int_equal(
	    pages_lang_wanted("en-GB;q=0.9 , de;q=0.89"), PAGES_EN);
	assert_int_equal(pages_lang_wanted("fr, de;q=0.2"), PAGES_DE);
	assert_int_equal(pages_lang_wanted("de;q=0, *"), PAGES_EN);
	assert_int_equal(pages_lang_wanted(",,;q=,de;"), PAGES_DE);
	assert_int_equal(pages_lang_parse("DE", 2), PAGES_DE);
	assert_int_equal(pages_lang_parse("deu", 3), -1);
}

static void
test_refused(void **state)
{
	struct err e = { 0 };
	struct pages *p;
	char *name;

	(void)state;
	assert_int_equal(pages_load("/nonexistent/pages", &p, &e), -1);
	assert_string_equal(
	    e.text, "/nonexistent/pages: No such file or directory");
	refused(": there are no pages in it");
	file("a.html", "one\n{{#x}}\n");
	refused("/a.html:2: a section without an end");
	file("a.html", "one\n\n{{<b}}{{/b}}\n");
	refused("/a.html:3: there is no template b");
	file("b.html", "{{$m}}x{{/m}}");
	refused("/tabler.min.css: No such file or directory");
	file("tabler.min.css", "b{}");
	file("htmx.min.js", "2");
	file("console.js", "3");
	file("passkey.js", "1");
	refused("/site.css: No such file or directory");
	file("site.css", "a{}");
	refused("/text.en.json: No such file or directory");
	file("text.en.json", "{\"a\": {\"b\": \"one\"}}");
	file("text.de.json", "{\"a\": {}}");
	refused("/text.de.json: there is no text a.b");
	file("text.de.json", "{\"a\": {\"b\": \"eins\", \"c\": \"\"}}");
	refused("/text.en.json: there is no text a.c");
	file("text.de.json", "{\"a\": {\"b\": \"eins\"}}");
	assert_int_equal(pages_load(dir, &p, &e), 0);
	assert_string_equal(pages_text(p, PAGES_DE, "a.b"), "eins");
	assert_string_equal(pages_text(p, PAGES_EN, "a.c"), "");
	assert_string_equal(pages_text(p, PAGES_EN, "a"), "");
	name = mem_strdup(ctx, site(p)->name);
	assert_null(site(p)->gzip.data);
	pages_free(p);
	/* its compressed form, and what was one of another text */
	file(mem_printf(ctx, "%s.gz", name), "zipped");
	assert_int_equal(pages_load(dir, &p, &e), 0);
	assert_string_equal(site(p)->gzip.data, "zipped");
	pages_free(p);
	file("site.css", "b{}");
	assert_int_equal(pages_load(dir, &p, &e), 0);
	assert_string_not_equal(name, site(p)->name);
	assert_null(site(p)->gzip.data);
	pages_free(p);
	assert_true(pages_file("a.html") && pages_file("site.css") &&
		    pages_file("passkey.js") && pages_file("text.de.json") &&
		    pages_file("site-01234567.css.gz") &&
		    pages_file("site-01234567.css.br"));
	assert_false(pages_file(".html") || pages_file("a.html~") ||
		     pages_file(".a.html") || pages_file("text.xx.json") ||
		     pages_file("a.html.gz") || pages_file("README"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shipped, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test(test_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
