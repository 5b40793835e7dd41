/* Filters and paths of SCIM: whatever parses can be asked, and a filter and its
 * not never agree; a path that parses can be changed at. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "scim/filter.h"
#include "scim/patch.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char resource[] =
    "{\"userName\":\"ann@example.com\",\"active\":true,\"age\":5,"
    "\"name\":{\"givenName\":\"Ann\"},\"emails\":[{\"type\":\"work\","
    "\"value\":\"a@b.example\",\"primary\":true},{\"type\":\"home\"},\"x\"],"
    "\"urn:x:User\":{\"department\":\"d\"},\"none\":null}";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup(NULL, (const char *)data, size), *negated;
	static const char *const ops[] = { "add", "replace", "remove" };
	json_t *r = json_loads(resource, 0, NULL), *patch;
	struct scim_filter *f, *not ;
	struct err e = { 0 };
	bool yes;

	f = scim_filter_parse(text, text, &e);
	if (f != NULL) {
		yes = scim_filter_match(f, r);
		(void)scim_filter_equals(f, "userName");
		negated = mem_printf(text, "not (%s)", text);
		not = scim_filter_parse(text, negated, &e);
		/* one parenthesis more may be one too many */
		if (not != NULL && scim_filter_match(not, r) == yes)
			abort();
	} else if (e.kind == NULL || strcmp(e.kind, "invalidFilter") != 0) {
		abort();
	}
	for (int i = 0; i < 3; i++) {
		patch = json_pack("{s:[{s:s, s:s?, s:{s:s}}]}", "Operations",
		    "op", ops[i], "path", text, "value", "value", "v");
		if (patch != NULL) /* else the path is no UTF-8 */
			(void)scim_patch(r, patch, &e);
		json_decref(patch);
	}
	json_decref(r);
	mem_free(text);
	return 0;
}
