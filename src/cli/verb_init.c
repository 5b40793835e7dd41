/* switchboard init and migrate: from an empty PostgreSQL to a database and
 * files that switchboardd can start with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "db/bootstrap.h"
#include "db/migrate.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

static const char *const roles[] = { "sb_owner", "sb_chat", "sb_admin",
	"sb_writer", "sb_job" };
#define ROLES (sizeof roles / sizeof roles[0])
#define PASSWORD 44 /* 32 bytes in base64url */

struct init {
	const char *etc; /* absolute */
	const char *super, *dbname, *url;
	char *conf, *pgpass, *master_key;
	struct db_role_password password[ROLES];
	json_t *made; /* files written now */
};

static void
note(struct init *in, const char *path)
{
	json_array_append_new(in->made, json_string(path));
}

static int
init_master_key(struct init *in, struct err *e)
{
	unsigned char key[32];
	char text[2 * sizeof key + 2];
	int rc;

	if (files_exist(in->master_key))
		return 0;
	id_random(key, sizeof key);
	str_hex(key, sizeof key, text);
	text[2 * sizeof key] = '\n';
	rc = files_write(in->master_key, text, 2 * sizeof key + 1, 0600, e);
	crypto_wipe(key, sizeof key);
	crypto_wipe(text, sizeof text);
	if (rc == 0)
		note(in, in->master_key);
	return rc;
}

/* The password of ${role} in a password file that we wrote, or NULL. */
static const char *
password_in(struct cli *c, const char *text, const char *role)
{
	char *mark = mem_printf(c->ctx, ":%s:", role);
	const char *at = strstr(text, mark);

	if (at == NULL)
		return NULL;
	at += strlen(mark);
	return mem_strndup(c->ctx, at, strcspn(at, "\r\n"));
}

/* Passwords that exist are kept: running servers use them. */
static int
init_pgpass(struct cli *c, struct init *in, struct err *e)
{
	char *old = NULL;
	bool complete = true;
	struct buf b;
	size_t len;

	if (files_exist(in->pgpass) &&
	    cli_read(c, in->pgpass, 65536, &old, &len, e) != 0)
		return -1;
	buf_init(&b, c->ctx, 65536);
	buf_adds(&b,
	    "# Passwords of the database roles.  host:port:database:role:"
	    "password\n");
	for (size_t i = 0; i < ROLES; i++) {
		const char *password =
		    old != NULL ? password_in(c, old, roles[i]) : NULL;

		if (password == NULL) {
			unsigned char bytes[32];
			char *text = mem_zalloc(c->ctx, PASSWORD, "password");

			id_random(bytes, sizeof bytes);
			str_b64url(bytes, sizeof bytes, text);
			password = text;
			complete = false;
		}
		in->password[i].role = roles[i];
		in->password[i].password = password;
		buf_addf(&b, "*:*:*:%s:%s\n", roles[i], password);
	}
	if (complete)
		return 0;
	if (files_write(in->pgpass, b.data, b.len, 0600, e) != 0)
		return -1;
	note(in, in->pgpass);
	return 0;
}

/* A value of a connection string, in quotes (libpq's rules). */
static void
add_value(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, " %s='", key);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *value);
	}
	buf_addc(b, '\'');
}

/* "host=... port=..." out of --super, where --database-url does not say. */
static int
server_of(struct cli *c, struct init *in, struct err *e)
{
	static const char *const keys[] = { "host", "hostaddr", "port" };
	struct buf b;

	if (in->url != NULL)
		return 0;
	if (strstr(in->super, "://") != NULL || strchr(in->super, '\'') != NULL)
		return cli_misuse(c, e,
		    "--database-url is needed where --super is no plain list "
		    "of key=value");
	buf_init(&b, c->ctx, 1000);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		size_t n = strlen(keys[i]);
		const char *p = in->super;

		for (; *p != '\0'; p += strcspn(p, " ")) {
			p += strspn(p, " ");
			if (strncmp(p, keys[i], n) == 0 && p[n] == '=')
				buf_addf(&b, "%s%.*s", b.len > 0 ? " " : "",
				    (int)strcspn(p, " "), p);
		}
	}
	in->url = b.data;
	return buf_failed(&b) ? cli_misuse(c, e, "--super is too long") : 0;
}

static int
init_conf(struct cli *c, struct init *in, struct err *e)
{
	const struct conf *check;
	const char *line;
	struct buf b;
	int i = 0;

	if (files_exist(in->conf))
		return 0;
	buf_init(&b, c->ctx, 65536);
	buf_adds(&b,
	    "# switchboardd's configuration: name = value, see "
	    "switchboard.conf(5).\n"
	    "# \"switchboard config example\" prints every parameter.\n");
	buf_addf(&b, "database_url = %s", in->url);
	add_value(&b, "dbname", in->dbname);
	add_value(&b, "passfile", in->pgpass);
	buf_addf(&b, "\nmaster_key_file = %s\n", in->master_key);
	while ((line = cli_opt_next(c, "set", &i)) != NULL) {
		const char *eq = strchr(line, '=');

		if (eq == NULL || eq == line || strchr(line, '\n') != NULL)
			return cli_misuse(c, e, "--set %s: NAME=VALUE", line);
		buf_addf(&b, "%.*s = %s\n", (int)(eq - line), line, eq + 1);
	}
	if (conf_parse(c->ctx, b.data, b.len, in->conf, &check, e) != 0)
		return -1;
	if (files_write(in->conf, b.data, b.len, 0600, e) != 0)
		return -1;
	note(in, in->conf);
	return 0;
}

static int
init_paths(struct cli *c, struct init *in, struct err *e)
{
	char *abs;

	if (files_mkdir(cli_opt(c, "etc"), 0750, e) != 0)
		return -1;
	abs = realpath(cli_opt(c, "etc"), NULL);
	if (abs == NULL)
		return err_set(e, ERR_INVALID, "%s: %m", cli_opt(c, "etc"));
	in->etc = mem_strdup(c->ctx, abs);
	free(abs);
	in->conf = mem_printf(c->ctx, "%s/switchboard.conf", in->etc);
	in->pgpass = mem_printf(c->ctx, "%s/pgpass", in->etc);
	in->master_key = mem_printf(c->ctx, "%s/master.key", in->etc);
	return 0;
}

int
verb_init(struct cli *c, struct err *e)
{
	struct init in = { .super = cli_opt(c, "super"),
		.url = cli_opt(c, "database-url"),
		.dbname = cli_opt(c, "dbname") };

	if (in.dbname == NULL)
		in.dbname = "switchboard";
	if (!str_is_name(in.dbname))
		return cli_misuse(c, e,
		    "--dbname %s: lower-case letters, digits and _", in.dbname);
	in.made = json_array();
	if (init_paths(c, &in, e) != 0 || server_of(c, &in, e) != 0 ||
	    init_master_key(&in, e) != 0 || init_pgpass(c, &in, e) != 0 ||
	    init_conf(c, &in, e) != 0 ||
	    db_bootstrap(in.super, in.dbname, in.password, (int)ROLES, e) !=
		0) {
		json_decref(in.made);
		return -1;
	}
	return out_done(c,
	    json_pack("{s:s, s:s, s:o}", "conf", in.conf, "database", in.dbname,
		"written", in.made),
	    "The database %s is ready; the configuration is %s.\n"
	    "Next: switchboard -c %s migrate",
	    in.dbname, in.conf, in.conf);
}

static void
progress(void *arg, const char *text)
{
	const struct cli *c = arg;

	if (!c->json)
		puts(text);
}

int
verb_migrate(struct cli *c, struct err *e)
{
	const char *dir = cli_opt(c, "dir");
	struct migrate_report report;
	const struct conf *conf;

	if (cli_conf(c, &conf, e) != 0)
		return -1;
	if (conf->database_url[0] == '\0')
		return err_set(
		    e, ERR_INVALID, "%s: database_url is not set", conf->file);
	if (migrate_run(conf->database_direct_url[0] != '\0'
			    ? conf->database_direct_url
			    : conf->database_url,
		dir != NULL ? dir : SB_SQL_DIR, progress, c, &report, e) != 0)
		return -1;
	return out_done(c,
	    json_pack("{s:i, s:i}", "applied", report.applied, "version",
		report.version),
	    report.applied == 0 ? "Nothing to do: version %d."
				: "The database is at version %d.",
	    report.version);
}
