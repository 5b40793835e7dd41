/* Bodies against schemas, and what two configurations differ in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "api/manage/diff.h"
#include "api/manage/percentile.h"
#include "api/routes.h"
#include "api/schema.h"
#include "api/validate.h"
#include "util/rfc3339.h"

#include "util/banned.h"

/* Every object whose members are named refuses others. */
static void
assert_closed(const char *name, const json_t *schema)
{
	const char *key;
	json_t *v;

	if (json_object_get(schema, "properties") != NULL &&
	    !json_is_false(json_object_get(schema, "additionalProperties")))
		fail_msg("%s takes members that nobody knows", name);
	json_object_foreach(json_object_get(schema, "properties"), key, v)
	    assert_closed(name, v);
}

/* What a route takes is written in the part of JSON Schema that is checked. */
static void
test_requests(void **state)
{
	struct err e = { 0 };
	int seen = 0;

	(void)state;
	for (size_t i = 0; i < routes_count; i++) {
		const char *name = route_schema(&routes[i]);
		json_t *schema;

		if (name == NULL)
			continue;
		if (validate_schema(name, &e) != 0)
			fail_msg("%s", e.text);
		schema = json_loads(schema_json(name), 0, NULL);
		assert_closed(name, schema);
		json_decref(schema);
		seen++;
	}
	assert_true(seen > 8);
}

/* The examples of the documentation are what they are examples of. */
static void
test_examples(void **state)
{
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < routes_count; i++) {
		const char *name = route_schema(&routes[i]);
		json_t *schema, *list, *v, *errors = NULL;
		size_t k;

		if (name == NULL ||
		    strncmp(routes[i].pattern, "/api/v1/", 8) != 0)
			continue;
		schema = json_loads(schema_json(name), 0, NULL);
		list = json_object_get(schema, "examples");
		if (json_array_size(list) == 0)
			fail_msg("%s has no example", name);
		json_array_foreach(list, k, v)
		{
			if (validate(name, v, &errors, &e) != 0)
				fail_msg("%s: %s: %s", name, e.text,
				    json_dumps(errors, 0));
		}
		json_decref(schema);
	}
}

static void
test_unknown_keywords(void **state)
{
	struct err e = { 0 };

	(void)state;
	/* "format": "uri-reference" is one that nobody checks */
	assert_int_equal(validate_schema("problem", &e), -1);
	assert_int_equal(e.code, ERR_INTERNAL);
	assert_int_equal(validate_schema("nothing", &e), -1);
	assert_non_null(strstr(e.text, "nothing"));
}

/* The pointers that ${json} gets, with spaces between; "": it is good. */
static const char *
said(const char *schema, const char *json)
{
	static char out[400];
	json_t *v = json_loads(json, JSON_DECODE_ANY, NULL), *errors = NULL, *x;
	struct err e = { 0 };
	size_t i;

	assert_non_null(v);
	out[0] = '\0';
	if (validate(schema, v, &errors, &e) != 0)
		assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(errors != NULL, e.code == ERR_INVALID);
	json_array_foreach(errors, i, x)
	{
		size_t n = strlen(out);

		snprintf(out + n, sizeof(out) - n, "%s%s=%s", n > 0 ? " " : "",
		    json_string_value(json_object_get(x, "pointer")),
		    json_string_value(json_object_get(x, "detail")));
	}
	json_decref(errors);
	json_decref(v);
	return out;
}

static void
test_values(void **state)
{
	static const struct {
		const char *schema, *json, *said;
	} rows[] = {
		{ "account_change", "{\"name\":\"x\"}", "" },
		{ "account_change", "{}", "=says nothing" },
		{ "account_change", "[]", "=must be an object" },
		{ "account_change", "{\"name\":\"\"}",
		    "/name=must have at least 1 character" },
		{ "account_change", "{\"name\":null}", "/name=must be a text" },
		{ "account_change", "{\"max_agents\":0}", "" },
		{ "account_change", "{\"max_agents\":-1}",
		    "/max_agents=must be at least 0" },
		{ "account_change", "{\"max_agents\":1.5}",
		    "/max_agents=must be a whole number or a text" },
		{ "account_change", "{\"max_agents\":\"unlimited\"}", "" },
		{ "account_change", "{\"max_agents\":\"many\"}",
		    "/max_agents=must match ^(unlimited|default)$" },
		{ "account_change", "{\"max_agents\":1000000001}",
		    "/max_agents=must be at most 1000000000" },
		{ "account_create", "{\"slug\":\"a~/b\"}",
		    "/name=is missing "
		    "/slug=must match ^[a-z0-9][a-z0-9-]{1,62}$" },
		{ "account_change", "{\"a~/b\":1}",
		    "/a~0~1b=is not known here" },
		{ "user_change", "{\"role\":\"viewer\"}", "" },
		{ "user_change", "{\"role\":5}", "/role=must be a text" },
		{ "api_key_create", "{\"name\":\"x\",\"role\":\"King\"}",
		    "/role=must match ^[a-z][a-z0-9_]{0,62}$" },
		{ "api_key_create",
		    "{\"name\":\"x\",\"role\":\"viewer\",\"expires_at\":null}",
		    "" },
		{ "api_key_create",
		    "{\"name\":\"x\",\"role\":\"viewer\",\"expires_at\":"
		    "\"no\"}",
		    "/expires_at=must be a time as RFC 3339 writes it, such as "
		    "2026-01-31T12:00:00Z" },
		{ "widget_key_create",
		    "{\"name\":\"x\",\"allowed_origins\":[\"a\",1,\"a\"],"
		    "\"agent_id\":\"x\"}",
		    NULL },
		{ "widget_key_create",
		    "{\"name\":\"x\",\"allowed_origins\":[]}",
		    "/allowed_origins=must have at least 1 entries" },
		/* characters, not bytes */
		{ "feedback", "{\"rating\":1,\"comment\":\"\xc3\xa4\"}", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].said != NULL)
			assert_string_equal(
			    said(rows[i].schema, rows[i].json), rows[i].said);
	const char *all = said("widget_key_create",
	    "{\"name\":\"x\",\"allowed_origins\":[\"a\",1,\"a\"],"
	    "\"agent_id\":\"x\"}");

	assert_non_null(strstr(all, "/allowed_origins/1=must be a text"));
	assert_non_null(strstr(all, "/allowed_origins/2=is there twice"));
	assert_non_null(strstr(all, "/agent_id=must be a UUID"));
}

/* At most 32 errors, and no more work than that for a mean body. */
static void
test_many(void **state)
{
	json_t *body = json_object(), *errors = NULL;
	struct err e = { 0 };
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		json_object_set_new(body, name, json_null());
	}
	assert_int_equal(validate("account_change", body, &errors, &e), -1);
	assert_int_equal(json_array_size(errors), 32);
	json_decref(errors);
	json_decref(body);
}

static void
test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t us; /* -1: none */
	} rows[] = { { "1970-01-01T00:00:00Z", 0 },
		{ "2026-01-31T12:00:00Z", INT64_C(1769860800000000) },
		{ "2026-01-31T12:00:00.5Z", INT64_C(1769860800500000) },
		{ "2026-01-31t14:30:00.123456789+02:30",
		    INT64_C(1769860800123456) },
		{ "2026-01-31T07:00:00-05:00", INT64_C(1769860800000000) },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000000) },
		{ "2026-02-29T00:00:00Z", -1 }, { "2026-01-31", -1 },
		{ "2026-01-31T12:00:00", -1 }, { "2026-01-31T12:00Z", -1 },
		{ "2026-13-01T00:00:00Z", -1 }, { "2026-01-31T24:00:00Z", -1 },
		{ "2026-01-31T12:00:00.Z", -1 },
		{ "2026-01-31T12:00:00+0230", -1 },
		{ "2026-01-31T12:00:00Zz", -1 }, { "", -1 },
		{ "26-01-31T12:00:00Z", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t us = -1;
		int rc = rfc3339_read(rows[i].text, &us);

		if (rc != (rows[i].us < 0 ? -1 : 0) ||
		    (rc == 0 && us != rows[i].us))
			fail_msg(
			    "%s: %d, %lld", rows[i].text, rc, (long long)us);
	}
}

static void
assert_diff(const char *a, const char *b, const char *want)
{
	json_t *x = json_loads(a, 0, NULL), *y = json_loads(b, 0, NULL),
	       *z = json_loads(want, 0, NULL), *got = diff(x, y);

	assert_non_null(z);
	if (!json_equal(got, z))
		fail_msg("%s and %s: %s", a, b, json_dumps(got, 0));
	json_decref(got);
	json_decref(x);
	json_decref(y);
	json_decref(z);
}

static void
test_diff(void **state)
{
	(void)state;
	assert_diff(
	    "{\"a\":1,\"b\":{\"c\":[1]}}", "{\"b\":{\"c\":[1]},\"a\":1}", "[]");
	assert_diff("{\"a\":1}", "{\"a\":1.0}",
	    "[{\"pointer\":\"/a\",\"op\":\"changed\",\"before\":1,"
	    "\"after\":1.0}]");
	assert_diff("{\"z\":1,\"o\":{\"x\":1,\"y~/\":2}}",
	    "{\"o\":{\"x\":[1]},\"n\":null}",
	    "[{\"pointer\":\"/n\",\"op\":\"added\",\"after\":null},"
	    "{\"pointer\":\"/o/x\",\"op\":\"changed\",\"before\":1,"
	    "\"after\":[1]},"
	    "{\"pointer\":\"/o/y~0~1\",\"op\":\"removed\",\"before\":2},"
	    "{\"pointer\":\"/z\",\"op\":\"removed\",\"before\":1}]");
	assert_diff("{\"a\":{}}", "{\"a\":5}",
	    "[{\"pointer\":\"/a\",\"op\":\"changed\",\"before\":{},"
	    "\"after\":5}]");
}

static json_int_t
at(const char *hist, int percent, json_int_t max)
{
	json_t *h = json_loads(hist, 0, NULL);
	json_t *p = percentile(h, percent, max);
	json_int_t v = json_is_null(p) ? -1 : json_integer_value(p);

	json_decref(p);
	json_decref(h);
	return v;
}

static void
test_percentiles(void **state)
{
	(void)state;
	assert_int_equal(at("[0,0,0,0,0,0,0,0,0,0,0]", 50, 0), -1);
	assert_int_equal(at("[]", 50, 0), -1);
	/* ten evenly up to 50 ms */
	assert_int_equal(at("[10,0,0,0,0,0,0,0,0,0,0]", 50, 50), 25);
	assert_int_equal(at("[10,0,0,0,0,0,0,0,0,0,0]", 100, 50), 50);
	/* never more than the longest */
	assert_int_equal(at("[0,0,0,1,0,0,0,0,0,0,0]", 95, 210), 210);
	assert_int_equal(at("[0,0,0,0,0,0,0,0,0,0,2]", 100, 90000), 90000);
	assert_int_equal(at("[0,0,0,0,0,0,0,0,0,0,2]", 50, 90000), 75000);
	/* 95 fast ones and five slow */
	assert_int_equal(at("[95,0,0,0,0,5,0,0,0,0,0]", 95, 2000), 50);
	assert_true(at("[95,0,0,0,0,5,0,0,0,0,0]", 96, 2000) > 1000);
	/* a longest that does not reach its class: what is counted rules */
	assert_int_equal(at("[0,0,0,1,0,0,0,0,0,0,0]", 50, 0), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_unknown_keywords),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_percentiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
