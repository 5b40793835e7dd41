/*
 * Paths: a match means that the path is, byte for byte, the pattern with its
 * variables filled in, and holds nothing that can be read in a second way.
 */
#include "fuzz_http.h"

#include <stdio.h>

#include "http/router.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const table[][2] = {
	{ "GET", "/" },
	{ "POST", "/accounts/{slug}/chat/{type}/{name}" },
	{ "GET", "/accounts/{slug}/turns/{id}" },
	{ "DELETE", "/accounts/{slug}/turns/{id}" },
	{ "GET", "/admin" },
	{ "GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}" },
};

static bool
row(const void *t, int i, const char **method, const char **pattern)
{
	(void)t;
	if (i >= (int)(sizeof(table) / sizeof(*table)))
		return false;
	*method = table[i][0];
	*pattern = table[i][1];
	return true;
}

static void
check(const struct http_req *req, const char *pattern)
{
	char built[4096];
	size_t n = 0;
	int var = 0;

	for (const char *s = pattern; *s != '\0';) {
		const char *from = s;
		size_t len = 1;

		if (*s == '{') {
			if (var == req->nvars)
				return; /* more than are kept */
			from = req->vars[var++].value;
			len = strlen(from);
			s = strchr(s, '}');
		}
		memcpy(built + n, from, len);
		n += len;
		s++;
	}
	built[n] = '\0';
	if (strcmp(built, req->path) != 0 || strpbrk(built, "%\\ \t") ||
	    strstr(built, "//") || strstr(built, "/../") ||
	    strstr(built, "/./"))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_http f;
	struct route_match m;

	fuzz_open(&f, data, size);
	router_find(f.req, row, NULL, &m);
	if (m.row >= 0)
		check(f.req, table[m.row][1]);
	else if (m.other_method && m.allow[0] == '\0')
		abort();
	fuzz_close(&f);
	return 0;
}
