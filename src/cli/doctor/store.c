/* The doctor's SQL: the catalogue against the rules of the schema. */
#include "cli/doctor/store.h"

#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PATIENCE (10 * CLOCK_S)

static const struct db_stmt roles_sql = { "doctor_roles",
	"SELECT name || ' is missing'"
	" FROM unnest(ARRAY['sb_owner', 'sb_chat', 'sb_admin', 'sb_writer',"
	"  'sb_job', 'sb_gate']) AS name"
	" WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)"
	" UNION ALL "
	"SELECT rolname || concat(CASE WHEN rolsuper THEN"
	"  ' is a superuser' END, CASE WHEN rolbypassrls THEN"
	"  ' bypasses row security' END, CASE WHEN rolcreatedb OR"
	"  rolcreaterole THEN ' may create roles or databases' END)"
	" FROM pg_roles WHERE rolname IN"
	" ('sb_owner', 'sb_chat', 'sb_admin', 'sb_writer', 'sb_job',"
	"  'sb_gate') AND (rolsuper OR rolbypassrls OR rolcreatedb OR"
	"  rolcreaterole)"
	" UNION ALL "
	"SELECT 'sb_gate may log in' FROM pg_roles"
	" WHERE rolname = 'sb_gate' AND rolcanlogin"
	" UNION ALL "
	"SELECT m.rolname || ' is a member of ' || r.rolname"
	" FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member"
	" JOIN pg_roles r ON r.oid = a.roleid WHERE m.rolname IN"
	" ('sb_chat', 'sb_admin', 'sb_writer', 'sb_job', 'sb_gate')"
	" UNION ALL "
	"SELECT r.rolname || ' owns ' || c.oid::regclass"
	" FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
	" WHERE r.rolname IN"
	" ('sb_chat', 'sb_admin', 'sb_writer', 'sb_job', 'sb_gate')"
	" UNION ALL "
	"SELECT r.rolname || ' may create in schema ' || n.nspname"
	" FROM pg_namespace n, pg_roles r"
	" WHERE n.nspname IN ('control', 'data', 'gate', 'public')"
	" AND r.rolname IN"
	" ('sb_chat', 'sb_admin', 'sb_writer', 'sb_job', 'sb_gate')"
	" AND has_schema_privilege(r.rolname, n.oid, 'CREATE')" };

/* Every table with an account, and every partition of one. */
static const struct db_stmt rows_sql = { "doctor_rows",
	"WITH tenant AS (SELECT c.* FROM pg_class c"
	"  JOIN pg_namespace n ON n.oid = c.relnamespace"
	"  WHERE n.nspname IN ('control', 'data') AND c.relkind IN ('r', 'p')"
	"  AND (c.oid = 'control.accounts'::regclass OR EXISTS (SELECT"
	"   FROM pg_attribute a WHERE a.attrelid = c.oid"
	"   AND a.attname = 'account_id' AND NOT a.attisdropped))) "
	"SELECT oid::regclass || ': row security is not forced' FROM tenant"
	" WHERE NOT (relrowsecurity AND relforcerowsecurity)"
	" UNION ALL "
	"SELECT oid::regclass || ': no policy for the account of the"
	" transaction' FROM tenant t WHERE NOT EXISTS (SELECT"
	"  FROM pg_policy p WHERE p.polrelid = t.oid"
	"  AND pg_get_expr(p.polqual, p.polrelid) ILIKE"
	"   '%nullif(current_setting(''app.account_id''%'"
	"  AND p.polwithcheck IS NOT NULL)"
	" UNION ALL "
	"SELECT t.oid::regclass || ': policy ' || p.polname || ' shows all'"
	" FROM tenant t JOIN pg_policy p ON p.polrelid = t.oid"
	" WHERE p.polpermissive"
	" AND pg_get_expr(p.polqual, p.polrelid) = 'true'"
	" AND NOT (p.polroles <@ ARRAY(SELECT oid FROM pg_roles"
	"  WHERE rolname IN ('sb_owner', 'sb_gate')))"
	" UNION ALL "
	"SELECT c.oid::regclass || ': a partition with grants of its own'"
	" FROM tenant c WHERE c.relispartition AND EXISTS (SELECT"
	"  FROM aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee"
	"  WHERE r.rolname IN ('sb_chat', 'sb_admin', 'sb_writer', 'sb_job',"
	"   'sb_gate'))"
	" UNION ALL "
	"SELECT c.oid::regclass || ': a view with its owner''s rights'"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('v', 'm') AND n.nspname IN ('control', 'data')"
	" AND NOT coalesce(c.reloptions && ARRAY['security_invoker=true',"
	"  'security_invoker=on'], false)" };

static const struct db_stmt partitions_sql = { "doctor_partitions",
	"SELECT concat(c.relname, ' has no partition for ',"
	"  to_char(at AT TIME ZONE 'UTC', 'YYYY-MM'))"
	" FROM pg_partitioned_table t JOIN pg_class c ON c.oid = t.partrelid"
	" CROSS JOIN unnest(ARRAY[now(), now() + interval '1 month']) AS at"
	" WHERE c.relnamespace = 'data'::regnamespace AND to_regclass("
	"  'data.' || c.relname || to_char(at AT TIME ZONE 'UTC',"
	"  '\"_p\"YYYYMM')) IS NULL" };

static const struct db_stmt server_sql = { "doctor_server",
	"SELECT current_setting('server_version_num')::bigint,"
	" (SELECT sum(numbackends) FROM pg_stat_database),"
	" current_setting('max_connections')::bigint"
	" - current_setting('superuser_reserved_connections')::bigint,"
	" (extract(epoch FROM clock_timestamp()) * 1000000)::bigint" };

/* The rows of a statement, one text each, joined. */
static int
findings(struct db_pool *db, const struct db_stmt *stmt, const void *ctx,
    char **ret, struct err *e)
{
	struct db_call call = { .stmt = stmt };
	char *text = mem_strdup(ctx, "");

	if (db_run(db, DB_READ, NULL, &call, 1, clock_mono() + PATIENCE, ctx,
		e) != 0)
		return -1;
	for (int i = 0; i < db_rows(call.result); i++)
		text = mem_printf(ctx, "%s%s%s", text, i > 0 ? "; " : "",
		    db_text(call.result, i, 0));
	*ret = text;
	return 0;
}

int
store_bad_roles(struct db_pool *db, const void *ctx, char **ret, struct err *e)
{
	return findings(db, &roles_sql, ctx, ret, e);
}

int
store_bad_rows(struct db_pool *db, const void *ctx, char **ret, struct err *e)
{
	return findings(db, &rows_sql, ctx, ret, e);
}

int
store_bad_partitions(
    struct db_pool *db, const void *ctx, char **ret, struct err *e)
{
	return findings(db, &partitions_sql, ctx, ret, e);
}

int
store_server(struct db_pool *db, struct store_server *s, struct err *e)
{
	struct db_call call = { .stmt = &server_sql };
	void *ctx = mem_root("server");
	int rc;

	s->asked_us = clock_wall_us();
	rc = db_run(
	    db, DB_READ, NULL, &call, 1, clock_mono() + PATIENCE, ctx, e);
	s->answered_us = clock_wall_us();
	if (rc == 0) {
		s->version = db_int(call.result, 0, 0);
		s->connections = db_int(call.result, 0, 1);
		s->connections_max = db_int(call.result, 0, 2);
		s->clock_us = db_int(call.result, 0, 3);
	}
	mem_free(ctx);
	return rc;
}

static const struct db_stmt written_sql = { "doctor_written",
	"SELECT pg_current_wal_lsn()" };
static const struct db_stmt replayed_sql = { "doctor_replayed",
	"SELECT pg_is_in_recovery(),"
	" coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)" };

int
store_written(struct db_pool *db, const void *ctx, char **ret, struct err *e)
{
	struct db_call call = { .stmt = &written_sql };

	if (db_run(db, DB_READ, NULL, &call, 1, clock_mono() + PATIENCE, ctx,
		e) != 0)
		return -1;
	*ret = mem_strdup(ctx, db_text(call.result, 0, 0));
	return 0;
}

int
store_replayed(struct db_pool *db, const char *written, bool *standby,
    bool *there, struct err *e)
{
	struct db_call call = {
		.stmt = &replayed_sql, .param = { written }, .nparams = 1
	};
	void *ctx = mem_root("replica");
	int rc = db_run(
	    db, DB_READ, NULL, &call, 1, clock_mono() + PATIENCE, ctx, e);

	if (rc == 0) {
		*standby = db_bool(call.result, 0, 0);
		*there = db_bool(call.result, 0, 1);
	}
	mem_free(ctx);
	return rc;
}
