/* A template's file.  What is taken can be used: an empty configuration makes a
 * spec of it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/spec.h"
#include "agent/template.h"
#include "crypto/hash.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_setup();
	return crypto_setup(NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *ctx = mem_root("fuzz");
	struct spec_error errors[SPEC_ERRORS];
	struct agent_template *t;
	struct agent_spec *s;
	struct err e = { 0 };
	json_t *empty;
	int n;

	if (template_parse(ctx, (const char *)data, size, "F", &t, &e) == 0) {
		empty = json_object();
		if (spec_build(t, empty, &s, errors, &n) != 0)
			abort();
		agent_spec_unref(s);
		json_decref(empty);
	} else if (strncmp(e.text, "F:", 2) != 0)
		abort(); /* every refusal names a line */
	mem_free(ctx);
	return 0;
}
