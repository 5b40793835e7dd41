/* Where a browser is and where it may be led: a cookie without Secure stays on
 * this machine, a form's source is one of the listed addresses, and a path that
 * is taken leads nowhere else. */
#include "fuzz_http.h"

#include <strings.h>

#include "api/app.h"
#include "api/place.h"
#include "http/cookie.h"
#include "util/str.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const urls[] = { "https://chat.example.com",
	"http://127.0.0.1:8080", "http://intranet", NULL };

static void
check_path(const char *path)
{
	if (!place_path_ok(path))
		return;
	if (path[0] != '/' || path[1] == '/' || strlen(path) > 512 ||
	    strpbrk(path, "\\:@#%;\"'<> \t\r\n") != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct app app = { .public_urls = urls };
	struct place place;
	struct fuzz_http f;
	const char *origin, *site, *cookie;

	fuzz_open(&f, data, size);
	place_find(&app, f.req, &place);
	if (place.cookies &&
	    (place.origin == NULL ||
		(!place.secure &&
		    !str_starts(place.origin, "http://127.0.0.1") &&
		    strncasecmp(place.origin, "http://localhost", 16) != 0 &&
		    !str_starts(place.origin, "http://[::1]"))))
		abort();
	if (place.secure &&
	    strcasecmp(place.origin, "https://chat.example.com") != 0)
		abort();
	if (place_check_source(f.req, &place, NULL) == 0) {
		origin = http_header(f.req, "origin");
		site = http_header(f.req, "sec-fetch-site");
		if (place.origin == NULL ||
		    (origin != NULL && strcmp(origin, "null") != 0 &&
			strcasecmp(origin, place.origin) != 0) ||
		    ((origin == NULL || strcmp(origin, "null") == 0) &&
			(site == NULL || strcmp(site, "same-origin") != 0)))
			abort();
	}
	cookie = http_cookie(f.req, "sb-1");
	if (cookie != NULL && strchr(cookie, ';') != NULL)
		abort();
	for (int i = 0; i < f.req->nparams; i++)
		check_path(f.req->params[i].value);
	fuzz_close(&f);
	return 0;
}
