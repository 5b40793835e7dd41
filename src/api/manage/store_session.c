/* The SQL of sessions, as those who look after the account see them. */
#include "api/manage/store.h"

#include "util/banned.h"

/* A turn's id may seem up to two days older than its session (chat/history.h);
 * the bound spares a look into every month there has been. */
#define TURNS                                                                  \
	"FROM turns t WHERE t.account_id = $1::uuid AND t.session_id = s.id "  \
	"AND t.id >= uuid_floor(s.created_at - interval '49 hours') "
#define STATUS                                                                 \
	"CASE WHEN EXISTS (SELECT FROM turns_open o WHERE o.account_id = "     \
	"$1::uuid AND o.session_id = s.id) THEN 'running' "                    \
	"WHEN s.handoff_at IS NOT NULL THEN 'handoff' ELSE "                   \
	"(SELECT t.status " TURNS "ORDER BY t.id DESC LIMIT 1) END"
/* With its id alone where she is no more. */
#define VISITOR                                                                \
	"CASE WHEN s.visitor_id IS NOT NULL THEN (SELECT jsonb_build_object("  \
	"'id', s.visitor_id, 'external_id', v.external_id, 'name', v.name, "   \
	"'email', v.email) FROM (SELECT) one LEFT JOIN visitors v "            \
	"ON v.account_id = $1::uuid AND v.id = s.visitor_id) END"
#define HANDED ROWS_UTC("s.handoff_at")
#define MADE ROWS_UTC("s.created_at")
#define ACTIVE ROWS_UTC("s.last_activity_at")
#define COLS                                                                   \
	"s.id, s.session_key, s.email, s.is_anonymous, "                       \
	"s.widget_key_id, " VISITOR ", "                                       \
	"(SELECT count(*) " TURNS "), " STATUS ", " HANDED ", " MADE           \
	", " ACTIVE
#define FROM_ID "uuid_floor(" ROWS_FROM_US("$3") ")"
#define TO_ID "uuid_floor(" ROWS_FROM_US("$4") ")"

const struct rows_col manage_store_session_cols[] = { { "id", ROW_TEXT },
	{ "session_key", ROW_TEXT }, { "email", ROW_TEXT },
	{ "is_anonymous", ROW_BOOL }, { "widget_key_id", ROW_TEXT },
	{ "visitor", ROW_JSON }, { "turns", ROW_INT }, { "status", ROW_TEXT },
	{ "handoff_at", ROW_TEXT }, { "created_at", ROW_TEXT },
	{ "last_activity_at", ROW_TEXT }, { NULL, ROW_END } };

const struct db_stmt manage_store_session = { "manage_session",
	"SELECT " COLS ", '' FROM sessions s "
	"WHERE s.account_id = $1::uuid AND s.id = $2::uuid" };

/*
 * Newest first, with parameters in one order.  Most sessions have ended well,
 * so a page of these, or of all, is found on the way; of the others their turns
 * tell first which they may be.
 */
#define LIST(from)                                                             \
	"SELECT " COLS ", s.id FROM " from " s.account_id = $1::uuid "         \
	"AND s.id >= " FROM_ID " AND s.id < " TO_ID " "                        \
	"AND ($6::uuid IS NULL OR s.id < $6::uuid) "                           \
	"AND ($2::uuid IS NULL OR EXISTS (SELECT " TURNS                       \
	"AND t.agent_instance_id = $2::uuid)) "                                \
	"AND ($5::text IS NULL OR $5 = " STATUS ") "                           \
	"ORDER BY s.id DESC LIMIT $7::integer"

const struct db_stmt manage_store_sessions = { "manage_sessions",
	LIST("sessions s WHERE") };

const struct db_stmt manage_store_sessions_unusual = {
	"manage_sessions_unusual",
	LIST("(SELECT DISTINCT t.session_id FROM turns t "
	     "WHERE t.account_id = $1::uuid AND t.status = $5::text "
	     "AND t.status <> 'completed' "
	     "AND ($6::uuid IS NULL OR t.session_id < $6::uuid) "
	     "ORDER BY t.session_id DESC) f "
	     "JOIN sessions s ON s.id = f.session_id WHERE")
};

const struct db_stmt manage_store_sessions_handoff = {
	"manage_sessions_handoff",
	LIST("sessions s WHERE s.handoff_at IS NOT NULL AND")
};

const struct db_stmt manage_store_sessions_running = {
	"manage_sessions_running",
	LIST("(SELECT DISTINCT t.session_id FROM turns_open t "
	     "WHERE t.account_id = $1::uuid) f "
	     "JOIN sessions s ON s.id = f.session_id WHERE")
};
