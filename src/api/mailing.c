/* Links lead to the first of public_urls: a Host header is anybody's. */
#include "api/mailing.h"

#include "api/app.h"
#include "mail/queue.h"
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
