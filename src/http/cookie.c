/* A cookie is what the browser was told, or what somebody says it was. */
#include "http/cookie.h"

#include <stdio.h>
#include <string.h>

#include "http/request.h"
#include "http/response.h"
#include "util/mem.h"

#include "util/banned.h"

/* The part of the field that begins at *at, *at moved behind it; false: no
 * more. */
static bool
next_part(const char **at, const char **part, size_t *n)
{
	const char *p = *at + strspn(*at, "; \t");

	*part = p;
	*n = strcspn(p, ";");
	*at = p + *n;
	while (*n > 0 && (p[*n - 1] == ' ' || p[*n - 1] == '\t'))
		(*n)--;
	return *p != '\0';
}

const char *
http_cookie(const struct http_req *req, const char *name)
{
	const char *at = http_header(req, "cookie"), *part, *found = NULL;
	size_t n, len = strlen(name), found_len = 0;

	if (at == NULL)
		return NULL;
	while (next_part(&at, &part, &n)) {
		if (n <= len || part[len] != '=' ||
		    memcmp(part, name, len) != 0)
			continue;
		part += len + 1;
		n -= len + 1;
		if (found != NULL &&
		    (n != found_len || memcmp(part, found, n) != 0))
			return NULL;
		found = part;
		found_len = n;
	}
	return found != NULL ? mem_strndup(req->ctx, found, found_len) : NULL;
}

/* RFC 6265, 4.1.1: no controls, space, quote, comma, semicolon, backslash. */
static bool
octets_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f ||
		    strchr("\",;\\", *s) != NULL)
			return false;
	return true;
}

void
http_cookie_set(struct http_resp *resp, const char *name, const char *value,
    int64_t age, bool secure)
{
	char life[48] = "";
	bool good =
	    octets_ok(name) && strchr(name, '=') == NULL && octets_ok(value);

	if (age != 0)
		snprintf(life, sizeof(life), "; Max-Age=%lld",
		    (long long)(age > 0 ? age : 0));
	/* a value that is none is refused, with the name, further down */
	http_addf(resp, "Set-Cookie",
	    "%s=%s%s; Path=/; HttpOnly; SameSite=Lax%s", good ? name : "\n",
	    good ? value : "", life, secure ? "; Secure" : "");
}
