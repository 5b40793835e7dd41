/* What agents do and have done, and why they were answered so. */
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "chat/live.h"
#include "chat/session.h"
#include "http/request.h"
#include "util/clock.h"

#include "util/banned.h"

#define READ_WAIT (10 * CLOCK_S)

static json_t *
progress_of(const struct live_progress *p)
{
	char id[UUID_TEXT];

	id_format(&p->credential, id);
	return json_pack("{s:s, s:i, s:i, s:s?}", "doing", p->doing, "attempts",
	    (int)p->attempts, "characters", (int)p->characters, "credential_id",
	    id_is_nil(&p->credential) ? NULL : id);
}

/* How far it is, where it runs on this host; the account's it is already. */
static void
add_progress(json_t *activity)
{
	const char *text = json_string_value(json_object_get(activity, "id")),
		   *status =
		       json_string_value(json_object_get(activity, "status"));
	json_t *progress = NULL;
	struct live_progress p;
	struct uuid id;

	if (strcmp(status, "running") == 0 &&
	    id_parse(text, strlen(text), &id) == 0 && live_progress(&id, &p))
		progress = progress_of(&p);
	json_object_set_new(
	    activity, "progress", progress != NULL ? progress : json_null());
}

static int
activity_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "running", "completed", "failed",
		NULL };
	const char *status = manage_word(m, "status", states, e), *agent;
	struct uuid id;

	if (e->code != ERR_NONE)
		return -1;
	agent = manage_query(m, "agent", e);
	if (e->code != ERR_NONE)
		return -1;
	if (agent != NULL && id_parse(agent, strlen(agent), &id) != 0)
		return err_set(e, ERR_INVALID, "agent must be an agent's id");
	bool failed = status != NULL && strcmp(status, "failed") == 0;
	struct db_call call = { .stmt = failed ? &manage_store_activities_failed
		                               : &manage_store_activities,
		.param = { m->account, agent, status },
		.nparams = 3 };

	return manage_page(
	    m, &call, manage_store_activity_cols, add_progress, e);
}
MANAGE_HANDLER(api_activity_list, activity_list)

static int
activity_get(struct manage *m, struct err *e)
{
	static const struct manage_object object = { "activity",
		&manage_store_activity, NULL, manage_store_activity_show_cols,
		add_progress };
	struct manage_found found;
	char id[UUID_TEXT];
	int rc;

	if (manage_id(m, "activity_id", id, e) != 0 ||
	    manage_find(m, &object, id, &found, e) != 0)
		return -1;
	rc = manage_answer(m, 200, found.json, NULL);
	json_decref(found.json);
	return rc;
}
MANAGE_HANDLER(api_activity_get, activity_get)

static int
turn_why(struct manage *m, struct err *e)
{
	json_auto_t *why = NULL;
	char text[UUID_TEXT];
	struct uuid id;

	if (manage_id(m, "turn_id", text, e) != 0)
		return -1;
	if (id_parse(text, strlen(text), &id) != 0 ||
	    chat_turn_why(m->app->db, m->who->account, &id,
		m->req->started + READ_WAIT, &why, e) != 0)
		return -1;
	return manage_answer(m, 200, why, NULL);
}
MANAGE_HANDLER(api_turn_why_get, turn_why)
