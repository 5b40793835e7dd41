/* A template, strict and not, and what it makes of a few values: no more than
 * the bounds, and nothing that is not escaped where all is to be. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "page/mustache.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *values;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	values = json_pack("{s:s, s:[i,f,s], s:{s:{s:b}}, s:n, s:b, s:[]}", "a",
	    "\001<&>\"'{{b}}", "b", 1, 0.5, "x", "c", "d", "e", 1, "n", "t", 1,
	    "z");
	return values != NULL ? 0 : -1;
}

static void
try(const char *text, size_t n, bool strict)
{
	void *ctx = mem_root("fuzz");
	struct mustache *m = mustache_new(ctx, strict);
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, ctx, 65536);
	if (mustache_add(m, "main", text, n, &e) != 0) {
		if (strncmp(e.text, "main:", 5) != 0)
			abort(); /* every refusal names a line */
	} else if (mustache_check(m, &e) == 0 &&
		   mustache_render(m, "main", values, &out, &e) == 0) {
		/* the value that only a strict set must escape */
		if (out.len > 65536 ||
		    (strict && memmem(text, n, "\001", 1) == NULL &&
			out.len > 0 &&
			memmem(out.data, out.len, "\001<", 2) != NULL))
			abort();
	}
	mem_free(ctx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try((const char *)data, size, true);
	try((const char *)data, size, false);
	return 0;
}
