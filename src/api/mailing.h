/* Mails of the program's own, from the texts in mail_templates_dir. */
#ifndef API_MAILING_H
#define API_MAILING_H

#include <stdbool.h>

#include "mail/template.h"
#include "util/err.h"

struct app;

/* Is there an address to make links of?  0, or -1 with ERR_UNAVAILABLE naming
 * the parameter that is not set. */
int mailing_ready(const struct app *, struct err *e);
/* "PUBLIC_URL/path?token=...", below ctx; mailing_ready() holds.  Never from
 * anything that a request says. */
const char *mailing_link(
    const struct app *, const void *ctx, const char *path, const char *token);
/* Put mail ${name} to ${to} into the queue.  0 or -1. */
int mailing_send(const struct app *, const char *name, const char *to,
    const struct mail_value *values, struct err *e);

/*
 * The mail with a link for a forgotten password, if somebody has the address
 * and it was not asked for too often; nobody is told, and it is looked up
 * later.  0, or -1 with ERR_UNAVAILABLE, whoever was asked for.
 */
struct http_req;
int mailing_reset(
    struct app *, const struct http_req *, const char *email, struct err *e);

/*
 * May ${what} (such as "reset") be asked for ${email} from here?  Asking counts
 * like failing to sign in, apart from it: five, then slower.
 */
bool mailing_may(const struct http_req *, const char *what, const char *email);

#endif
