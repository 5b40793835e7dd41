/* What is made of the route table: openapi.json, the pages, the Markdown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include <jansson.h>

#include "../http/memio.h"
#include "api/problem.h"
#include "api/schema.h"
#include "doubles.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#include "util/banned.h"

static json_t *doc;

static int
load(void **state)
{
	void *ctx = mem_root("test");
	char *text = app_openapi(ctx, "1.2.3");
	json_error_t error;

	(void)state;
	if (text != NULL)
		doc = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	mem_free(ctx);
	return doc != NULL ? 0 : -1;
}

static int
unload(void **state)
{
	(void)state;
	json_decref(doc);
	return 0;
}

static json_t *
get(json_t *v, const char *a, const char *b)
{
	return json_object_get(json_object_get(v, a), b);
}

static void
test_table(void **state)
{
	(void)state;
	assert_true(routes_count >= 14);
	for (size_t i = 0; i < routes_count; i++) {
		const struct route *r = &routes[i];

		assert_true(r->perm > PERM_UNSET && r->perm < PERM_COUNT);
		assert_non_null(r->handler);
		assert_true(strlen(r->summary) > 10);
		assert_int_equal(r->pattern[0], '/');
		assert_memory_equal(r->name,
		    (r->faces & (FACE_PAGE | FACE_TALK)) == 0 ? "api_"
		    : strstr(r->pattern, "/admin") != NULL    ? "cons"
							      : "page",
		    4);
		assert_true(strlen(r->statuses) % 4 == 3);
		/* one face: a row in two pools would be reached twice */
		assert_true(r->faces == FACE_CHAT || r->faces == FACE_ADMIN ||
			    r->faces == FACE_HEALTH || r->faces == FACE_OWN ||
			    r->faces == FACE_PAGE || r->faces == FACE_TALK);
		/* what no web server leads to is all in one place */
		assert_int_equal(
		    r->faces == FACE_OWN, strncmp(r->pattern, "/own/", 5) == 0);
		if (r->request_schema != NULL) {
			assert_non_null(schema_json(route_schema(r)));
			assert_true(r->body != BODY_NONE);
		}
		if (r->response_schema != NULL)
			assert_non_null(schema_json(r->response_schema));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(r->label, routes[k].label);
	}
}

static void
test_schemas_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < schemas_count; i++) {
		json_error_t error;
		json_t *v =
		    json_loads(schemas[i].json, JSON_REJECT_DUPLICATES, &error);

		if (v == NULL)
			fail_msg("%s: %s", schemas[i].name, error.text);
		assert_true(json_is_object(v));
		json_decref(v);
	}
	assert_null(schema_json("nothing"));
}

/* Does the operation list each variable of its path as a required one? */
static void
check_variables(const struct route *r, json_t *op)
{
	json_t *list = json_object_get(op, "parameters");
	size_t want = 0, have = 0, i;
	json_t *p;

	for (const char *s = r->pattern; (s = strchr(s, '{')) != NULL; s++)
		want++;
	json_array_foreach(list, i, p)
	{
		const char *in = json_string_value(json_object_get(p, "in"));
		const char *name =
		    json_string_value(json_object_get(p, "name"));
		char var[64];

		assert_true(json_is_object(json_object_get(p, "schema")));
		if (strcmp(in, "path") != 0)
			continue;
		have++;
		assert_true(json_is_true(json_object_get(p, "required")));
		snprintf(var, sizeof(var), "{%s}", name);
		assert_non_null(strstr(r->pattern, var));
	}
	if (want != have)
		fail_msg(
		    "%s: a variable without a row in openapi.c", r->pattern);
	want = 0;
	for (const char *s = r->params; s != NULL; s = strchr(s + 1, ' '))
		want++;
	assert_int_equal(json_array_size(list), have + want);
}

static void
test_operations(void **state)
{
	json_t *ids = json_object();

	(void)state;
	assert_string_equal(
	    json_string_value(json_object_get(doc, "openapi")), "3.1.0");
	assert_string_equal(
	    json_string_value(get(doc, "info", "version")), "1.2.3");
	assert_string_equal(
	    json_string_value(get(doc, "info", "title")), "Switchboard");
	for (size_t i = 0; i < routes_count; i++) {
		const struct route *r = &routes[i];
		char method[16] = "";
		json_t *op, *responses;
		const char *id;

		if ((r->faces & (FACE_OWN | FACE_PAGE | FACE_TALK)) != 0) {
			assert_null(get(doc, "paths", r->pattern));
			continue;
		}
		for (size_t k = 0; r->method[k] != '\0'; k++)
			method[k] = (char)(r->method[k] | 0x20);
		op = json_object_get(get(doc, "paths", r->pattern), method);
		assert_true(json_is_object(op));
		id = json_string_value(json_object_get(op, "operationId"));
		assert_null(json_object_get(ids, id));
		json_object_set_new(ids, id, json_true());
		check_variables(r, op);
		assert_int_equal(r->request_schema != NULL,
		    json_object_get(op, "requestBody") != NULL);
		responses = json_object_get(op, "responses");
		id = r->statuses;
		for (; id != NULL; id = strchr(id, ' ')) {
			char status[4];

			id += *id == ' ';
			snprintf(status, sizeof(status), "%.3s", id);
			assert_non_null(json_object_get(responses, status));
		}
		assert_non_null(json_object_get(
		    get(json_object_get(responses, "503"), "content",
			strstr(r->pattern, "/v1/") == NULL ||
				r->faces != FACE_CHAT
			    ? "application/problem+json"
			    : "application/json"),
		    "schema"));
		assert_int_equal(r->perm == PERM_PUBLIC,
		    json_array_size(json_object_get(op, "security")) == 0);
	}
	assert_non_null(json_object_get(
	    json_object_get(
		json_object_get(get(get(doc, "paths",
					"/accounts/{slug}/agents/{agent_type}/"
					"{instance_name}/stream"),
				    "post", "responses"),
		    "200"),
		"content"),
	    "text/event-stream"));
	json_decref(ids);
}

/* Every $ref leads somewhere. */
static void
check_refs(json_t *v)
{
	const char *key, *prefix = "#/components/schemas/";
	json_t *child;
	size_t i;

	json_array_foreach(v, i, child) check_refs(child);
	json_object_foreach(v, key, child)
	{
		if (strcmp(key, "$ref") == 0) {
			const char *to = json_string_value(child);

			assert_memory_equal(to, prefix, strlen(prefix));
			assert_non_null(
			    json_object_get(get(doc, "components", "schemas"),
				to + strlen(prefix)));
		}
		check_refs(child);
	}
}

static void
test_refs(void **state)
{
	json_t *schemes = get(doc, "components", "securitySchemes");

	(void)state;
	check_refs(doc);
	assert_non_null(json_object_get(schemes, "bearer"));
	assert_string_equal(
	    json_string_value(get(schemes, "widget_key", "name")),
	    "X-Widget-Key");
}

static struct memio m;

static void
page(const char *uri)
{
	static struct app app = {
		.face = FACE_ADMIN, .body_max_chat = 64, .version = "1.2.3<b>"
	};
	char line[256];
	const char *env[] = { "REQUEST_METHOD=GET", line, NULL };

	if (m.ctx != NULL)
		memio_close(&m);
	snprintf(line, sizeof(line), "REQUEST_URI=%s", uri);
	doubles_reset();
	memio_open(&m, env);
	app_serve(&app, m.req, m.resp);
}

static int
close_page(void **state)
{
	(void)state;
	if (m.ctx != NULL)
		memio_close(&m);
	return 0;
}

static void
assert_strict(void)
{
	const char *csp = strstr(m.out, "Content-Security-Policy: ");

	assert_non_null(csp);
	assert_non_null(strstr(csp, "default-src 'none'"));
	assert_null(strstr(m.out, "unsafe"));
	assert_null(strstr(memio_body(&m), "<script"));
	assert_null(strstr(memio_body(&m), " style="));
	assert_null(strstr(memio_body(&m), "<style"));
	assert_true(memio_has(&m, "X-Content-Type-Options: nosniff"));
}

static void
test_docs(void **state)
{
	(void)state;
	page("/api/docs");
	assert_int_equal(memio_status(&m), 200);
	assert_true(memio_has(&m, "Content-Type: text/html; charset=utf-8"));
	assert_strict();
	for (size_t i = 0; i < routes_count; i++)
		if ((routes[i].faces & (FACE_PAGE | FACE_TALK)) == 0)
			assert_int_equal(
			    strstr(memio_body(&m), routes[i].pattern) != NULL,
			    routes[i].faces != FACE_OWN);
	assert_null(strstr(memio_body(&m), "/login/code"));
	assert_non_null(strstr(memio_body(&m), "1.2.3&lt;b&gt;"));
	assert_non_null(strstr(memio_body(&m), "/problems/limit-exceeded"));
	assert_non_null(strstr(memio_body(&m), "</html>"));
	page("/api/docs/style.css");
	assert_true(memio_has(&m, "Content-Type: text/css; charset=utf-8"));
	page("/api/v1/openapi.json");
	assert_true(memio_has(&m, "Content-Type: application/json"));
}

static void
test_problem_pages(void **state)
{
	const char *name;
	int status;

	(void)state;
	for (size_t i = 0; (name = problem_name(i, &status)) != NULL; i++) {
		char uri[128];

		snprintf(uri, sizeof(uri), "/problems/%s", name);
		page(uri);
		assert_int_equal(memio_status(&m), 200);
		assert_strict();
		assert_non_null(strstr(memio_body(&m), problem_title(name)));
	}
	page("/problems/nothing-of-ours");
	assert_int_equal(memio_status(&m), 404);
	page("/problems/<b>");
	assert_int_equal(memio_status(&m), 404);
	assert_null(strstr(memio_body(&m), "<b>"));
}

static void
test_markdown(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	app_write_routes(out);
	fclose(out);
	for (size_t i = 0; i < routes_count; i++)
		assert_int_equal(strstr(text, routes[i].pattern) != NULL,
		    routes[i].faces != FACE_OWN);
	assert_non_null(strstr(text, perm_name(PERM_FEEDBACK)));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_schemas_parse),
		cmocka_unit_test_setup_teardown(test_operations, load, unload),
		cmocka_unit_test_setup_teardown(test_refs, load, unload),
		cmocka_unit_test_teardown(test_docs, close_page),
		cmocka_unit_test_teardown(test_problem_pages, close_page),
		cmocka_unit_test(test_markdown),
	};
	void *area = calloc(1, metric_size(1));
	int rc;

	if (log_open("/dev/null", LOG_ERROR, NULL) != 0)
		return 1;
	metric_attach(area, 1);
	metric_slot(0);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	free(area);
	return rc;
}
