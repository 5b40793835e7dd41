/* Templates: what the specification says (read in place where SB_CONTRACTS has
 * it), what is refused, and where the bounds are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "page/mustache.h"
#include "util/mem.h"

#include "util/banned.h"

static void *ctx;

static int
begin(void **state)
{
	(void)state;
	ctx = mem_root("test");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	mem_free(ctx);
	return 0;
}

static struct mustache *
set_of(bool strict, const char *main, const char *name, const char *text)
{
	struct mustache *m = mustache_new(ctx, strict);
	struct err e = { 0 };

	if (mustache_add(m, "main", main, strlen(main), &e) != 0 ||
	    (name != NULL &&
		mustache_add(m, name, text, strlen(text), &e) != 0))
		fail_msg("%s", e.text);
	return m;
}

static char *
render(const struct mustache *m, const char *json, struct err *e)
{
	json_t *data = json_loads(json, JSON_DECODE_ANY, NULL);
	struct buf b;
	int rc;

	assert_non_null(data);
	buf_init(&b, ctx, 65536);
	rc = mustache_render(m, "main", data, &b, e);
	json_decref(data);
	return rc == 0 ? b.data : NULL;
}

static void
gives(const char *text, const char *json, const char *want)
{
	struct err e = { 0 };
	char *got = render(set_of(true, text, NULL, NULL), json, &e);

	if (got == NULL)
		fail_msg("%s", e.text);
	assert_string_equal(got, want);
}

static void
test_basics(void **state)
{
	(void)state;
	gives("Hello {{ name }}!", "{\"name\": \"<b>&\\\"'\"}",
	    "Hello &lt;b&gt;&amp;&quot;&#39;!");
	gives("{{#a}}{{.}},{{/a}}", "{\"a\": [1, 0.2, \"x\", true]}",
	    "1,0.2,x,true,");
	gives("{{^a}}none{{/a}}", "{\"a\": []}", "none");
	gives("{{#a}}x{{/a}}{{^a}}none{{/a}}", "{\"a\": \"\"}", "none");
	gives(
	    "{{a.b.c}}|{{a.x.c}}|{{b}}", "{\"a\": {\"b\": {\"c\": 1}}}", "1||");
	gives("{{#a}}\n- {{n}}\n{{/a}}\n", "{\"a\": [{\"n\": 1}, {\"n\": 2}]}",
	    "- 1\n- 2\n");
	/* what data say is never a template (D14) */
	gives("{{x}}", "{\"x\": \"{{y}}{%25s%n${1}\", \"y\": 1}",
	    "{{y}}{%25s%n${1}");
	gives("{{x}}", "{\"x\": {\"y\": 1}}", "");
}

static void
test_layout(void **state)
{
	struct err e = { 0 };
	struct mustache *m = set_of(true,
	    "{{<layout}}{{$title}}Hi {{n}}{{/title}}{{$main}}<p>{{n}}</p>"
	    "{{/main}}{{/layout}}",
	    "layout",
	    "<title>{{$title}}-{{/title}}</title>{{$main}}{{/main}}"
	    "{{$foot}}end{{/foot}}");

	(void)state;
	assert_int_equal(mustache_check(m, &e), 0);
	assert_string_equal(render(m, "{\"n\": \"<1>\"}", &e),
	    "<title>Hi &lt;1&gt;</title><p>&lt;1&gt;</p>end");
}

static void
refuses(const char *text, const char *why)
{
	struct mustache *m = mustache_new(ctx, true);
	struct err e = { 0 };

	if (mustache_add(m, "main", text, strlen(text), &e) == 0 &&
	    mustache_check(m, &e) == 0)
		fail_msg("taken: %s", text);
	assert_int_equal(e.code, ERR_INVALID);
	assert_string_equal(e.text, why);
}

static void
test_refused(void **state)
{
	(void)state;
	refuses("a\n{{#x}}\nb", "main:2: a section without an end");
	refuses("{{/x}}", "main:1: this ends a section that nothing began");
	refuses("{{#x}}\n{{#y}}\n{{/x}}{{/y}}",
	    "main:3: this ends another section than the one that is open");
	refuses("\n\n{{x", "main:3: a tag without an end");
	refuses("{{}}", "main:1: this is no name");
	refuses("{{a b}}", "main:1: this is no name");
	refuses("{{a..b}}", "main:1: this is no name");
	refuses("{{=x}}", "main:1: a tag without an end");
	refuses("{{= x =}}", "main:1: these are no two delimiters");
	refuses("{{>*x}}", "main:1: names made of data are not known here");
	refuses("{{{x}}}", "main:1: everything is to be escaped here");
	refuses("{{&x}}", "main:1: everything is to be escaped here");
	refuses("<a href={{x}}>", "main:1: an attribute's value wants quotes");
	refuses("<script>\nx = '{{x}}'</script>",
	    "main:2: nothing is filled in here: a script or a style");
	refuses("<script src=\"{{x}}\" id=\"{{x}}\"></script>",
	    "main:1: nothing is filled in here: a script or a style");
	refuses("\n{{>gone}}", "main:2: there is no template gone");
}

static void
test_bounds(void **state)
{
	struct err e = { 0 };
	char text[8 * 40 + 1] = "";
	struct mustache *m;
	struct buf small;
	json_t *empty = json_object();

	(void)state;
	for (int i = 0; i < 40; i++)
		memcpy(text + strlen(text), "{{#x}}", 7);
	m = mustache_new(ctx, false);
	assert_int_equal(mustache_add(m, "main", text, strlen(text), &e), -1);
	/* a partial that calls itself for ever */
	assert_null(render(set_of(true, "x{{>main}}", NULL, NULL), "{}", &e));
	assert_int_equal(e.code, ERR_INTERNAL);
	assert_null(
	    render(set_of(true, "{{<main}}{{$b}}{{/b}}{{/main}}", NULL, NULL),
		"{}", &e));
	/* a block in what stands for it */
	assert_string_equal(
	    render(set_of(true, "{{<p}}{{$b}}[{{$b}}y{{/b}}]{{/b}}{{/p}}", "p",
		       "{{$b}}x{{/b}}"),
		"{}", &e),
	    "[y]");
	/* work that doubles at each level */
	assert_null(render(
	    set_of(true, "{{>p}}{{>p}}", "p", "{{>p}}{{>p}}"), "{}", &e));
	buf_init(&small, ctx, 4);
	assert_int_equal(mustache_render(set_of(true, "12345", NULL, NULL),
			     "main", empty, &small, &e),
	    -1);
	assert_int_equal(mustache_render(m, "nothing", empty, &small, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(mustache_add(m, "nul", "a\0b", 3, &e), -1);
	json_decref(empty);
}

/* --- the specification --------------------------------------------------- */

/* Only where a block is set in again further in or out: we print it as it is.
 */
static const char *const apart[] = { "Standalone block", "Block reindentation",
	"Intrinsic indentation", "Nested block reindentation" };

static bool
is_apart(const char *name)
{
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		if (strcmp(apart[i], name) == 0)
			return true;
	return false;
}

static bool
holds(const json_t *test)
{
	const char *text = json_string_value(json_object_get(test, "template"));
	const char *want = json_string_value(json_object_get(test, "expected"));
	struct mustache *m = mustache_new(ctx, false);
	struct err e = { 0 };
	const char *name;
	json_t *partial;
	struct buf b;

	buf_init(&b, ctx, 65536);
	if (mustache_add(m, "the test", text, strlen(text), &e) != 0)
		return false;
	json_object_foreach(json_object_get(test, "partials"), name, partial)
	{
		const char *p = json_string_value(partial);

		if (mustache_add(m, name, p, strlen(p), &e) != 0)
			return false;
	}
	if (mustache_render(
		m, "the test", json_object_get(test, "data"), &b, &e) != 0)
		return false;
	if (strcmp(b.data != NULL ? b.data : "", want) == 0)
		return true;
	print_message("%s: \"%s\" gives \"%s\", not \"%s\"\n",
	    json_string_value(json_object_get(test, "name")), text, b.data,
	    want);
	return false;
}

static void
file(const char *dir, const char *name, size_t least)
{
	char *path = mem_printf(ctx, "%s/mustache/%s.json", dir, name);
	json_t *doc = json_load_file(path, 0, NULL), *test;
	size_t i, failed = 0;

	if (doc == NULL)
		fail_msg("%s is not there", path);
	json_array_foreach(json_object_get(doc, "tests"), i, test)
	{
		const char *is =
		    json_string_value(json_object_get(test, "name"));

		if (holds(test) == is_apart(is)) {
			print_message("%s: %s\n", name, is);
			failed++;
		}
	}
	json_decref(doc);
	assert_int_equal(failed, 0);
	assert_true(i >= least);
}

static void
test_specification(void **state)
{
	const char *dir = getenv("SB_CONTRACTS"), *src = getenv("srcdir");
	const char *path;

	(void)state;
	if (dir == NULL || *dir == '\0')
		dir = mem_printf(
		    ctx, "%s/../shared/contracts", src != NULL ? src : ".");
	path = mem_printf(ctx, "%s/mustache", dir);
	if (access(path, R_OK) != 0) {
		print_message("skip: no contracts in %s (set SB_CONTRACTS): "
			      "the published tests of Mustache\n",
		    path);
		skip();
	}
	file(dir, "comments", 12);
	file(dir, "delimiters", 14);
	file(dir, "interpolation", 42);
	file(dir, "inverted", 22);
	file(dir, "partials", 12);
	file(dir, "sections", 34);
	file(dir, "~inheritance", 27);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_basics, begin, end),
		cmocka_unit_test_setup_teardown(test_layout, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_bounds, begin, end),
		cmocka_unit_test_setup_teardown(test_specification, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
