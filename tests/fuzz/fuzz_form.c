/* Query strings: whatever comes, what is decoded is UTF-8 without NUL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/form.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *at = text, *end = text + size;
	void *ctx = mem_root("fuzz");
	struct form_pair p;

	while (form_next(&at, end, &p)) {
		char *name, *value;

		if (p.name < text || p.value + p.value_len > end)
			abort();
		if (form_decode(ctx, p.value, p.value_len, &value, NULL) == 0 &&
		    (strlen(value) > p.value_len ||
			!str_utf8_valid(value, strlen(value))))
			abort();
		/* both readings of a name agree */
		if (form_decode(ctx, p.name, p.name_len, &name, NULL) == 0 &&
		    !form_is(p.name, p.name_len, name))
			abort();
	}
	mem_free(ctx);
	return 0;
}
