/*
 * Origins: lines 2 and later are a list, line 1 an Origin header.  One that is
 * allowed is in the list, or has scheme and host of an entry with ":*"; and
 * whatever it is, it makes no second header.
 */
#include "fuzz_http.h"

#include "account/account.h"
#include "http/cors.h"
#include "telemetry/log.h"

#include "util/banned.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return log_open("/dev/null", LOG_ERROR, NULL);
}

static void
check_allowed(const char *origin, char *const *list, int n)
{
	for (int i = 0; i < n; i++) {
		size_t len = strlen(list[i]);

		if (strcmp(origin, list[i]) == 0)
			return;
		if (len > 2 && strcmp(list[i] + len - 2, ":*") == 0 &&
		    strncmp(origin, list[i], len - 2) == 0 &&
		    (origin[len - 2] == '\0' || origin[len - 2] == ':'))
			return;
	}
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_http f;
	struct http_resp *r;
	int n = 0;

	fuzz_open(&f, data, size);
	while (n < FUZZ_PARAMS && f.env[n] != NULL)
		n++;
	r = http_resp_new(f.req, &f.io);
	if (n > 1 && origin_allowed(f.env[0], f.env + 1, n - 1)) {
		check_allowed(f.env[0], f.env + 1, n - 1);
		cors_allow(r, f.env[0]);
	}
	if (n > 0)
		cors_preflight(r, f.env[0]);
	if (n > 0) {
		int lines = 0;

		for (const char *s = f.out; (s = strstr(s, "\r\n")) != NULL;
		     s += 2)
			lines++;
		if (lines > 9)
			abort();
	}
	fuzz_close(&f);
	return 0;
}
