/* Entries of an origin list: one that may stand in a list lets its own site
 * in, and no text that is no origin. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *entry = mem_strndup(NULL, (const char *)data, size);
	size_t n = strlen(entry);
	char *site = mem_strdup(entry, entry);
	char **list;
	int count;

	if (origin_entry_ok(entry)) {
		if (n > 2 && strcmp(site + n - 2, ":*") == 0) {
			site[n - 2] = '\0';
			if (origin_allowed(entry, &entry, 1))
				abort(); /* "*" is no port */
		}
		if (!origin_allowed(site, &entry, 1))
			abort();
		if (strpbrk(entry, " \r\n\t/@?#") != strstr(entry, "//"))
			abort();
	} else if (origin_allowed(entry, &entry, 1))
		abort();
	list = origin_list(entry, entry, &count);
	(void)origin_allowed("https://a.test:1", list, count);
	mem_free(entry);
	return 0;
}
