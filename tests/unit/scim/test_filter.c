/* Filters over one resource, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scim/filter.h"
#include "util/mem.h"

#include "util/banned.h"

static json_t *ann;

static int
begin(void **state)
{
	(void)state;
	ann = json_loads(
	    "{\"userName\":\"Ann@Example.com\",\"active\":true,\"age\":5,"
	    "\"name\":{\"givenName\":\"Ann\"},\"title\":\"\",\"none\":null,"
	    "\"emails\":[{\"type\":\"work\",\"value\":\"w@x\"},"
	    "{\"type\":\"home\",\"value\":\"h@x\"}],"
	    "\"urn:x:User\":{\"department\":\"Sales\"}}",
	    0, NULL);
	assert_non_null(ann);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	json_decref(ann);
	return 0;
}

static void
what_holds(void **state)
{
	static const struct {
		const char *filter;
		bool holds;
	} rows[] = {
		{ "userName eq \"ann@example.com\"", true },
		{ "username Eq \"ANN@example.com\"", true },
		{ "userName ne \"ann@example.com\"", false },
		{ "userName co \"@EX\"", true },
		{ "userName sw \"ann@\"", true },
		{ "userName sw \"nn@\"", false },
		{ "userName ew \".com\"", true },
		{ "userName ew \"longer than it is ann@example.com\"", false },
		{ "active eq true", true },
		{ "active eq false", false },
		{ "active eq \"true\"", false },
		{ "active ne false", true },
		{ "age gt 4", true },
		{ "age ge 5.0", true },
		{ "age lt 5", false },
		{ "age le 5", true },
		{ "age gt \"4\"", false },
		{ "userName gt \"a\"", true },
		{ "name.givenName eq \"ann\"", true },
		{ "name.familyName pr", false },
		{ "title pr", false },
		{ "none pr", false },
		{ "none eq null", true },
		{ "absent eq null", false },
		{ "absent ne \"x\"", true },
		{ "not (absent pr)", true },
		{ "emails pr", true },
		{ "emails.value eq \"h@x\"", true },
		{ "emails eq \"h@x\"", true },
		{ "emails[type eq \"work\" and value eq \"h@x\"]", false },
		{ "emails[type eq \"home\" and value eq \"h@x\"]", true },
		{ "emails.type eq \"work\" and emails.value eq \"h@x\"", true },
		{ "urn:x:User:department eq \"sales\"", true },
		{ "urn:y:User:department eq \"sales\"", false },
		{ "urn:ietf:params:scim:schemas:core:2.0:User:age eq 5", true },
		/* and binds closer than or */
		{ "active eq true or age eq 1 and age eq 2", true },
		{ "(active eq true or age eq 1) and age eq 2", false },
		{ "  ( active   eq true )  ", true },
		{ "not(active eq true)", false },
	};
	void *ctx = mem_root("filters");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		struct scim_filter *f =
		    scim_filter_parse(ctx, rows[i].filter, &e);

		if (f == NULL)
			fail_msg("%s: %s", rows[i].filter, e.text);
		if (scim_filter_match(f, ann) != rows[i].holds)
			fail_msg("%s", rows[i].filter);
	}
	mem_free(ctx);
}

/* The text says at which character. */
static void
what_is_none(void **state)
{
	static const struct {
		const char *filter;
		int at;
	} rows[] = { { "", 1 }, { "userName", 9 }, { "userName is 5", 10 },
		{ "userName eq", 12 }, { "userName eq x", 13 },
		{ "userName eq \"x", 13 }, { "userName eq [1]", 13 },
		{ "userName pr x", 13 }, { "(userName pr", 13 },
		{ "userName pr)", 12 }, { "not userName pr", 5 },
		{ "emails[type pr", 15 }, { "5 eq 5", 1 }, { "a..b pr", 2 },
		{ "a pr and", 9 }, { "a prx", 3 }, { "a eqx 5", 3 } };
	void *ctx = mem_root("filters");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		char want[40];

		assert_null(scim_filter_parse(ctx, rows[i].filter, &e));
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_string_equal(e.kind, "invalidFilter");
		snprintf(want, sizeof(want), "character %d:", rows[i].at);
		if (strstr(e.text, want) == NULL)
			fail_msg("%s: %s", rows[i].filter, e.text);
	}
	mem_free(ctx);
}

static void
what_the_database_finds(void **state)
{
	static const struct {
		const char *filter, *equals;
		bool only;
	} rows[] = { { "userName eq \"x\"", "x", true },
		{ "active eq true and USERNAME eq \"x\"", "x", false },
		{ "userName eq \"x\" or active pr", NULL, false },
		{ "not (userName eq \"x\")", NULL, false },
		{ "userName co \"x\"", NULL, false },
		{ "userName.sub eq \"x\"", NULL, false },
		{ "userName eq 5", NULL, true },
		{ "emails[userName eq \"x\"]", NULL, false } };
	void *ctx = mem_root("filters");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		struct scim_filter *f =
		    scim_filter_parse(ctx, rows[i].filter, &e);
		const json_t *value;
		const char *name;

		assert_non_null(f);
		name = scim_filter_equals(f, "userName");
		if (rows[i].equals == NULL)
			assert_null(name);
		else
			assert_string_equal(name, rows[i].equals);
		assert_int_equal(
		    scim_filter_only(f, &name, &value), rows[i].only);
	}
	mem_free(ctx);
}

static void
paths(void **state)
{
	static const char *const bad[] = { "", "a b", "a.", ".a", "a[b eq 1",
		"a[b eq 1]x", "a.b[c eq 1]", "a[]", "5" };
	void *ctx = mem_root("paths");
	struct err e = { 0 };
	struct scim_path p;

	(void)state;
	assert_int_equal(scim_path_parse(ctx, "name.givenName", &p, &e), 0);
	assert_string_equal(p.attribute, "name");
	assert_string_equal(p.sub, "givenName");
	assert_null(p.filter);
	assert_int_equal(
	    scim_path_parse(ctx, "emails[type eq \"work\"].value", &p, &e), 0);
	assert_string_equal(p.attribute, "emails");
	assert_string_equal(p.sub, "value");
	assert_non_null(p.filter);
	assert_int_equal(
	    scim_path_parse(ctx, "urn:x:2.0:User:department", &p, &e), 0);
	assert_string_equal(p.urn, "urn:x:2.0:User");
	assert_string_equal(p.attribute, "department");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e = (struct err){ 0 };
		assert_int_equal(scim_path_parse(ctx, bad[i], &p, &e), -1);
		assert_string_equal(e.kind, "invalidPath");
	}
	mem_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_holds, begin, end),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(what_the_database_finds),
		cmocka_unit_test(paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
