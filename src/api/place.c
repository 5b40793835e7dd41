/* 127.0.0.1 and localhost are one place where one of them is listed, or nothing
 * is: what is there has not left the machine. */
#include "api/place.h"

#include <string.h>
#include <strings.h>

#include "api/app.h"
#include "http/request.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define HTTP "http://"
#define HTTPS "https://"
#define PATH_MOST 512

/* "127.0.0.1", "localhost" or "[::1]", and its port ("" or ":8080") in *port.
 */
static bool
loopback(const char *host, const char **port)
{
	static const char *const names[] = { "127.0.0.1", "localhost",
		"[::1]" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i]);

		if (strncasecmp(host, names[i], n) != 0)
			continue;
		*port = host + n;
		if (**port == '\0' ||
		    (**port == ':' &&
			strspn(*port + 1, "0123456789") == strlen(*port + 1)))
			return true;
	}
	return false;
}

static bool
listed(const struct app *app, const char *scheme, const char *host)
{
	size_t n = strlen(scheme);

	for (const char *const *u = app->public_urls; u != NULL && *u != NULL;
	     u++)
		if (strncasecmp(*u, scheme, n) == 0 &&
		    strcasecmp(*u + n, host) == 0)
			return true;
	return false;
}

/* Is some loopback address with that port listed, or none of any kind? */
static bool
listed_loopback(const struct app *app, const char *port)
{
	const char *other;

	if (app->public_urls == NULL || app->public_urls[0] == NULL)
		return true;
	for (const char *const *u = app->public_urls; *u != NULL; u++)
		if (str_starts(*u, HTTP) &&
		    loopback(*u + sizeof(HTTP) - 1, &other) &&
		    strcmp(port, other) == 0)
			return true;
	return false;
}

void
place_find(const struct app *app, const struct http_req *req, struct place *out)
{
	const char *port;

	memset(out, 0, sizeof(*out));
	/* TLS may have ended before the web server that is in front of us. */
	if (listed(app, HTTPS, req->host)) {
		out->origin = mem_printf(req->ctx, HTTPS "%s", req->host);
		out->secure = out->cookies = true;
		return;
	}
	if (strcmp(req->scheme, "http") != 0)
		return;
	out->cookies = loopback(req->host, &port);
	if (listed(app, HTTP, req->host) ||
	    (out->cookies && listed_loopback(app, port)))
		out->origin = mem_printf(req->ctx, HTTP "%s", req->host);
	else
		out->cookies = false;
}

int
place_check_source(
    const struct http_req *req, const struct place *place, struct err *e)
{
	const char *site = http_header(req, "sec-fetch-site");
	const char *origin = http_header(req, "origin");
	bool same = site != NULL && strcmp(site, "same-origin") == 0;

	if (place->origin == NULL)
		return err_set(e, ERR_DENIED,
		    "this address is none of public_urls in the server's "
		    "configuration");
	if (site != NULL && !same)
		return err_set(
		    e, ERR_DENIED, "this was sent by a page of another site");
	/* A page that gives no referrer away has "null" for an origin. */
	if (origin != NULL && strcasecmp(origin, place->origin) != 0 &&
	    !(same && strcmp(origin, "null") == 0))
		return err_set(
		    e, ERR_DENIED, "this was sent by a page of another site");
	if (origin == NULL && !same)
		return err_set(e, ERR_DENIED,
		    "the browser does not say which page sent this: it needs "
		    "an Origin or a Sec-Fetch-Site header");
	return 0;
}

bool
place_path_ok(const char *path)
{
	size_t n = strnlen(path, PATH_MOST + 1);

	if (n > PATH_MOST || path[0] != '/' || path[1] == '/')
		return false;
	/* Of a path of ours nothing needs an escape; a query is good too. */
	return strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
			    "xyz0123456789/._~-?=&") == n &&
	       strstr(path, "//") == NULL && strstr(path, "/.") == NULL;
}
