/* An instance's configuration over a template with every kind of setting. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/spec.h"
#include "agent/template.h"
#include "crypto/hash.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char yaml[] = "agent_type: fuzz\n"
			   "version: \"1\"\n"
			   "system_prompt: Be good.\n"
			   "tools:\n"
			   "  - name: product_search\n"
			   "    config_schema:\n"
			   "      max_results: \"integer[1..20]\"\n"
			   "      filters: \"array[string]\"\n"
			   "      weight: \"number[0..1]\"\n"
			   "      \"*\": \"none\"\n"
			   "  - name: crm_integration\n"
			   "    required: true\n"
			   "    config_schema:\n"
			   "      provider: \"enum[salesforce,hubspot,zoho]\"\n"
			   "      custom_fields: \"object\"\n"
			   "      on: \"boolean\"\n"
			   "default_model: builtin:concierge\n"
			   "max_tokens: 100\n";

static struct agent_template *t;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_setup();
	if (crypto_setup(NULL) != 0)
		return -1;
	return template_parse(NULL, yaml, strlen(yaml), "F", &t, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *s;
	json_t *c;
	int n;

	if (json_parse(
		(const char *)data, size, &JSON_LIMITS_REQUEST, &c, NULL) != 0)
		return 0;
	if (spec_build_shown(t, c, &s, errors, &n) == 0) {
		struct buf b;

		if (s->system_prompt[0] == '\0' || s->max_tokens < 1 ||
		    s->search_results > SPEC_SEARCH_MAX)
			abort();
		buf_init(&b, NULL, 1 << 20);
		json_write(&b, s->merged);
		if (buf_failed(&b))
			abort();
		buf_free(&b);
		agent_spec_unref(s);
	} else {
		if (n < 1 || n > SPEC_ERRORS)
			abort();
		for (int i = 0; i < n; i++)
			if (!str_utf8_valid(
				errors[i].pointer, strlen(errors[i].pointer)) ||
			    !str_utf8_valid(
				errors[i].detail, strlen(errors[i].detail)))
				abort();
	}
	json_decref(c);
	return 0;
}
