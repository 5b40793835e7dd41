/* Why a turn was answered as it was, for those who look after the account. */
#include "gateway/why.h"

#include <string.h>

#include "account/account.h"
#include "chat/live.h"
#include "chat/session.h"
#include "chat/session_priv.h"
#include "chat/store_priv.h"
#include "util/mem.h"

#include "util/banned.h"

/* The record with the turn's own end in front. */
static json_t *
with_end(const char *turn, const char *status, const char *finish,
    const char *error, const json_t *why)
{
	json_t *all = json_pack("{s:s, s:s, s:s?, s:s?}", "turn_id", turn,
	    "status", status, "finish_reason", finish, "error", error);

	json_object_update_new(all, why_show(why));
	return all;
}

int
chat_turn_why(struct db_pool *db, const struct account *account,
    const struct uuid *turn, int64_t deadline, json_t **ret, struct err *e)
{
	char tenant[UUID_TEXT], id[UUID_TEXT];
	struct db_call call = {
		.stmt = &chat_stmt_why, .param = { tenant, id }, .nparams = 2
	};
	json_auto_t *stored = NULL;
	const struct db_result *r;
	void *ctx = mem_root("why");
	int rc;

	id_format(&account->id, tenant);
	id_format(turn, id);
	rc = db_run(db, DB_READ, &account->id, &call, 1, deadline, ctx, e);
	if (rc < 0) {
		mem_free(ctx);
		return -1;
	}
	r = call.result;
	if (db_rows(r) > 0) {
		if (!db_null(r, 0, 3))
			stored = session_stored_json(r, 0, 3);
		*ret = with_end(id, db_text(r, 0, 0),
		    db_null(r, 0, 1) ? NULL : db_text(r, 0, 1),
		    db_null(r, 0, 2) ? NULL : db_text(r, 0, 2), stored);
	} else if (live_find(turn, &account->id, NULL)) {
		*ret = with_end(id, "running", NULL, NULL, NULL);
	} else {
		rc = err_set(e, ERR_NOT_FOUND, "nothing has this id");
	}
	mem_free(ctx);
	return rc;
}
