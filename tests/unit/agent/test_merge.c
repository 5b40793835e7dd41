/* The rules of docs/agents.md, line by line; the seed's own samples as they
 * stand; every error with its pointer, all of them at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "agent/spec.h"
#include "agent/template.h"
#include "agent/yaml.h"
#include "crypto/hash.h"
#include "unit/agent/seeds.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

static void *ctx;
static struct agent_template *seed, *strict;

static const char strict_yaml[] = "agent_type: strict\n"
				  "version: \"1\"\n"
				  "system_prompt: Be good.\n"
				  "tools:\n"
				  "  - name: product_search\n"
				  "    required: true\n"
				  "    config_schema:\n"
				  "      max_results: \"integer[1..50]\"\n"
				  "      tags: \"array[string]\"\n"
				  "      \"*\": \"none\"\n"
				  "    settings:\n"
				  "      max_results: 7\n"
				  "  - name: pubmed\n"
				  "    config_schema:\n"
				  "      \"*\": \"string\"\n"
				  "default_model: builtin:concierge\n"
				  "max_tokens: 100\n";

static struct agent_spec *
build(const struct agent_template *t, const char *text)
{
	json_t *c = json_loads(text, 0, NULL);
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *s = NULL;
	int n = -1;

	assert_non_null(c);
	if (spec_build_shown(t, c, &s, errors, &n) != 0)
		fail_msg(
		    "%s: %s %s", text, errors[0].pointer, errors[0].detail);
	assert_int_equal(n, 0);
	json_decref(c);
	return s;
}

static const struct spec_tool *
tool(const struct agent_spec *s, const char *name)
{
	for (int i = 0; i < s->ntools; i++)
		if (strcmp(s->tools[i].name, name) == 0)
			return &s->tools[i];
	fail_msg("no tool %s", name);
	return NULL;
}

static void
template_alone(void **state)
{
	struct agent_spec *s = build(seed, "{}");

	(void)state;
	assert_string_equal(s->system_prompt, seed->system_prompt);
	assert_string_equal(s->model, "openai:gpt-4o");
	assert_true(s->model_fallback);
	assert_int_equal(s->max_tokens, 2000);
	assert_true(s->temperature > 0.29 && s->temperature < 0.31);
	assert_int_equal(s->requests_per_minute, -1);
	assert_int_equal(s->tokens_per_hour, -1);
	assert_false(s->finish_on_disconnect);
	assert_int_equal(s->search_results, 5);
	assert_int_equal(s->ntools, 2);
	assert_true(tool(s, "product_search")->available);
	assert_false(tool(s, "crm_integration")->available);
	assert_int_equal(json_object_size(s->feature_flags), 0);
	agent_spec_unref(s);

	s = build(strict, "{}");
	assert_true(s->temperature < 0);
	assert_int_equal(s->search_results, 7);
	agent_spec_unref(s);
}

static void
seed_instance(void **state)
{
	struct agent_spec *s = build(seed, SEED_INSTANCE);
	const json_t *v;

	(void)state;
	/* The template's words stay, the override follows them. */
	assert_int_equal(strncmp(s->system_prompt, seed->system_prompt,
			     strlen(seed->system_prompt)),
	    0);
	assert_string_equal(s->system_prompt + strlen(seed->system_prompt),
	    "\n\n## Instructions for this agent\n\nFocus on FDA-approved "
	    "medical devices for healthcare professionals.");
	assert_string_equal(s->model, "openai:gpt-4o-mini");
	assert_int_equal(s->requests_per_minute, 20);
	assert_int_equal(s->tokens_per_hour, 50000);
	assert_int_equal(s->search_results, 10);
	v = tool(s, "product_search")->settings;
	assert_string_equal(
	    json_string_value(json_object_get(v, "vector_namespace")),
	    "acme-medical-devices");
	/* What no schema names is kept as it stands. */
	assert_int_equal(json_array_size(json_object_get(v, "filters")), 1);
	v = tool(s, "crm_integration")->settings;
	assert_string_equal(
	    json_string_value(json_object_get(
		json_object_get(v, "custom_fields"), "institution_type")),
	    "Institution_Type__c");
	assert_false(tool(s, "crm_integration")->available);
	assert_true(json_is_true(
	    json_object_get(s->feature_flags, "enable_scheduling")));
	assert_true(json_is_false(
	    json_object_get(s->feature_flags, "enable_document_upload")));
	v = json_object_get(s->merged, "rate_limits");
	assert_int_equal(
	    json_integer_value(json_object_get(v, "max_tokens_per_hour")),
	    50000);
	agent_spec_unref(s);
}

/* All four configurations of the example account, with the shipped templates.
 */
static void
ignore(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void
seed_account(void **state)
{
	json_t *account, *lines, *agent;
	struct templates *ts;
	struct err e = { 0 };
	size_t i;

	(void)state;
	if (agent_yaml_parse(SEED_ACCOUNT, strlen(SEED_ACCOUNT), "seed",
		&account, &lines, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(
	    templates_load(TEMPLATES_DIR, NULL, ignore, NULL, &ts, &e), 0);
	json_array_foreach(
	    json_object_get(account, "agent_instances"), i, agent)
	{
		const struct agent_template *t = templates_find(
		    ts, json_string_value(json_object_get(agent, "type")));
		char *text =
		    json_dumps(json_object_get(agent, "configuration"), 0);
		struct agent_spec *s;

		assert_non_null(t);
		s = build(t, text);
		assert_non_null(json_object_get(s->merged, "vector_database"));
		agent_spec_unref(s);
		free(text);
	}
	assert_int_equal(i, 4);
	/* The full sample too. */
	agent_spec_unref(build(templates_find(ts, "sales"), SEED_INSTANCE));
	templates_free(ts);
	json_decref(account);
	json_decref(lines);
}

static void
rules(void **state)
{
	struct agent_spec *s;

	(void)state;
	s = build(seed, "{\"system_prompt\":\"Mine.\"}");
	assert_string_equal(s->system_prompt, "Mine.");
	agent_spec_unref(s);
	/* Both, whatever their order. */
	s = build(seed, "{\"system_prompt_override\":\"And this.\","
			"\"system_prompt\":\"Mine.\"}");
	assert_string_equal(s->system_prompt,
	    "Mine.\n\n## Instructions for this agent\n\nAnd this.");
	agent_spec_unref(s);
	s = build(seed, "{\"model_fallback\":false,\"max_tokens\":5,"
			"\"temperature\":0,\"on_disconnect\":\"finish\"}");
	assert_false(s->model_fallback);
	assert_int_equal(s->max_tokens, 5);
	assert_true(s->temperature == 0);
	assert_true(s->finish_on_disconnect);
	agent_spec_unref(s);
	s = build(seed, "{\"on_disconnect\":\"cancel\",\"temperature\":2}");
	assert_false(s->finish_on_disconnect);
	agent_spec_unref(s);
	/* Settings: the template's, one by one replaced. */
	s = build(
	    strict, "{\"tools\":{\"product_search\":{\"tags\":[\"a\"]}}}");
	assert_int_equal(s->search_results, 7);
	agent_spec_unref(s);
	s = build(strict, "{\"tools\":{\"product_search\":{\"max_results\":3,"
			  "\"enabled\":true}}}");
	assert_int_equal(s->search_results, 3);
	assert_null(
	    json_object_get(tool(s, "product_search")->settings, "enabled"));
	agent_spec_unref(s);
	s = build(
	    strict, "{\"tools\":{\"product_search\":{\"max_results\":50}}}");
	assert_int_equal(s->search_results, SPEC_SEARCH_MAX);
	agent_spec_unref(s);
	/* An optional tool comes with being named, unless switched off. */
	s = build(strict, "{\"tools\":{\"pubmed\":{\"region\":\"eu\"}}}");
	assert_false(tool(s, "pubmed")->available); /* not built */
	agent_spec_unref(s);
}

static void
optional_tools(void **state)
{
	static const char yaml[] = "agent_type: t\nversion: \"1\"\n"
				   "system_prompt: x\n"
				   "tools: [{name: product_search}]\n"
				   "default_model: builtin:concierge\n"
				   "max_tokens: 100\n";
	struct agent_template *t;
	struct agent_spec *s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    template_parse(ctx, yaml, strlen(yaml), "t", &t, &e), 0);
	s = build(t, "{}");
	assert_false(s->tools[0].available);
	assert_int_equal(s->search_results, 0);
	agent_spec_unref(s);
	s = build(t, "{\"tools\":{\"product_search\":{}}}");
	assert_true(s->tools[0].available);
	assert_int_equal(s->search_results, 5);
	agent_spec_unref(s);
	s = build(t, "{\"tools\":{\"product_search\":{\"enabled\":false}}}");
	assert_false(s->tools[0].available);
	assert_int_equal(s->search_results, 0);
	agent_spec_unref(s);
}

/* ${pointer} and the start of the detail, of the only error. */
static const struct {
	const char *configuration, *pointer, *detail;
} bad[] = {
	{ "[]", "", "a configuration is an object" },
	{ "{\"system_promt\":\"x\"}", "/system_promt",
	    "unknown setting; did you mean \"system_prompt\"?" },
	{ "{\"colour\":1}", "/colour", "unknown setting" },
	{ "{\"a/b~c\":1}", "/a~1b~0c", "unknown setting" },
	{ "{\"system_prompt\":5}", "/system_prompt", "must be text" },
	{ "{\"system_prompt\":null}", "/system_prompt", "must be text" },
	{ "{\"system_prompt\":\" \\n\"}", "/system_prompt",
	    "must not be empty" },
	{ "{\"system_prompt_override\":\"\"}", "/system_prompt_override",
	    "must not be empty" },
	{ "{\"system_prompt\":\"a\\u0000b\"}", "", "text with a NUL" },
	{ "{\"model_override\":\"gpt-4o\"}", "/model_override", "is no model" },
	{ "{\"model_override\":\"nobody:gpt\"}", "/model_override",
	    "is no model" },
	{ "{\"model_override\":7}", "/model_override", "must be text" },
	{ "{\"model_fallback\":\"no\"}", "/model_fallback",
	    "must be true or false" },
	{ "{\"max_tokens\":0}", "/max_tokens",
	    "must be a whole number from 1 to 200000" },
	{ "{\"max_tokens\":200001}", "/max_tokens", "must be a whole" },
	{ "{\"max_tokens\":10.5}", "/max_tokens", "must be a whole" },
	{ "{\"temperature\":2.01}", "/temperature", "must be a number from 0" },
	{ "{\"temperature\":-1}", "/temperature", "must be a number from 0" },
	{ "{\"temperature\":\"0\"}", "/temperature",
	    "must be a number from 0" },
	{ "{\"on_disconnect\":\"stop\"}", "/on_disconnect",
	    "must be \"cancel\" or \"finish\"" },
	{ "{\"on_disconnect\":false}", "/on_disconnect", "must be \"cancel\"" },
	{ "{\"tools\":[]}", "/tools", "must be an object" },
	{ "{\"tools\":{\"product_serch\":{}}}", "/tools/product_serch",
	    "unknown tool: the template has none of this name; did you mean "
	    "\"product_search\"?" },
	{ "{\"tools\":{\"product_search\":5}}", "/tools/product_search",
	    "must be an object" },
	{ "{\"tools\":{\"product_search\":{\"max_results\":\"ten\"}}}",
	    "/tools/product_search/max_results", "must be a whole number" },
	{ "{\"tools\":{\"product_search\":{\"enabled\":false}}}",
	    "/tools/product_search/enabled",
	    "the template requires this tool" },
	{ "{\"tools\":{\"product_search\":{\"enabled\":1}}}",
	    "/tools/product_search/enabled", "must be true or false" },
	{ "{\"tools\":{\"crm_integration\":{\"provider\":\"sap\"}}}",
	    "/tools/crm_integration/provider",
	    "must be one of: salesforce,hubspot,zoho" },
	{ "{\"rate_limits\":5}", "/rate_limits", "must be an object" },
	{ "{\"rate_limits\":{\"max_requests_per_hour\":5}}",
	    "/rate_limits/max_requests_per_hour",
	    "unknown limit; did you mean \"max_requests_per_minute\"?" },
	{ "{\"rate_limits\":{\"max_requests_per_minute\":0}}",
	    "/rate_limits/max_requests_per_minute",
	    "must be a whole number from 1 to 1000000" },
	{ "{\"rate_limits\":{\"max_tokens_per_hour\":-1}}",
	    "/rate_limits/max_tokens_per_hour", "must be a whole number" },
	{ "{\"feature_flags\":[]}", "/feature_flags", "must be an object" },
	{ "{\"feature_flags\":{\"x\":1}}", "/feature_flags/x",
	    "must be true or false" },
	{ "{\"feature_flags\":{\"X y\":true}}", "/feature_flags/X y",
	    "names are lower-case" },
	{ "{\"vector_database\":\"pinecone\"}", "/vector_database",
	    "must be an object" },
	{ "{\"crm_integration\":[]}", "/crm_integration", "must be an object" },
	{ "{\"search_providers\":\"pubmed\"}", "/search_providers",
	    "must be a list" },
	{ "{\"search_providers\":[\"pubmed\",5]}", "/search_providers/1",
	    "the list is of names" },
	{ "{\"document_sources\":[{},\"x\"]}", "/document_sources/1",
	    "the list is of objects" },
	{ "{\"vector_database\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", "",
	    "text with a NUL, or nested deeper than 16" },
};

static void
refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *c =
		    json_loads(bad[i].configuration, JSON_ALLOW_NUL, NULL);
		struct spec_error errors[SPEC_ERRORS];
		struct agent_spec *s = NULL;
		int n = -1;

		assert_non_null(c);
		if (spec_build_shown(seed, c, &s, errors, &n) == 0)
			fail_msg("taken: %s", bad[i].configuration);
		assert_null(s);
		if (n != 1 || strcmp(errors[0].pointer, bad[i].pointer) != 0 ||
		    strncmp(errors[0].detail, bad[i].detail,
			strlen(bad[i].detail)) != 0)
			fail_msg("%s: %d, \"%s\" \"%s\"", bad[i].configuration,
			    n, errors[0].pointer, errors[0].detail);
		json_decref(c);
	}
}

static void
closed_schemas(void **state)
{
	json_t *c = json_loads("{\"tools\":{\"product_search\":{\"max_result\":"
			       "5},\"pubmed\":{\"x\":5}}}",
	    0, NULL);
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *s;
	int n;

	(void)state;
	assert_int_equal(spec_build_shown(strict, c, &s, errors, &n), -1);
	assert_int_equal(n, 2);
	assert_string_equal(
	    errors[0].pointer, "/tools/product_search/max_result");
	assert_string_equal(
	    errors[0].detail, "unknown setting; did you mean \"max_results\"?");
	assert_string_equal(errors[1].pointer, "/tools/pubmed/x");
	assert_string_equal(errors[1].detail, "must be text");
	json_decref(c);
}

static void
all_errors_at_once(void **state)
{
	json_t *c = json_loads("{\"max_tokens\":0,\"temperature\":9,"
			       "\"nonsense\":1,\"tools\":{\"a\":{},"
			       "\"product_search\":{\"max_results\":true}},"
			       "\"feature_flags\":{\"x\":0}}",
	    0, NULL);
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *s;
	char key[300];
	int n;

	(void)state;
	assert_int_equal(spec_build_shown(seed, c, &s, errors, &n), -1);
	assert_int_equal(n, 6);
	json_decref(c);

	c = json_object();
	for (int i = 0; i < 100; i++) {
		memset(key, 'x', sizeof(key));
		snprintf(key + 200, 100, "%d\xc3\xa9", i);
		json_object_set_new(c, key, json_null());
	}
	assert_int_equal(spec_build_shown(seed, c, &s, errors, &n), -1);
	assert_int_equal(n, SPEC_ERRORS);
	assert_int_equal(strlen(errors[31].pointer), 158);
	json_decref(c);
}

static void
too_large(void **state)
{
	char *text = malloc(SPEC_CONFIGURATION_MAX + 100);
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *s;
	json_t *c;
	int n;

	(void)state;
	memset(text, 'x', SPEC_CONFIGURATION_MAX);
	text[SPEC_CONFIGURATION_MAX] = '\0';
	c = json_pack("{s:{s:s}}", "vector_database", "x", text);
	assert_int_equal(spec_build_shown(seed, c, &s, errors, &n), -1);
	assert_string_equal(errors[0].detail, "larger than 64 KiB");
	json_decref(c);
	text[AGENT_PROMPT_MAX + 1] = '\0';
	c = json_pack("{s:s}", "system_prompt", text);
	assert_int_equal(spec_build_shown(seed, c, &s, errors, &n), -1);
	assert_string_equal(errors[0].pointer, "/system_prompt");
	json_decref(c);
	text[AGENT_PROMPT_MAX] = '\0';
	c = json_pack("{s:s}", "system_prompt", text);
	assert_int_equal(spec_build_shown(seed, c, &s, errors, &n), 0);
	agent_spec_unref(s);
	json_decref(c);
	free(text);
}

/* A spec shares nothing with the configuration it was made from, and is
 * counted by threads. */
static void *
counter(void *arg)
{
	const struct agent_spec *s = arg;

	for (int i = 0; i < 10000; i++)
		agent_spec_unref(agent_spec_ref(s));
	agent_spec_unref(s);
	return NULL;
}

static void
own_and_counted(void **state)
{
	json_t *c = json_loads(SEED_INSTANCE, 0, NULL);
	struct spec_error errors[SPEC_ERRORS];
	pthread_t threads[8];
	struct agent_spec *s;
	int n;

	(void)state;
	assert_int_equal(spec_build_shown(seed, c, &s, errors, &n), 0);
	json_array_clear(json_object_get(
	    json_object_get(json_object_get(c, "tools"), "product_search"),
	    "filters"));
	json_decref(c);
	assert_int_equal(json_array_size(json_object_get(
			     tool(s, "product_search")->settings, "filters")),
	    1);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, counter,
				     (void *)(uintptr_t)agent_spec_ref(s)),
		    0);
	agent_spec_unref(s);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	agent_spec_unref(NULL);
}

static int
setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	json_setup();
	if (crypto_setup(&e) != 0)
		return -1;
	ctx = mem_root("test");
	if (template_parse(ctx, SEED_TEMPLATE, strlen(SEED_TEMPLATE), "seed",
		&seed, &e) != 0 ||
	    template_parse(ctx, strict_yaml, strlen(strict_yaml), "strict",
		&strict, &e) != 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(ctx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(template_alone),
		cmocka_unit_test(seed_instance),
		cmocka_unit_test(seed_account),
		cmocka_unit_test(rules),
		cmocka_unit_test(optional_tools),
		cmocka_unit_test(refusals),
		cmocka_unit_test(closed_schemas),
		cmocka_unit_test(all_errors_at_once),
		cmocka_unit_test(too_large),
		cmocka_unit_test(own_and_counted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
