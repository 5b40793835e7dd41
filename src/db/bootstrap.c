/*
 * Roles and database of an installation.  All of it says what shall be, not
 * what shall change, so that it can be run again.
 */
#include "db/bootstrap.h"

#include <string.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"

#include "db/conn_priv.h"
#include "db/session_priv.h"

#include "util/banned.h"

#define CONNECT_S 10
#define LOCK_S 120
#define SQL_MAX 16384

#define RIGHTS                                                                 \
	"NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE "           \
	"NOREPLICATION"

/* The settings a role has in this database.  A reader of the server's log
 * sees no row of ours: errors are logged without their details. */
static const struct {
	const char *name;
	const char *login;
	const char *settings; /* name=value, separated by ; */
} roles[] = {
	{ "sb_gate", "NOLOGIN", "" },
	{ "sb_owner", "LOGIN", "lock_timeout='2s'" },
	{ "sb_chat", "LOGIN",
	    "statement_timeout='2s';lock_timeout='2s';"
	    "idle_in_transaction_session_timeout='10s';"
	    "log_error_verbosity=terse;"
	    /* as daemon/parts.c says why, for behind a pooler */
	    "plan_cache_mode=force_generic_plan;enable_seqscan=off" },
	{ "sb_admin", "LOGIN",
	    "statement_timeout='10s';lock_timeout='2s';"
	    "idle_in_transaction_session_timeout='10s';"
	    "log_error_verbosity=terse" },
	{ "sb_writer", "LOGIN",
	    "statement_timeout='2s';lock_timeout='2s';"
	    "idle_in_transaction_session_timeout='10s';"
	    "log_error_verbosity=terse;"
	    /* its few statements would be planned anew for each array */
	    "plan_cache_mode=force_generic_plan" },
	{ "sb_job", "LOGIN",
	    "statement_timeout='60s';lock_timeout='2s';"
	    "idle_in_transaction_session_timeout='10s';"
	    "log_error_verbosity=terse" },
};
#define ROLES (sizeof(roles) / sizeof(roles[0]))

static int
make_role(PGconn *pg, size_t i, const void *ctx, struct err *e)
{
	const char *name = roles[i].name;
	char *there = NULL;

	if (session_value(pg, "SELECT 1 FROM pg_roles WHERE rolname = $1", 1,
		&name, "roles", ctx, &there, e) != 0)
		return -1;
	return session_exec(pg,
	    mem_printf(ctx, "%s ROLE %s WITH %s " RIGHTS,
		there[0] == '\0' ? "CREATE" : "ALTER", name, roles[i].login),
	    name, e);
}

static int
set_password(PGconn *pg, const struct db_role_password *p, const void *ctx,
    struct err *e)
{
	char *verifier, *quoted;
	size_t i;
	int rc;

	for (i = 0; i < ROLES && strcmp(roles[i].name, p->role) != 0; i++)
		;
	if (i == ROLES || !strcmp(p->role, "sb_gate"))
		return err_set(e, ERR_INVALID, "no such role: %s", p->role);
	if (p->password == NULL)
		return 0;
	verifier =
	    PQencryptPasswordConn(pg, p->password, p->role, "scram-sha-256");
	if (verifier == NULL)
		return err_set(e, ERR_INTERNAL, "cannot prepare a password");
	quoted = PQescapeLiteral(pg, verifier, strlen(verifier));
	rc = session_exec(pg,
	    mem_printf(ctx, "ALTER ROLE %s PASSWORD %s", p->role, quoted),
	    p->role, e);
	PQfreemem(quoted);
	PQfreemem(verifier);
	return rc;
}

static int
make_database(PGconn *pg, const char *dbname, const char *quoted,
    const void *ctx, struct err *e)
{
	char *there = NULL;

	if (session_value(pg, "SELECT 1 FROM pg_database WHERE datname = $1", 1,
		&dbname, "databases", ctx, &there, e) != 0)
		return -1;
	if (there[0] != '\0')
		return session_exec(pg,
		    mem_printf(
			ctx, "ALTER DATABASE %s OWNER TO sb_owner", quoted),
		    dbname, e);
	/* Its encoding must not depend on where the cluster was made. */
	return session_exec(pg,
	    mem_printf(ctx,
		"CREATE DATABASE %s OWNER sb_owner TEMPLATE template0 "
		"ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
		quoted),
	    dbname, e);
}

/* search_path is pinned with pg_temp last, where it can shadow nothing. */
static void
settings_sql(struct buf *b, const char *db, size_t role)
{
	const char *s = roles[role].settings;
	size_t n;

	buf_addf(b,
	    "ALTER ROLE %s IN DATABASE %s SET search_path = control, data, "
	    "gate, pg_temp;"
	    "ALTER ROLE %s IN DATABASE %s SET timezone = 'UTC';"
	    "ALTER ROLE %s IN DATABASE %s SET jit = off;",
	    roles[role].name, db, roles[role].name, db, roles[role].name, db);
	for (; *s != '\0'; s += n + (s[n] == ';')) {
		n = strcspn(s, ";");
		buf_addf(b, "ALTER ROLE %s IN DATABASE %s SET %.*s;",
		    roles[role].name, db, (int)n, s);
	}
}

static int
set_up_database(PGconn *pg, const char *db, const void *ctx, struct err *e)
{
	struct buf b;
	size_t i;

	buf_init(&b, ctx, SQL_MAX);
	for (i = 0; i < ROLES; i++)
		if (!strcmp(roles[i].login, "LOGIN"))
			settings_sql(&b, db, i);
	buf_addf(&b,
	    "GRANT sb_gate TO sb_owner;"
	    "REVOKE ALL ON DATABASE %s FROM PUBLIC;"
	    "GRANT CONNECT ON DATABASE %s TO sb_chat, sb_admin, sb_writer, "
	    "sb_job;",
	    db, db);
	if (buf_failed(&b))
		return err_set(e, ERR_INTERNAL, "too many settings");
	return session_exec(pg, b.data, "settings", e);
}

/* Inside the new database. */
static const char sql_inside[] = "REVOKE ALL ON SCHEMA public FROM PUBLIC";

static int
set_up_inside(const struct conn_opts *super, struct err *e)
{
	PGconn *pg = conn_connect(super, clock_mono() + CONNECT_S * CLOCK_S, e);
	int rc;

	if (pg == NULL)
		return -1;
	rc = session_exec(pg, sql_inside, "schema public", e);
	PQfinish(pg);
	return rc;
}

static const char sql_is_super[] =
    "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
static const char sql_our_roles[] =
    "SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_roles "
    "WHERE rolname IN ('sb_owner', 'sb_chat', 'sb_admin', 'sb_writer', "
    "'sb_job', 'sb_gate')";
static const char sql_our_database[] =
    "SELECT 1 FROM pg_database WHERE datname = $1";

#define OLDEST_SERVER 150000

static int
look(PGconn *pg, const void *ctx, const char *dbname, struct db_found *found,
    struct err *e)
{
	char *text = NULL, *names = NULL;

	if (PQserverVersion(pg) < OLDEST_SERVER)
		return err_set(e, ERR_INVALID,
		    "the server is PostgreSQL %d; 15 or newer is needed",
		    PQserverVersion(pg) / 10000);
	if (session_value(pg, sql_is_super, 0, NULL, "roles", ctx, &text, e) !=
	    0)
		return -1;
	if (strcmp(text, "t") != 0)
		return err_set(e, ERR_DENIED,
		    "%s is no superuser of the cluster: only one can make "
		    "roles that row security holds for",
		    PQuser(pg));
	if (session_value(
		pg, sql_our_roles, 0, NULL, "roles", ctx, &names, e) != 0 ||
	    session_value(pg, sql_our_database, 1, &dbname, "databases", ctx,
		&text, e) != 0)
		return -1;
	found->database = text[0] != '\0';
	found->roles = names;
	return 0;
}

int
db_bootstrap_look(const void *ctx, const char *super_conninfo,
    const char *dbname, struct db_found *found, struct err *e)
{
	struct conn_opts super = { .conninfo = super_conninfo };
	PGconn *pg =
	    conn_connect(&super, clock_mono() + CONNECT_S * CLOCK_S, e);
	int rc;

	if (pg == NULL)
		return -1;
	rc = look(pg, ctx, dbname, found, e);
	PQfinish(pg);
	return rc;
}

static bool
is_personal(const char *keyword)
{
	static const char *const ours[] = { "user", "password", "passfile",
		"dbname" };
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(keyword, ours[i]) == 0)
			return true;
	return false;
}

/* key='value', with libpq's escapes. */
static void
add_pair(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, "%s%s='", b->len > 0 ? " " : "", key);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *value);
	}
	buf_addc(b, '\'');
}

int
db_server_of(
    const void *ctx, const char *conninfo, const char **ret, struct err *e)
{
	char *why = NULL;
	PQconninfoOption *all = PQconninfoParse(conninfo, &why), *o;
	struct buf b;

	if (all == NULL) {
		err_set(e, ERR_INVALID, "not a connection string: %.*s",
		    (int)strcspn(why != NULL ? why : "", "\n"),
		    why != NULL ? why : "");
		PQfreemem(why);
		return -1;
	}
	buf_init(&b, ctx, SQL_MAX);
	for (o = all; o->keyword != NULL; o++)
		if (o->val != NULL && !is_personal(o->keyword))
			add_pair(&b, o->keyword, o->val);
	PQconninfoFree(all);
	if (buf_failed(&b))
		return err_set(e, ERR_INVALID, "too long");
	*ret = b.len > 0 ? b.data : "";
	return 0;
}

int
db_bootstrap(const char *super_conninfo, const char *dbname,
    const struct db_role_password *pw, int n, struct err *e)
{
	struct conn_opts super = { .conninfo = super_conninfo };
	PGconn *pg;
	char *quoted;
	void *tmp;
	size_t i;
	int rc, k;

	pg = conn_connect(&super, clock_mono() + CONNECT_S * CLOCK_S, e);
	if (pg == NULL)
		return -1;
	tmp = mem_root("bootstrap");
	quoted = PQescapeIdentifier(pg, dbname, strlen(dbname));
	rc = session_lock(pg, "switchboard bootstrap", LOCK_S, e);
	for (i = 0; rc == 0 && i < ROLES; i++)
		rc = make_role(pg, i, tmp, e);
	for (k = 0; rc == 0 && k < n; k++)
		rc = set_password(pg, &pw[k], tmp, e);
	if (rc == 0)
		rc = make_database(pg, dbname, quoted, tmp, e);
	if (rc == 0)
		rc = set_up_database(pg, quoted, tmp, e);
	super.dbname = dbname;
	if (rc == 0)
		rc = set_up_inside(&super, e);
	PQfreemem(quoted);
	PQfinish(pg);
	mem_free(tmp);
	return rc;
}
