/* The SQL of activities: the view of the turns that run and have ended. */
#include "api/manage/store.h"

#include "util/banned.h"

#define COLS                                                                   \
	"a.id, a.session_id, a.agent_instance_id, a.agent_type, "              \
	"a.agent_name, a.category, a.status, a.error_message, a.attempts, "    \
	"a.credential_id, a.credential_name, a.model, a.input_tokens, "        \
	"a.output_tokens, a.cached_input_tokens, a.cost_usd, a.duration_ms, "  \
	"a.metadata, " ROWS_UTC("a.started_at") ", " ROWS_UTC(                 \
	    "a.completed_at")
#define COLS_JSON                                                              \
	{ "id", ROW_TEXT }, { "session_id", ROW_TEXT },                        \
	    { "agent_id", ROW_TEXT }, { "agent_type", ROW_TEXT },              \
	    { "agent_name", ROW_TEXT }, { "category", ROW_TEXT },              \
	    { "status", ROW_TEXT }, { "error_message", ROW_TEXT },             \
	    { "attempts", ROW_INT }, { "credential_id", ROW_TEXT },            \
	    { "credential_name", ROW_TEXT }, { "model", ROW_TEXT },            \
	    { "input_tokens", ROW_INT }, { "output_tokens", ROW_INT },         \
	    { "cached_input_tokens", ROW_INT }, { "cost_usd", ROW_REAL },      \
	    { "duration_ms", ROW_INT }, { "metadata", ROW_JSON },              \
	    { "started_at", ROW_TEXT },                                        \
	{                                                                      \
		"completed_at", ROW_TEXT                                       \
	}

const struct rows_col manage_store_activity_cols[] = { COLS_JSON,
	{ NULL, ROW_END } };
const struct rows_col manage_store_activity_show_cols[] = { COLS_JSON,
	{ "input", ROW_JSON }, { "output", ROW_JSON }, { NULL, ROW_END } };

const struct db_stmt manage_store_activity = { "manage_activity",
	"SELECT " COLS ", a.input_data, a.output_data, '' "
	"FROM agent_activities a "
	"WHERE a.account_id = $1::uuid AND a.id = $2::uuid" };

/*
 * Newest first.  Those that failed are few and are found by what did not end
 * well; all others on the way.
 */
#define LIST                                                                   \
	"SELECT " COLS ", a.id FROM agent_activities a "                       \
	"WHERE a.account_id = $1::uuid "
#define REST                                                                   \
	"AND ($2::uuid IS NULL OR a.agent_instance_id = $2::uuid) "            \
	"AND ($3::text IS NULL OR a.status = $3) "                             \
	"AND ($4::uuid IS NULL OR a.id < $4::uuid) "                           \
	"ORDER BY a.id DESC LIMIT $5::integer"

const struct db_stmt manage_store_activities = { "manage_activities",
	LIST REST };

const struct db_stmt manage_store_activities_failed = {
	"manage_activities_failed", LIST
	"AND a.id IN (SELECT t.id FROM turns t "
	"WHERE t.account_id = $1::uuid AND t.status <> 'completed') " REST
};
