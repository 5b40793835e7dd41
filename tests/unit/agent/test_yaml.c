/* The YAML subset: what values come out, what is refused and at which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/yaml.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct {
	const char *yaml, *json;
} good[] = {
	{ "a: 1", "{\"a\":1}" },
	{ "a: -5\nb: +7", "{\"a\":-5,\"b\":7}" },
	{ "a: 0\nb: -0", "{\"a\":0,\"b\":0}" },
	{ "a: 0.3\nb: 1e3\nc: .5\nd: 2.", "{\"a\":0.3,\"b\":1000.0,\"c\":0.5,"
					  "\"d\":2.0}" },
	{ "- true\n- False\n- TRUE\n- null\n- ~\n-",
	    "[true,false,true,null,null,null]" },
	/* YAML 1.1's surprises are text */
	{ "- no\n- yes\n- on\n- off\n- y\n- 1_000\n- 0x1F\n- 0o17\n- 12:30\n"
	  "- 2026-11-22\n- 1e\n- .\n- '-'\n- 1.2.3\n- +",
	    "[\"no\",\"yes\",\"on\",\"off\",\"y\",\"1_000\",\"0x1F\",\"0o17\","
	    "\"12:30\",\"2026-11-22\",\"1e\",\".\",\"-\",\"1.2.3\",\"+\"]" },
	{ "a: \"1\"\nb: 'true'\nc: \"\"", "{\"a\":\"1\",\"b\":\"true\","
					  "\"c\":\"\"}" },
	{ "a: |\n  one\n  two\n\nb: >\n  one\n  two\n",
	    "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\\n\"}" },
	{ "a:\n  b:\n    - c: 1\n      d: [x, 'y', {z: 2}]\n",
	    "{\"a\":{\"b\":[{\"c\":1,\"d\":[\"x\",\"y\",{\"z\":2}]}]}}" },
	{ "--- # comment\nk\xc3\xa9y: \"\\u00e9 \\U0001F600\"\n...\n",
	    "{\"k\xc3\xa9y\":\"\xc3\xa9 \xf0\x9f\x98\x80\"}" },
	{ "%YAML 1.1\n---\na: 1", "{\"a\":1}" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "plain text", "\"plain text\"" },
	{ "1: a\ntrue: b", "{\"1\":\"a\",\"true\":\"b\"}" },
	{ "'010'", "\"010\"" },
};

static void
values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		json_t *v, *lines;
		struct err e = { 0 };
		struct buf b;

		if (agent_yaml_parse(good[i].yaml, strlen(good[i].yaml), "f",
			&v, &lines, &e) != 0)
			fail_msg("%s: %s", good[i].yaml, e.text);
		buf_init(&b, NULL, 10000);
		json_write(&b, v);
		assert_string_equal(b.data, good[i].json);
		buf_free(&b);
		json_decref(v);
		json_decref(lines);
	}
}

#define S(text) text, sizeof(text) - 1

static const struct {
	const char *yaml;
	size_t len;
	const char *error; /* its start, and a part of the rest */
	const char *part;
} bad[] = {
	{ S(""), "f:1:", "nothing" },
	{ S("# only a comment\n"), "f:", "nothing" },
	{ S("a: &x 1\nb: *x"), "f:1:", "anchor" },
	{ S("a: &x [1]"), "f:1:", "anchor" },
	{ S("a: 1\nb: *x"), "f:2:", "" },
	{ S("a: &x {b: 1}\n"), "f:1:", "anchor" },
	{ S("a: 1\nb: !!str 2"), "f:2:", "tag" },
	{ S("a: !foo [1]"), "f:1:", "tag" },
	{ S("a: ! x"), "f:1:", "tag" },
	{ S("!!map {a: 1}"), "f:1:", "tag" },
	{ S("%TAG ! tag:x,2000:\n---\na: 1"), "f:", "tag" },
	{ S("a: 1\nb: 2\na: 3"), "f:3:", "twice" },
	{ S("x:\n  a: 1\n  'a': 2"), "f:3:", "twice" },
	{ S("? [a]\n: 1"), "f:1:", "key" },
	{ S("? {a: 1}\n: 1"), "f:1:", "key" },
	{ S("\"\": 1"), "f:1:", "empty key" },
	{ S("a: 1\n---\nb: 2"), "f:2:", "second document" },
	{ S("a: 1\n...\n---\n"), "f:", "second document" },
	{ S("a: 010"), "f:1:", "leading zeros" },
	{ S("a: 1\nb: -007"), "f:2:", "leading zeros" },
	{ S("a: 9223372036854775808"), "f:1:", "64 bits" },
	{ S("a: 1e999"), "f:1:", "range" },
	{ S("a: .inf"), "f:1:", "infinity" },
	{ S("a: .NaN"), "f:1:", "infinity" },
	{ S("\"a\\0b\": 1"), "f:1:", "NUL" },
	{ S("a: \"x\\0y\""), "f:1:", "NUL" },
	{ S("a: 1\nb: x\0y"), "f:2:", "" },
	{ S("a: 1\nb: \xff\xfe"), "f:2:", "" },
	{ S("a: [1, 2"), "f:", "" },
	{ S("a: 1\n b: 2\n"), "f:2:", "" },
	{ S("a: 1\n\tb: 2\n"), "f:2:", "" },
	{ S("a: \"open"), "f:", "" },
	{ S("a: b: c"), "f:1:", "" },
	{ S("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
	    "]"),
	    "f:1:", "deeper than 32" },
};

static void
refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *v = NULL, *lines = NULL;
		struct err e = { 0 };

		if (agent_yaml_parse(
			bad[i].yaml, bad[i].len, "f", &v, &lines, &e) == 0)
			fail_msg("taken: %s", bad[i].yaml);
		assert_null(v);
		assert_null(lines);
		assert_int_equal(e.code, ERR_MALFORMED);
		if (strncmp(e.text, bad[i].error, strlen(bad[i].error)) != 0 ||
		    strstr(e.text, bad[i].part) == NULL)
			fail_msg("%s: %s", bad[i].yaml, e.text);
	}
}

static void
edges(void **state)
{
	char deep[80];
	char *big = malloc(AGENT_YAML_MAX + 2);
	json_t *v, *lines;
	struct err e = { 0 };

	(void)state;
	memset(deep, '[', 31);
	deep[31] = '1';
	memset(deep + 32, ']', 31);
	assert_int_equal(agent_yaml_parse(deep, 63, "f", &v, &lines, &e), 0);
	json_decref(v);
	json_decref(lines);

	memset(big, 'x', AGENT_YAML_MAX + 1);
	assert_int_equal(
	    agent_yaml_parse(big, AGENT_YAML_MAX, "f", &v, &lines, &e), 0);
	json_decref(v);
	json_decref(lines);
	assert_int_equal(
	    agent_yaml_parse(big, AGENT_YAML_MAX + 1, "f", &v, &lines, &e), -1);
	free(big);
}

static void
line_numbers(void **state)
{
	static const char text[] = "a: 1\n"
				   "b:\n"
				   "  - x\n"
				   "  - y: 1\n"
				   "    z/w~: 2\n"
				   "c: |\n"
				   "  text\n"
				   "\n"
				   "d: 5\n";
	json_t *v, *lines;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    agent_yaml_parse(text, strlen(text), "f", &v, &lines, &e), 0);
	assert_int_equal(agent_yaml_line(lines, "/a"), 1);
	assert_int_equal(agent_yaml_line(lines, "/b"), 2);
	assert_int_equal(agent_yaml_line(lines, "/b/0"), 3);
	assert_int_equal(agent_yaml_line(lines, "/b/1/y"), 4);
	assert_int_equal(agent_yaml_line(lines, "/b/1/z~1w~0"), 5);
	assert_int_equal(agent_yaml_line(lines, "/b/1/missing"), 4);
	assert_int_equal(agent_yaml_line(lines, "/c"), 6);
	assert_int_equal(agent_yaml_line(lines, "/d"), 9);
	assert_int_equal(agent_yaml_line(lines, "/missing/too"), 1);
	assert_int_equal(agent_yaml_line(lines, ""), 1);
	json_decref(v);
	json_decref(lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(refusals),
		cmocka_unit_test(edges),
		cmocka_unit_test(line_numbers),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
