/* Operations, as the RFC and as providers spell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scim/patch.h"
#include "util/banned.h"

#define RESOURCE                                                               \
	"{\"title\":\"T\",\"name\":{\"givenName\":\"A\"},\"emails\":["         \
	"{\"type\":\"work\",\"value\":\"w\"},{\"type\":\"home\","              \
	"\"value\":\"h\"}],\"members\":[{\"value\":\"1\"},"                    \
	"{\"value\":\"2\"}]}"

static void
what_changes(void **state)
{
	/* an operation, a member of the resource, what it is then */
	static const char *const rows[][3] = {
		{ "{\"op\":\"replace\",\"path\":\"TITLE\",\"value\":\"U\"}",
		    "title", "\"U\"" },
		{ "{\"op\":\"Add\",\"path\":\"nickName\",\"value\":\"N\"}",
		    "nickName", "\"N\"" },
		{ "{\"op\":\"REMOVE\",\"path\":\"title\"}", "title", "null" },
		{ "{\"op\":\"replace\",\"path\":\"name.givenName\",\"value\":"
		  "\"B\"}",
		    "name", "{\"givenName\":\"B\"}" },
		{ "{\"op\":\"add\",\"path\":\"name.familyName\",\"value\":"
		  "\"F\"}",
		    "name", "{\"givenName\":\"A\",\"familyName\":\"F\"}" },
		{ "{\"op\":\"remove\",\"path\":\"name.givenName\"}", "name",
		    "{}" },
		{ "{\"op\":\"replace\",\"path\":\"name\",\"value\":"
		  "{\"familyName\":\"F\"}}",
		    "name", "{\"givenName\":\"A\",\"familyName\":\"F\"}" },
		{ "{\"op\":\"replace\",\"value\":{\"title\":\"U\","
		  "\"name.givenName\":\"B\"}}",
		    "name", "{\"givenName\":\"B\"}" },
		{ "{\"op\":\"add\",\"path\":\"members\",\"value\":"
		  "[{\"value\":\"2\"},{\"value\":\"3\"}]}",
		    "members",
		    "[{\"value\":\"1\"},{\"value\":\"2\"},{\"value\":\"3\"}]" },
		{ "{\"op\":\"add\",\"path\":\"members\",\"value\":"
		  "{\"value\":\"3\"}}",
		    "members",
		    "[{\"value\":\"1\"},{\"value\":\"2\"},{\"value\":\"3\"}]" },
		{ "{\"op\":\"replace\",\"path\":\"members\",\"value\":"
		  "[{\"value\":\"3\"}]}",
		    "members", "[{\"value\":\"3\"}]" },
		{ "{\"op\":\"remove\",\"path\":\"members\",\"value\":"
		  "[{\"value\":\"1\"}]}",
		    "members", "[{\"value\":\"2\"}]" },
		{ "{\"op\":\"remove\",\"path\":\"members[value eq \\\"2\\\"]"
		  "\"}",
		    "members", "[{\"value\":\"1\"}]" },
		{ "{\"op\":\"remove\",\"path\":\"members\"}", "members",
		    "null" },
		{ "{\"op\":\"replace\",\"path\":\"emails[type eq \\\"home\\\"]."
		  "value\",\"value\":\"x\"}",
		    "emails",
		    "[{\"type\":\"work\",\"value\":\"w\"},{\"type\":\"home\","
		    "\"value\":\"x\"}]" },
		{ "{\"op\":\"replace\",\"path\":\"phones[type eq \\\"fax\\\"]."
		  "value\",\"value\":\"1\"}",
		    "phones", "[{\"type\":\"fax\",\"value\":\"1\"}]" },
		{ "{\"op\":\"remove\",\"path\":\"emails[type eq \\\"home\\\"]."
		  "value\"}",
		    "emails",
		    "[{\"type\":\"work\",\"value\":\"w\"},"
		    "{\"type\":\"home\"}]" },
		{ "{\"op\":\"add\",\"path\":\"urn:x:User:department\","
		  "\"value\":\"D\"}",
		    "urn:x:User", "{\"department\":\"D\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *r = json_loads(RESOURCE, 0, NULL), *was;
		json_t *op = json_loads(rows[i][0], 0, NULL), *patch;
		json_t *want = json_loads(rows[i][2], JSON_DECODE_ANY, NULL);
		struct err e = { 0 };

		assert_non_null(op);
		assert_non_null(want);
		patch = json_pack("{s:[o]}", "operations", op);
		if (scim_patch(r, patch, &e) != 0)
			fail_msg("%s: %s", rows[i][0], e.text);
		was = json_object_get(r, rows[i][1]);
		if (was == NULL ? !json_is_null(want) : !json_equal(was, want))
			fail_msg("%s", rows[i][0]);
		json_decref(want);
		json_decref(patch);
		json_decref(r);
	}
}

static void
what_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "{}", "invalidSyntax" },
		{ "{\"Operations\":[]}", "invalidSyntax" },
		{ "{\"Operations\":[5]}", "invalidSyntax" },
		{ "{\"Operations\":[{\"op\":\"move\"}]}", "invalidSyntax" },
		{ "{\"Operations\":[{\"op\":\"remove\"}]}", "noTarget" },
		{ "{\"Operations\":[{\"op\":\"add\",\"value\":5}]}",
		    "invalidValue" },
		{ "{\"Operations\":[{\"op\":\"add\",\"path\":\"a\"}]}",
		    "invalidValue" },
		{ "{\"Operations\":[{\"op\":\"add\",\"path\":5,"
		  "\"value\":5}]}",
		    "invalidPath" },
		{ "{\"Operations\":[{\"op\":\"add\",\"path\":\"a b\","
		  "\"value\":5}]}",
		    "invalidPath" },
		{ "{\"Operations\":[{\"op\":\"remove\","
		  "\"path\":\"x[y eq 1]\"}]}",
		    "noTarget" },
		{ "{\"Operations\":[{\"op\":\"replace\","
		  "\"path\":\"emails[type ne \\\"work\\\" and type ne "
		  "\\\"home\\\"].value\",\"value\":\"x\"}]}",
		    "noTarget" },
		{ "{\"Operations\":[{\"op\":\"replace\","
		  "\"path\":\"emails[type eq \\\"work\\\"]\","
		  "\"value\":\"x\"}]}",
		    "invalidValue" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *r = json_loads(RESOURCE, 0, NULL);
		json_t *patch = json_loads(rows[i][0], 0, NULL);
		struct err e = { 0 };

		assert_non_null(patch);
		assert_int_equal(scim_patch(r, patch, &e), -1);
		if (strcmp(e.kind, rows[i][1]) != 0)
			fail_msg("%s: %s", rows[i][0], e.kind);
		json_decref(patch);
		json_decref(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changes),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
