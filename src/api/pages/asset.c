/* Style sheets and scripts: kept by browsers for ever, since another text has
 * another name. */
#include <string.h>
#include <strings.h>

#include "api/app.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "http/request.h"
#include "http/response.h"
#include "page/pages.h"

#include "util/banned.h"

/* Does Accept-Encoding (may be NULL) take ${coding}? (RFC 9110, 12.5.3) */
static bool
takes(const char *accept, const char *coding)
{
	size_t want = strlen(coding);

	while (accept != NULL && *accept != '\0') {
		size_t n, word;

		accept += strspn(accept, ", \t");
		n = strcspn(accept, ",");
		word = strcspn(accept, ";, \t");
		if (word == want && strncasecmp(accept, coding, word) == 0)
			return memmem(accept, n, "q=0", 3) == NULL ||
			       memmem(accept, n, "q=0.", 4) != NULL;
		accept += n;
	}
	return false;
}

void
page_asset(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const char *accept = http_header(req, "accept-encoding");
	const struct asset *a =
	    app->pages != NULL ? pages_asset(app->pages, http_var(req, "file"))
			       : NULL;
	const struct asset_form *form;
	struct err e = { 0 };

	(void)who;
	if (a == NULL) {
		err_set(&e, ERR_NOT_FOUND, "nothing is at this address");
		problem_send(req, resp, &e, NULL);
		return;
	}
	form = &a->plain;
	if (a->br.data != NULL && takes(accept, "br"))
		form = &a->br;
	else if (a->gzip.data != NULL && takes(accept, "gzip"))
		form = &a->gzip;
	if (form != &a->plain)
		http_set(
		    resp, "Content-Encoding", form == &a->br ? "br" : "gzip");
	http_set(resp, "Vary", "Accept-Encoding");
	http_set(resp, "Cache-Control", "public, max-age=31536000, immutable");
	http_send(resp, a->type, form->data, form->len);
}
