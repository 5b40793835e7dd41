/* Sessions and their transcripts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "chat/session.h"
#include "http/request.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define READ_WAIT (10 * CLOCK_S)
#define FAR_FUTURE INT64_C(253402300799000000) /* us: the year 9999 */

static const struct manage_object session_object = { "session",
	&manage_store_session, NULL, manage_store_session_cols, NULL };

/* ?agent= as an id; *ret NULL without one. */
static int
agent_asked(struct manage *m, const char **ret, struct err *e)
{
	const char *text = manage_query(m, "agent", e);
	struct uuid id;

	*ret = NULL;
	if (text == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	if (id_parse(text, strlen(text), &id) != 0)
		return err_set(e, ERR_INVALID, "agent must be an agent's id");
	*ret = text;
	return 0;
}

static const struct db_stmt *
list_for(const char *status)
{
	if (status == NULL || strcmp(status, "completed") == 0)
		return &manage_store_sessions;
	if (strcmp(status, "handoff") == 0)
		return &manage_store_sessions_handoff;
	return strcmp(status, "running") == 0 ? &manage_store_sessions_running
	                                      : &manage_store_sessions_unusual;
}

static int
session_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "running", "completed", "failed",
		"cancelled", "handoff", NULL };
	const char *agent, *status;
	int64_t from, to;

	status = manage_word(m, "status", states, e);
	if (e->code != ERR_NONE || agent_asked(m, &agent, e) != 0 ||
	    manage_time(m, "from", 0, &from, e) != 0 ||
	    manage_time(m, "to", FAR_FUTURE, &to, e) != 0)
		return -1;
	struct db_call call = { .stmt = list_for(status),
		.param = { m->account, agent,
		    mem_printf(m->ctx, "%" PRId64, from),
		    mem_printf(m->ctx, "%" PRId64, to), status },
		.nparams = 5 };

	return manage_page(m, &call, manage_store_session_cols, NULL, e);
}
MANAGE_HANDLER(api_session_list, session_list)

/* Its messages, a page at a time, oldest first. */
static int
session_get(struct manage *m, struct err *e)
{
	struct uuid session, message;
	struct manage_found found;
	json_t *page = NULL;
	const char *after;
	char id[UUID_TEXT];
	int limit, rc;

	if (manage_id(m, "session_id", id, e) != 0)
		return -1;
	after = manage_query(m, "after", e);
	if (e->code != ERR_NONE || http_query_limit(m->req, &limit, e) != 0)
		return -1;
	if (after != NULL && id_parse(after, strlen(after), &message) != 0)
		return err_set(e, ERR_INVALID, "after is not a message's id");
	if (manage_find(m, &session_object, id, &found, e) != 0)
		return -1;
	rc = id_parse(id, strlen(id), &session);
	if (rc == 0)
		rc = chat_session_messages(m->app->db, m->who->account,
		    &session, true, limit, after != NULL ? &message : NULL,
		    m->req->started + READ_WAIT, &page, e);
	if (rc == 0) {
		json_object_set_new(found.json, "messages", page);
		manage_answer(m, 200, found.json, NULL);
	}
	json_decref(found.json);
	return rc;
}
MANAGE_HANDLER(api_session_get, session_get)
