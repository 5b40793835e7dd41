/* What agents do and have done, and why they were answered so. */
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "chat/session.h"
#include "http/request.h"
#include "util/clock.h"

#include "util/banned.h"

#define READ_WAIT (10 * CLOCK_S)

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
