/* An account's export: recorded before its first line goes out. */
#include "account/takeout.h"

#include <stdio.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "http/response.h"
#include "telemetry/log.h"

#include "util/banned.h"

static int
write_piece(void *arg, const char *p, size_t n)
{
	return http_stream(arg, p, n);
}

static int
account_export(struct manage *m, struct err *e)
{
	const struct account *account = m->who->account;
	struct manage_change c = { .action = "account.export",
		.object = "account",
		.id = m->account };
	int64_t rows;

	if (manage_commit(m, &c, e) < 0)
		return -1;
	http_setf(m->resp, "Content-Disposition",
	    "attachment; filename=\"%s.ndjson\"", account->slug);
	http_set(m->resp, "Cache-Control", "no-store");
	if (http_stream_begin(m->resp, "application/x-ndjson") != 0 ||
	    account_takeout(m->app->db, &account->id, account->slug,
		write_piece, m->resp, &rows, e) == 0)
		return 0;
	/* The last line is missing, which says that it is not whole. */
	if (e->code != ERR_GONE)
		log_event(LOG_ERROR, "export_broken", "error", e->text, NULL);
	return 0;
}
MANAGE_HANDLER(api_account_export, account_export)
