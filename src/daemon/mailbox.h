/* The mail parameters as src/mail wants them. */
#ifndef DAEMON_MAILBOX_H
#define DAEMON_MAILBOX_H

#include "mail/queue.h"

struct conf;

/* Texts are the configuration's, or talloc'd below ctx. */
void mailbox_conf(const void *ctx, const struct conf *, struct mail_conf *out);
/* mail_check() of the configuration. */
int mailbox_check(const struct conf *, struct err *e);

#endif
