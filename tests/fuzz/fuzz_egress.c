/*
 * URLs for the guard, and address ranges: what is read strictly libcurl reads
 * alike, so that no call goes to another host than the one that was checked;
 * reading what was written gives the same again.
 */
#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/egress.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
part_is(CURLU *u, CURLUPart part, unsigned flags, const char *want)
{
	char *s = NULL;

	if (curl_url_get(u, part, &s, flags) != CURLUE_OK ||
	    strcmp(s, want) != 0)
		abort();
	curl_free(s);
}

static void
part_absent(CURLU *u, CURLUPart part)
{
	char *s = NULL;

	if (curl_url_get(u, part, &s, 0) == CURLUE_OK)
		abort();
}

static void
check_url(const char *text)
{
	struct egress_url a, b;
	CURLU *u;

	if (egress_parse(text, &a, NULL) != 0)
		return;
	if (egress_parse(a.text, &b, NULL) != 0 ||
	    strcmp(a.text, b.text) != 0 || strcmp(a.host, b.host) != 0 ||
	    strcmp(a.port, b.port) != 0 || a.tls != b.tls)
		abort();
	u = curl_url();
	if (u == NULL || curl_url_set(u, CURLUPART_URL, a.text, 0) != CURLUE_OK)
		abort();
	part_is(u, CURLUPART_SCHEME, 0, a.tls ? "https" : "http");
	part_is(u, CURLUPART_HOST, 0, a.host);
	part_is(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, a.port);
	part_absent(u, CURLUPART_USER);
	part_absent(u, CURLUPART_PASSWORD);
	part_absent(u, CURLUPART_FRAGMENT);
	part_absent(u, CURLUPART_ZONEID);
	curl_url_cleanup(u);
}

/* A range opens what it says and, alone, not loopback. */
static void
check_range(void *ctx, const char *text)
{
	const char *const list[] = { text, NULL };
	const char *const none[] = { NULL };
	struct egress *g = egress_new(ctx, list, NULL);
	struct egress *closed = egress_new(ctx, none, NULL);

	if (closed == NULL || egress_allows(closed, "127.0.0.1") ||
	    egress_allows(closed, "::1") || egress_allows(closed, "fe80::1"))
		abort();
	if (strchr(text, '/') == NULL && g != NULL && !egress_allows(g, text))
		abort();
	if (g == NULL && egress_allows(closed, text))
		abort(); /* an address is a range */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup(NULL, (const char *)data, size);

	check_url(text);
	check_range(text, text);
	mem_free(text);
	return 0;
}
