/* Ending sign-ins, for routes and pages. */
#include "api/sign_out.h"

#include "api/app.h"
#include "audit/audit.h"
#include "auth/sign_in.h"
#include "http/request.h"
#include "util/clock.h"
#include "util/id.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)

int
sign_out(struct app *app, const struct http_req *req, const struct uuid *user,
    const struct uuid *id, const char *reason, int64_t *n, struct err *e)
{
	char text[UUID_TEXT];
	const struct audit_entry self = { .actor_kind = "user",
		.actor_id = text,
		.address = req->client_address,
		.request_id = req->request_id };

	id_format(user, text);
	return sign_in_end(
	    app->db, user, id, reason, &self, req->started + WAIT, n, e);
}
