/*
 * Where a call goes, in the forms libcurl wants.
 */
#include "net/target_priv.h"

#include <stdio.h>
#include <string.h>

#include "util/banned.h"

static bool
part_copy(CURLU *u, CURLUPart part, unsigned flags, char *out, size_t size)
{
	char *s = NULL;
	bool ok = false;

	if (curl_url_get(u, part, &s, flags) == CURLUE_OK && s) {
		size_t n = strlen(s);
		if (n < size) {
			memcpy(out, s, n + 1);
			ok = true;
		}
	}
	curl_free(s);
	return ok;
}

static int
parse(const char *url, struct target *t)
{
	char scheme[8];
	bool ok;
	CURLU *u = curl_url();

	if (!u)
		return -1;
	ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	     part_copy(u, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) &&
	     part_copy(u, CURLUPART_HOST, 0, t->host, sizeof(t->host)) &&
	     part_copy(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, t->port,
		 sizeof(t->port)) &&
	     (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_url_cleanup(u);
	if (!ok)
		return -1;
	snprintf(t->origin, sizeof(t->origin), "%s://%s:%s", scheme, t->host,
	    t->port);
	return 0;
}

int
target_parse(const char *url, struct target *t)
{
	/* A thread asks the same provider again and again; libcurl's parser
	 * takes two dozen pieces of memory for it. */
	static _Thread_local struct {
		char url[256];
		struct target target;
	} last;
	size_t n = strlen(url);

	if (n > 0 && strcmp(url, last.url) == 0) {
		*t = last.target;
		return 0;
	}
	if (parse(url, t) != 0)
		return -1;
	if (n < sizeof(last.url)) {
		memcpy(last.url, url, n + 1);
		last.target = *t;
	}
	return 0;
}

struct curl_slist *
target_addresses(const struct target *t, const struct resolved *a)
{
	char text[RESOLVE_NAME + 16 + RESOLVE_ADDRS * (INET6_ADDRSTRLEN + 3)];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "%s:%s:", t->host, t->port);
	for (int i = 0; i < a->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s",
		    i ? "," : "", strchr(a->addr[i], ':') ? "[" : "",
		    a->addr[i], strchr(a->addr[i], ':') ? "]" : "");
	return curl_slist_append(NULL, text);
}

struct curl_slist *
target_headers(const char *const *lines)
{
	/* Without it libcurl waits for 100-continue with large bodies. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	for (int i = 0; list && lines && lines[i]; i++) {
		struct curl_slist *more = curl_slist_append(list, lines[i]);
		if (!more)
			curl_slist_free_all(list);
		list = more;
	}
	return list;
}
