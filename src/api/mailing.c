/* Links lead to the first of public_urls: a Host header is anybody's. */
#include "api/mailing.h"

#include "api/app.h"
#include "api/later.h"
#include "auth/link.h"
#include "auth/throttle.h"
#include "http/address.h"
#include "http/request.h"
#include "mail/queue.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

int
mailing_ready(const struct app *app, struct err *e)
{
	if (app->public_urls[0] != NULL)
		return 0;
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 3600,
	    "public_urls is not set in the server's configuration, so a mail's "
	    "link would lead nowhere");
}

const char *
mailing_link(
    const struct app *app, const void *ctx, const char *path, const char *token)
{
	return token != NULL
	           ? mem_printf(
			 ctx, "%s%s?token=%s", app->public_urls[0], path, token)
	           : mem_printf(ctx, "%s%s", app->public_urls[0], path);
}

int
mailing_send(const struct app *app, const char *name, const char *to,
    const struct mail_value *values, struct err *e)
{
	void *ctx = mem_root("mail");
	char *subject, *body;
	int rc = mail_template(
	    ctx, app->mail_templates, name, values, &subject, &body, e);

	if (rc == 0) {
		struct mail mail = {
			.to = to, .subject = subject, .text = body
		};

		rc = mail_put(&app->mail, &mail, e);
	}
	mem_free(ctx);
	return rc;
}

static int
send_link(struct app *app, const char *email, int64_t deadline, const void *ctx,
    struct err *e)
{
	struct link_made made = { 0 };
	int rc = link_new(app->db, email, deadline, ctx, &made, e);

	if (rc <= 0)
		return rc;
	const struct mail_value values[] = { { "product", "Switchboard" },
		{ "email", made.email }, { "until", made.until },
		{ "link", mailing_link(app, ctx, "/password", made.token) },
		{ NULL, NULL } };

	return mailing_send(app, "reset", made.email, values, e);
}

static void
reset(struct app *app, const json_t *email, int64_t deadline, const void *ctx)
{
	struct err e = { 0 };

	if (email == NULL)
		return; /* no text: nobody's */
	if (send_link(app, json_string_value(email), deadline, ctx, &e) < 0)
		log_event(LOG_ERROR, "mail_not_sent", "mail", "reset", "error",
		    e.text, NULL);
}

bool
mailing_may(const struct http_req *req, const char *what, const char *email)
{
	const char *name = mem_printf(req->ctx, "%s %s", what, email);
	char client[ADDRESS_CLIENT_TEXT];
	int wait;

	address_client(req->client_address, client);
	if (throttle_check(name, client, clock_mono(), &wait) != 0)
		return false;
	throttle_failed(name, client, clock_mono());
	return true;
}

int
mailing_reset(struct app *app, const struct http_req *req, const char *email,
    struct err *e)
{
	if (!mailing_may(req, "reset", email))
		return 0;
	return later_put(app->later, reset, json_string(email), e);
}
