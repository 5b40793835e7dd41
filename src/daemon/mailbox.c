/* From parameters to the mail's own settings. */
#include "daemon/mailbox.h"

#include "conf/conf.h"
#include "util/mem.h"

#include "util/banned.h"

void
mailbox_conf(const void *ctx, const struct conf *c, struct mail_conf *out)
{
	*out = (struct mail_conf){
		.url = c->mail_url,
		.user = c->mail_user,
		.password_file = c->mail_password_file,
		.from = c->mail_from,
		.timeout_ms = (int)c->mail_timeout,
		.retry_ms = (int)c->mail_retry,
		.give_up_s = (int)(c->mail_give_up / 1000),
		.queue_dir = mem_printf(ctx, "%s/mail", c->state_dir),
		.sink_dir = mem_printf(ctx, "%s/mail", c->run_dir),
	};
}

int
mailbox_check(const struct conf *c, struct err *e)
{
	void *ctx = mem_root("mailbox");
	struct mail_conf m;
	int rc;

	mailbox_conf(ctx, c, &m);
	rc = mail_check(&m, e);
	mem_free(ctx);
	return rc;
}
