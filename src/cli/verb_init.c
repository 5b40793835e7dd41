/*
 * switchboard init: from an installed package and an empty PostgreSQL to a
 * database, files and a person that switchboardd can start with.  It looks
 * first and changes nothing where something is already: an installation that
 * was meant for another machine must not lose its passwords here.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/issue.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "db/bootstrap.h"
#include "db/db.h"
#include "db/migrate.h"
#include "util/mem.h"
#include "util/str.h"

#include "cli/init_priv.h"

#include "util/banned.h"

/* As root, whose the files shall be. */
static int
init_user(struct init *in, struct err *e)
{
	const char *name = cli_opt(in->c, "user");
	const struct passwd *pw;

	in->uid = (uid_t)-1;
	in->gid = (gid_t)-1;
	if (name == NULL)
		return 0;
	pw = getpwnam(name);
	if (pw == NULL)
		return err_set(
		    e, ERR_INVALID, "--user: there is no user %s", name);
	if (geteuid() != 0 && geteuid() != pw->pw_uid)
		return err_set(e, ERR_DENIED,
		    "--user: only root can give files to %s", name);
	if (geteuid() != 0)
		return 0;
	in->uid = pw->pw_uid;
	in->gid = pw->pw_gid;
	return 0;
}

static int
init_options(struct init *in, struct err *e)
{
	struct cli *c = in->c;
	const char *email = cli_opt(c, "admin");

	in->super = cli_opt(c, "super");
	in->url = cli_opt(c, "database-url");
	in->dbname = cli_opt(c, "dbname");
	in->keep = cli_flag(c, "keep");
	if (in->dbname == NULL)
		in->dbname = "switchboard";
	if (!str_is_name(in->dbname))
		return cli_misuse(c, e,
		    "--dbname %s: lower-case letters, digits and _",
		    in->dbname);
	if (email != NULL && !issue_email_ok(email))
		return cli_misuse(c, e, "--admin %s: no e-mail address", email);
	if (email != NULL && cli_flag(c, "no-schema"))
		return cli_misuse(
		    c, e, "--admin: nobody can be in an empty database");
	if (email == NULL && cli_flag(c, "password-stdin"))
		return cli_misuse(c, e, "--password-stdin wants an --admin");
	return init_user(in, e);
}

/* Refuse where something is; with --keep, go on with it. */
static int
init_look(struct init *in, struct err *e)
{
	struct db_found found;
	const char *files;

	if (in->url == NULL &&
	    db_server_of(in->c->ctx, in->super, &in->url, e) != 0)
		return err_prefix(e, "--super");
	if (db_bootstrap_look(in->c->ctx, in->super, in->dbname, &found, e) !=
	    0)
		return err_prefix(e, "as --super");
	if (in->keep)
		return 0;
	files = init_files_found(in);
	if (files[0] != '\0')
		return err_set(e, ERR_CONFLICT,
		    "%s: there already.  Another --etc, or --keep to go on "
		    "with what is there and make what is missing",
		    files);
	if (found.database)
		return err_set(e, ERR_CONFLICT,
		    "the database %s is there already.  Another --dbname, or "
		    "--keep to go on with it",
		    in->dbname);
	if (found.roles[0] != '\0')
		return err_set(e, ERR_CONFLICT,
		    "the cluster has %s already: another installation's?  "
		    "--keep gives them the passwords of this one",
		    found.roles);
	return 0;
}

static void
progress(void *arg, const char *text)
{
	const struct cli *c = arg;

	if (!c->json)
		puts(text);
}

/* The schema, as the role and with the password that the server will use. */
static int
init_schema(struct init *in, struct migrate_report *report, struct err *e)
{
	const char *dir = cli_opt(in->c, "sql");
	const struct conf *conf;

	if (cli_flag(in->c, "no-schema"))
		return 0;
	/* The superuser's: it would go before the roles' own passwords. */
	unsetenv("PGPASSWORD");
	in->c->conf_file = in->conf;
	if (cli_conf(in->c, &conf, e) != 0)
		return -1;
	if (migrate_run(conf->database_direct_url[0] != '\0'
			    ? conf->database_direct_url
			    : conf->database_url,
		dir != NULL
		    ? dir
		    : mem_printf(in->c->ctx, "%s/sql", files_data(in->c->ctx)),
		progress, in->c, report, e) != 0)
		return err_prefix(
		    e, "roles and files are made, but not the schema");
	return 0;
}

/* The first administrator; sets *show when the password is a new one. */
static int
init_admin(struct init *in, const char *password, bool *show, struct err *e)
{
	const char *email = cli_opt(in->c, "admin");
	struct db_pool *db;
	struct uuid id;
	char *name;

	if (email == NULL)
		return 0;
	name = mem_strndup(in->c->ctx, email, strcspn(email, "@"));
	if (cli_db(in->c, &db, e) != 0)
		return -1;
	if (issue_user(
		db, email, name, password, true, cli_who(in->c), &id, e) == 0)
		return 0;
	/* A second --keep finds the person of the first. */
	*show = false;
	return e->code == ERR_CONFLICT && in->keep
	           ? 0
	           : err_prefix(e, "the administrator");
}

static int
init_report(struct init *in, int version, const char *password)
{
	const char *email = cli_opt(in->c, "admin");
	json_t *o = json_pack("{s:s, s:s, s:i, s:O}", "conf", in->conf,
	    "database", in->dbname, "version", version, "written", in->made);
	char *who = mem_strdup(in->c->ctx, "");

	if (email != NULL)
		json_object_set_new(o, "admin", json_string(email));
	if (password != NULL) {
		json_object_set_new(o, "password", json_string(password));
		who = mem_printf(in->c->ctx,
		    "Administrator: %s\nPassword: %s\n"
		    "This is the only time it is shown.\n",
		    email, password);
	}
	return out_done(in->c, o,
	    "The database %s is ready%s; the configuration is %s.\n%s"
	    "Keep a copy of %s, apart from the database's: without it nothing "
	    "that is sealed there opens again.\n"
	    "Next: %s, then switchboard -c %s doctor",
	    in->dbname, version == 0 ? " and empty" : "", in->conf, who,
	    in->master_key,
	    version == 0
		? "restore the backup, switchboard migrate, start the server"
		: "start switchboardd",
	    in->conf);
}

/* Everything that can be refused, before anything is made. */
static int
init_prepare(struct init *in, const char **password, bool *show, struct err *e)
{
	const char *etc = cli_opt(in->c, "etc");
	bool there;

	if (etc == NULL)
		etc = SB_SYSCONFDIR "/switchboard";
	if (init_options(in, e) != 0)
		return -1;
	there = files_exist(etc);
	if (init_paths(in, etc, e) == 0 && init_look(in, e) == 0 &&
	    (cli_opt(in->c, "admin") == NULL ||
		issue_password_given(
		    in->c, cli_opt(in->c, "admin"), password, show, e) == 0))
		return 0;
	if (!there && in->etc != NULL)
		(void)rmdir(in->etc); /* no trace of what was refused */
	return -1;
}

int
verb_init(struct cli *c, struct err *e)
{
	struct migrate_report report = { 0 };
	const char *password = NULL;
	struct init in = { .c = c };
	bool show = false;
	int rc;

	if (init_prepare(&in, &password, &show, e) != 0)
		return -1;
	in.made = json_array();
	rc = init_files(&in, e);
	if (rc == 0)
		rc = db_bootstrap(
		    in.super, in.dbname, in.password, INIT_ROLES, e);
	if (rc == 0)
		rc = init_schema(&in, &report, e);
	if (rc == 0)
		rc = init_admin(&in, password, &show, e);
	if (rc == 0)
		rc = init_report(&in, report.version, show ? password : NULL);
	json_decref(in.made);
	return rc;
}
