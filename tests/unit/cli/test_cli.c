/* The command line of the operator's command: options, words, times, the
 * table of verbs and what is made from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/issue.h"
#include "cli/verbs.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct opt opts[] = {
	{ "name", "NAME", "x", OPT_NEEDED },
	{ "origin", "ORIGIN", "x", OPT_MANY },
	{ "all", NULL, "x", 0 },
	{ 0 },
};
static const struct verb verb = { .name = "thing make",
	.args = "SLUG [MORE]",
	.min = 1,
	.max = 2,
	.opts = opts };

static int
parse(struct cli *c, struct err *e, int argc, ...)
{
	char *argv[24] = { "switchboard" };
	va_list ap;

	*c = (struct cli){ .verb = &verb };
	*e = (struct err){ 0 };
	va_start(ap, argc);
	for (int i = 0; i < argc; i++)
		argv[i + 1] = va_arg(ap, char *);
	va_end(ap);
	return cli_parse(c, argc + 1, argv, 2, e);
}

static void
test_parse(void **state)
{
	struct cli c;
	struct err e;
	int i = 0;

	(void)state;
	assert_int_equal(
	    0, parse(&c, &e, 10, "-c", "f", "thing", "make", "acme",
		   "--name=a=b", "--origin", "one", "--json", "--origin=two"));
	assert_string_equal("f", c.conf_file);
	assert_true(c.json);
	assert_int_equal(1, c.nwords);
	assert_string_equal("acme", c.word[0]);
	assert_string_equal("a=b", cli_opt(&c, "name"));
	assert_string_equal("one", cli_opt_next(&c, "origin", &i));
	assert_string_equal("two", cli_opt_next(&c, "origin", &i));
	assert_null(cli_opt_next(&c, "origin", &i));
	assert_false(cli_flag(&c, "all"));
	/* "-" is a word, and so is everything behind "--" */
	assert_int_equal(0, parse(&c, &e, 7, "thing", "make", "--name", "x",
				"-", "--", "--all"));
	assert_int_equal(2, c.nwords);
	assert_string_equal("--all", c.word[1]);
	assert_false(cli_flag(&c, "all"));
}

static void
test_parse_refuses(void **state)
{
	struct cli c;
	struct err e;

	(void)state;
	assert_int_equal(-1, parse(&c, &e, 3, "thing", "make", "a"));
	assert_non_null(strstr(e.text, "--name"));
	assert_true(c.misused);
	assert_int_equal(-1, parse(&c, &e, 4, "thing", "make", "--name", "x"));
	assert_non_null(strstr(e.text, "SLUG"));
	assert_int_equal(
	    -1, parse(&c, &e, 5, "thing", "make", "a", "--nam", "x"));
	assert_int_equal(-1, parse(&c, &e, 4, "thing", "make", "a", "--name"));
	assert_int_equal(
	    -1, parse(&c, &e, 5, "thing", "make", "a", "--name=x", "--all=1"));
	assert_int_equal(
	    -1, parse(&c, &e, 5, "thing", "make", "a", "--name=x", "--name=y"));
	assert_int_equal(
	    -1, parse(&c, &e, 5, "thing", "make", "a", "--name=x", "-x"));
	assert_int_equal(
	    -1, parse(&c, &e, 6, "thing", "make", "a", "b", "c", "--name=x"));
	/* --help asks for nothing else */
	assert_int_equal(0, parse(&c, &e, 3, "thing", "make", "--help"));
	assert_true(c.help);
}

static void
test_parse_bounds(void **state)
{
	char *argv[2 * CLI_WORDS + 8] = { "switchboard", "thing", "make" };
	struct cli c = { .verb = &verb };
	struct err e = { 0 };
	int n = 3;

	(void)state;
	for (int i = 0; i <= CLI_WORDS; i++)
		argv[n++] = "--origin=x";
	assert_int_equal(-1, cli_parse(&c, n, argv, 2, &e));
	assert_string_equal("too many options", e.text);
	c = (struct cli){ .verb = &verb };
	n = 3;
	for (int i = 0; i <= CLI_WORDS; i++)
		argv[n++] = "word";
	assert_int_equal(-1, cli_parse(&c, n, argv, 2, &e));
	assert_string_equal("too many words", e.text);
}

static void
test_since(void **state)
{
	struct cli c = { .verb = &verb };
	struct err e = { 0 };
	int64_t us, now = clock_wall_us();

	(void)state;
	assert_int_equal(0, cli_since(&c, "2026-01-31", &us, &e));
	assert_int_equal(us, INT64_C(1769817600000000));
	assert_int_equal(0, cli_since(&c, "2026-01-31T12:30:00Z", &us, &e));
	assert_int_equal(us, INT64_C(1769862600000000));
	assert_int_equal(0, cli_since(&c, "36h", &us, &e));
	assert_true(us >= now - INT64_C(129600000000) &&
		    us <= clock_wall_us() - INT64_C(129600000000));
	assert_int_equal(-1, cli_since(&c, "soon", &us, &e));
	assert_int_equal(-1, cli_since(&c, "2026-13-01", &us, &e));
	assert_int_equal(-1, cli_since(&c, "99999999999d", &us, &e));
	assert_int_equal(-1, cli_since(&c, "2026-01-31x", &us, &e));
}

static void
test_agent_path(void **state)
{
	struct cli c = { .verb = &verb };
	const char *type, *name;
	struct err e = { 0 };

	(void)state;
	c.ctx = mem_root("test");
	assert_int_equal(
	    0, cli_agent_path(&c, "sales/human_health", &type, &name, &e));
	assert_string_equal("sales", type);
	assert_string_equal("human_health", name);
	assert_int_equal(-1, cli_agent_path(&c, "sales", &type, &name, &e));
	assert_int_equal(-1, cli_agent_path(&c, "Sales/x", &type, &name, &e));
	assert_int_equal(-1, cli_agent_path(&c, "sales/", &type, &name, &e));
	assert_int_equal(-1, cli_agent_path(&c, "a/b/c", &type, &name, &e));
	mem_free(c.ctx);
}

static void
test_origin(void **state)
{
	static const char *const good[] = { "https://www.example.com",
		"http://localhost:*", "http://127.0.0.1:*",
		"https://example.com:8443", "http://[::1]:3000" };
	static const char *const bad[] = { "", "*", "example.com",
		"ftp://example.com", "https://", "https://Example.com",
		"https://example.com/", "https://example.com/x",
		"https://*.example.com",
		"https://example.com:", "https://example.com:0",
		"https://example.com:70000", "https://example.com:*x",
		"https://a@b.com", "null", "https://example.com:8*",
		"https://:80" };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (issue_origin_check(good[i], &e) != 0)
			fail_msg("%s: %s", good[i], e.text);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (issue_origin_check(bad[i], &e) == 0)
			fail_msg("\"%s\" passed", bad[i]);
	assert_true(issue_email_ok("a@b.example"));
	assert_false(issue_email_ok("a@b@c"));
	assert_false(issue_email_ok("@b"));
	assert_false(issue_email_ok("a b@c"));
}

/* Each verb is found by its name and has what help and dispatch need. */
static void
test_table(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		char name[64];
		char *second;
		int words, wanted = 1;

		assert_true(strlen(v->name) < sizeof name && v->run != NULL);
		assert_non_null(v->summary);
		assert_true(v->min <= v->max && v->max <= CLI_WORDS);
		assert_true((v->max > 0) == (v->args[0] != '\0'));
		snprintf(name, sizeof name, "%s", v->name);
		second = strchr(name, ' ');
		if (second != NULL) {
			*second++ = '\0';
			wanted = 2;
			assert_true(verbs_group(name));
		}
		assert_ptr_equal(v, verbs_find(name, second, &words));
		assert_int_equal(wanted, words);
		verbs_write_help(f, v);
	}
	verbs_write_list(f, NULL);
	verbs_write_man(f);
	fclose(f);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		assert_non_null(strstr(text, v->name));
	free(text);
}

/* A slip of the finger is answered with what was meant. */
static void
test_nearest(void **state)
{
	struct cli c;
	struct err e;

	(void)state;
	assert_string_equal(verbs_nearest("acount", NULL), "account");
	assert_string_equal(verbs_nearest("doktor", NULL), "doctor");
	assert_string_equal(verbs_nearest("account", "crate"), "create");
	assert_null(verbs_nearest("xyzzy", NULL));
	assert_null(verbs_nearest("account", "xyzzy"));
	assert_null(verbs_nearest(NULL, NULL));
	assert_int_equal(
	    -1, parse(&c, &e, 4, "thing", "make", "acme", "--nmae"));
	assert_non_null(strstr(e.text, "did you mean --name?"));
	assert_int_equal(
	    -1, parse(&c, &e, 4, "thing", "make", "acme", "--xyzzy"));
	assert_null(strstr(e.text, "mean"));
	assert_int_equal(-1,
	    parse(&c, &e, 7, "thing", "make", "a", "b", "c", "--name", "x"));
	assert_string_equal(
	    e.text, "\"c\" is one word too many: it wants SLUG [MORE]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_bounds),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_agent_path),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
