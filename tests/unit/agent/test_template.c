/* Templates: the seed's form, every refusal with its line, and the set that
 * keeps what was good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "agent/spec.h"
#include "agent/template.h"
#include "crypto/hash.h"
#include "unit/agent/seeds.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

static void
seed_form(void **state)
{
	struct agent_template *t;
	struct err e = { 0 };
	void *ctx = mem_root("test");

	(void)state;
	if (template_parse(ctx, SEED_TEMPLATE, strlen(SEED_TEMPLATE),
		"sales.yaml", &t, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(t->agent_type, "sales");
	assert_string_equal(t->version, "1.0");
	assert_non_null(strstr(t->system_prompt, "customer needs."));
	assert_int_equal(t->system_prompt[strlen(t->system_prompt) - 1], '.');
	assert_string_equal(t->default_model, "openai:gpt-4o");
	assert_int_equal(t->max_tokens, 2000);
	assert_true(t->temperature > 0.29 && t->temperature < 0.31);
	assert_int_equal(t->nrequired, 3);
	assert_string_equal(t->required_dependencies[1], "vector_database");
	assert_int_equal(t->noptional, 3);
	assert_int_equal(t->ntools, 2);
	assert_string_equal(t->tools[0].name, "product_search");
	assert_true(t->tools[0].required);
	assert_true(t->tools[0].built);
	assert_null(t->tools[0].description);
	assert_string_equal(t->tools[1].name, "crm_integration");
	assert_false(t->tools[1].required);
	assert_false(t->tools[1].built);
	assert_string_equal(json_string_value(json_object_get(
				t->tools[1].config_schema, "provider")),
	    "enum[salesforce,hubspot,zoho]");
	assert_int_equal(strlen(t->hash), 64);
	assert_null(t->display_name);
	mem_free(ctx);
}

#define HEAD "agent_type: sales\nversion: \"1\"\nsystem_prompt: Be good.\n"
#define FOOT "default_model: openai:gpt-4o\nmax_tokens: 100\n"

/* ${error} is "line: text", or NULL where the template is good. */
static const struct {
	const char *yaml, *error;
} rows[] = {
	{ HEAD FOOT, NULL },
	{ HEAD FOOT "temperature: 0\ndisplay_name: \"Sales agent\"\n", NULL },
	{ "5", "1: a template is a mapping" },
	{ "[a]", "1: a template is a mapping" },
	{ HEAD FOOT "tool: []\n", "6: unknown key \"tool\"; did you mean "
				  "\"tools\"?" },
	{ HEAD FOOT "colour: red\n", "6: unknown key \"colour\"" },
	{ "version: \"1\"\n", "1: agent_type must be text" },
	{ "agent_type: Sales\nversion: \"1\"\n" FOOT, "1: agent_type" },
	{ "agent_type: sales\nversion: 1.0\nsystem_prompt: x\n" FOOT,
	    "2: version must be text: put it in quotes" },
	{ "agent_type: sales\nversion: \"1\"\nsystem_prompt: \"  \"\n" FOOT,
	    "3: system_prompt is empty" },
	{ "agent_type: sales\nversion: \"1\"\n" FOOT,
	    "1: system_prompt must be text" },
	{ HEAD "default_model: gpt-4o\nmax_tokens: 100\n", "4: \"gpt-4o\" is "
							   "no model" },
	{ HEAD "default_model: nobody:gpt\nmax_tokens: 100\n", "4: \"nobody" },
	{ HEAD "max_tokens: 100\n", "1: default_model must be text" },
	{ HEAD "default_model: openai:gpt-4o\n", "1: max_tokens must be" },
	{ HEAD "default_model: openai:gpt-4o\nmax_tokens: \"5\"\n",
	    "5: max_tokens must be" },
	{ HEAD "default_model: openai:gpt-4o\nmax_tokens: 0\n",
	    "5: max_tokens must be" },
	{ HEAD "default_model: openai:gpt-4o\nmax_tokens: 200001\n",
	    "5: max_tokens must be" },
	{ HEAD FOOT "temperature: 2.1\n", "6: temperature must be" },
	{ HEAD FOOT "temperature: -0.1\n", "6: temperature must be" },
	{ HEAD FOOT "temperature: warm\n", "6: temperature must be" },
	{ HEAD FOOT "required_dependencies: x\n", "6: required_dependencies" },
	{ HEAD FOOT "optional_dependencies:\n  - a\n  - B C\n",
	    "8: optional_dependencies/1" },
	{ HEAD FOOT "tools: {}\n", "6: tools must be a list" },
	{ HEAD FOOT "tools:\n  - x\n", "7: a tool is a mapping" },
	{ HEAD FOOT "tools:\n  - required: true\n", "7: tools/0/name must be" },
	{ HEAD FOOT "tools:\n  - name: a b\n", "7: tool name \"a b\"" },
	{ HEAD FOOT "tools:\n  - name: a\n    require: true\n",
	    "8: unknown key \"require\"; did you mean \"required\"?" },
	{ HEAD FOOT "tools:\n  - name: a\n    required: 1\n",
	    "8: required must be true or false" },
	{ HEAD FOOT "tools:\n  - name: a\n  - name: a\n",
	    "8: tool \"a\" stands here twice" },
	{ HEAD FOOT "tools:\n  - name: a\n    config_schema:\n      x: 5\n",
	    "9: the type of \"x\" must be text" },
	{ HEAD FOOT "tools:\n  - name: a\n    config_schema:\n      x: strin\n",
	    "9: \"x\": unknown type \"strin\"" },
	{ HEAD FOOT
	    "tools:\n  - name: a\n    config_schema:\n      X: string\n",
	    "9: \"X\" is no name" },
	{ HEAD FOOT "tools:\n  - name: a\n    config_schema: [x]\n",
	    "8: config_schema must map" },
	{ HEAD FOOT "tools:\n  - name: a\n    config_schema:\n      x: string\n"
		    "      \"*\": none\n    settings:\n      x: y\n",
	    NULL },
	{ HEAD FOOT "tools:\n  - name: a\n    config_schema:\n      x: none\n",
	    "9: \"x\": unknown type" },
	{ HEAD FOOT "tools:\n  - name: a\n    config_schema:\n      x: string\n"
		    "    settings:\n      x: 5\n",
	    "11: \"x\": must be text" },
	{ HEAD FOOT "tools:\n  - name: a\n    settings:\n      x: 5\n",
	    "9: \"x\" does not stand in config_schema" },
	{ HEAD FOOT "tools:\n  - name: a\n    settings: 5\n",
	    "8: settings must be" },
	{ HEAD FOOT "tools:\n  - name: a\n    description: [x]\n",
	    "8: tools/0/description must be text" },
	{ HEAD FOOT "version: \"2\"\n", "6: a key that stands here twice" },
	{ HEAD FOOT "x: *y\n", "6: " },
};

static void
refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *ctx = mem_root("test");
		struct agent_template *t = NULL;
		struct err e = { 0 };
		char want[200];
		int rc = template_parse(
		    ctx, rows[i].yaml, strlen(rows[i].yaml), "F", &t, &e);

		if (rows[i].error == NULL) {
			if (rc != 0)
				fail_msg("row %zu: %s", i, e.text);
		} else {
			snprintf(want, sizeof(want), "F:%s", rows[i].error);
			if (rc == 0 || strncmp(e.text, want, strlen(want)) != 0)
				fail_msg("row %zu: \"%s\", not \"%s\"", i,
				    e.text, want);
			assert_null(t);
		}
		mem_free(ctx);
	}
}

/* The templates that are shipped, and that each makes a spec of its own. */
static void
no_report(void *arg, const char *text)
{
	(void)arg;
	fail_msg("%s", text);
}

static void
shipped(void **state)
{
	static const char *const types[] = { "digital_expert", "rag",
		"research", "sales" };
	struct templates *ts;
	struct err e = { 0 };
	json_t *empty = json_object();

	(void)state;
	if (templates_load(TEMPLATES_DIR, NULL, no_report, NULL, &ts, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(templates_count(ts), 4);
	for (int i = 0; i < 4; i++) {
		const struct agent_template *t = templates_find(ts, types[i]);
		struct spec_error errors[SPEC_ERRORS];
		struct agent_spec *s;
		int n;

		assert_non_null(t);
		assert_ptr_equal(t, templates_at(ts, i));
		assert_non_null(t->display_name);
		assert_int_equal(spec_build(t, empty, &s, errors, &n), 0);
		/* Each of them answers from what retrieval finds. */
		assert_true(s->search_results >= 5);
		agent_spec_unref(s);
	}
	assert_null(templates_find(ts, "nobody"));
	assert_null(templates_at(ts, 4));
	assert_null(templates_at(ts, -1));
	json_decref(empty);
	templates_free(ts);
}

static char dir[] = "/tmp/sb-templates-XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

static void
drop(const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

struct reports {
	int n;
	char text[8][300];
};

static void
collect(void *arg, const char *text)
{
	struct reports *r = arg;

	assert_true(r->n < 8);
	snprintf(r->text[r->n++], 300, "%s", text);
}

static void
sets(void **state)
{
	struct templates *one, *two, *three = NULL;
	struct reports r = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    templates_load("/nonexistent", NULL, collect, &r, &one, &e), -1);
	assert_int_equal(templates_load(dir, NULL, collect, &r, &one, &e), -1);
	assert_non_null(strstr(e.text, "holds no template"));
	assert_int_equal(r.n, 0);

	put("sales.yaml", HEAD FOOT);
	put(".hidden.yaml", "bad: [");
	put("notes.txt", "bad: [");
	put("other.yaml", HEAD FOOT); /* says sales */
	put("Bad-Name.yaml", HEAD FOOT);
	put("broken.yaml", "agent_type: broken\nversion: \"1\"\nx: [\n");
	assert_int_equal(templates_load(dir, NULL, collect, &r, &one, &e), 0);
	assert_int_equal(templates_count(one), 1);
	assert_int_equal(r.n, 3);
	assert_non_null(strstr(r.text[0], "Bad-Name.yaml:1:"));
	assert_non_null(strstr(r.text[1], "broken.yaml:"));
	assert_non_null(strstr(r.text[1], "no agents of this type"));
	assert_non_null(strstr(r.text[2], "agent_type is \"sales\", but the "
					  "file's name says \"other\""));

	/* It goes bad: the old one stays, also after the old set is gone. */
	drop("other.yaml");
	drop("Bad-Name.yaml");
	put("broken.yaml", "agent_type: broken\nversion: \"1\"\n"
			   "system_prompt: x\n" FOOT);
	put("sales.yaml", HEAD FOOT "temperature: hot\n");
	r.n = 0;
	assert_int_equal(templates_load(dir, one, collect, &r, &two, &e), 0);
	assert_int_equal(r.n, 1);
	assert_non_null(strstr(r.text[0], "sales.yaml:6: temperature"));
	assert_non_null(strstr(r.text[0], "the template read before stays"));
	assert_ptr_equal(
	    templates_find(two, "sales"), templates_find(one, "sales"));
	templates_free(one);
	assert_string_equal(
	    templates_find(two, "sales")->system_prompt, "Be good.");
	assert_non_null(templates_find(two, "broken"));

	/* Gone is gone. */
	drop("sales.yaml");
	r.n = 0;
	assert_int_equal(templates_load(dir, two, collect, &r, &three, &e), 0);
	assert_int_equal(r.n, 0);
	assert_null(templates_find(three, "sales"));
	templates_free(two);
	templates_free(three);
	templates_free(NULL);
}

static int
setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	json_setup();
	if (crypto_setup(&e) != 0 || mkdtemp(dir) == NULL)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const files[] = { "sales.yaml", ".hidden.yaml",
		"notes.txt", "other.yaml", "Bad-Name.yaml", "broken.yaml" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		drop(files[i]);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_form),
		cmocka_unit_test(refusals),
		cmocka_unit_test(shipped),
		cmocka_unit_test(sets),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
