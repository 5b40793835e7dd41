/* conf: any bytes give a configuration or a message with a place. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	void *root = mem_root("fuzz");
	const struct conf *c = NULL;
	struct err e = { .code = ERR_NONE };

	if (conf_parse(root, (const char *)data, n, "F", &c, &e) == 0) {
		if (c->threads < 1 || c->threads > 16384 ||
		    strlen(c->run_dir) > 80 || conf_needs_restart(c, c) != NULL)
			abort();
	} else if (c != NULL || e.code != ERR_INVALID ||
		   !str_starts(e.text, "F:") ||
		   talloc_total_blocks(root) != 1) {
		abort();
	}
	mem_free(root);
	return 0;
}
