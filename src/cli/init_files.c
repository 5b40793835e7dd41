/*
 * The files of an installation: configuration, role passwords, master key,
 * agent templates.  What is there is never written over: running servers use
 * the passwords, and every session key derives from the master key.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/files.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "util/buf.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "cli/init_priv.h"

#include "util/banned.h"

static const char *const roles[INIT_ROLES] = { "sb_owner", "sb_chat",
	"sb_admin", "sb_writer", "sb_job" };
#define PASSWORD 44 /* 32 bytes in base64url */

/* A file of ours was written: whose it is, and a line for the report. */
static int
written(struct init *in, const char *path, struct err *e)
{
	json_array_append_new(in->made, json_string(path));
	return files_give(path, in->uid, in->gid, e);
}

static int
write_master_key(struct init *in, struct err *e)
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
	return rc == 0 ? written(in, in->master_key, e) : -1;
}

/* The password of ${role} in a password file that we wrote, or NULL. */
static const char *
password_in(const struct init *in, const char *text, const char *role)
{
	char *mark = mem_printf(in->c->ctx, ":%s:", role);
	const char *at = strstr(text, mark);

	if (at == NULL)
		return NULL;
	at += strlen(mark);
	return mem_strndup(in->c->ctx, at, strcspn(at, "\r\n"));
}

static int
write_pgpass(struct init *in, struct err *e)
{
	struct cli *c = in->c;
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
	for (size_t i = 0; i < INIT_ROLES; i++) {
		const char *password =
		    old != NULL ? password_in(in, old, roles[i]) : NULL;

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
	return written(in, in->pgpass, e);
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

/* The lines that the operator gave; *has_templates: one of them says where
 * the templates are. */
static int
add_settings(struct init *in, struct buf *b, bool *has_templates, struct err *e)
{
	const char *line;
	int i = 0;

	while ((line = cli_opt_next(in->c, "set", &i)) != NULL) {
		const char *eq = strchr(line, '=');

		if (eq == NULL || eq == line || strchr(line, '\n') != NULL)
			return cli_misuse(
			    in->c, e, "--set %s: NAME=VALUE", line);
		buf_addf(b, "%.*s = %s\n", (int)(eq - line), line, eq + 1);
		*has_templates =
		    *has_templates || str_starts(line, "templates_dir=");
	}
	return 0;
}

static int
write_conf(struct init *in, struct err *e)
{
	bool has_templates = false;
	const struct conf *check;
	struct buf b;

	if (files_exist(in->conf))
		return 0;
	buf_init(&b, in->c->ctx, 65536);
	buf_adds(&b,
	    "# switchboardd's configuration: name = value, see "
	    "switchboard.conf(5).\n"
	    "# \"switchboard config example\" prints every parameter.\n");
	buf_addf(&b, "database_url = %s", in->url);
	add_value(&b, "dbname", in->dbname);
	add_value(&b, "passfile", in->pgpass);
	buf_addf(&b, "\nmaster_key_file = %s\n", in->master_key);
	buf_addf(&b, "mail_templates_dir = %s/mail\n", files_data(in->c->ctx));
	buf_addf(&b, "page_templates_dir = %s/pages\n", files_data(in->c->ctx));
	if (add_settings(in, &b, &has_templates, e) != 0)
		return -1;
	if (!has_templates)
		buf_addf(&b, "templates_dir = %s\n", in->templates);
	if (conf_parse(in->c->ctx, b.data, b.len, in->conf, &check, e) != 0)
		return -1;
	if (files_write(in->conf, b.data, b.len, 0600, e) != 0)
		return -1;
	return written(in, in->conf, e);
}

/* Copies of the installed agent templates, to be changed at will. */
static int
write_templates(struct init *in, struct err *e)
{
	char *from = mem_printf(
	    in->c->ctx, "%s/agent_templates", files_data(in->c->ctx));

	if (files_exist(in->templates) || !files_exist(from))
		return 0;
	if (files_copy(from, in->templates, in->uid, in->gid, e) != 0)
		return -1;
	json_array_append_new(in->made, json_string(in->templates));
	return 0;
}

int
init_paths(struct init *in, const char *etc, struct err *e)
{
	bool there = files_exist(etc);
	char *abs;

	if (files_mkdir(etc, 0750, e) != 0)
		return -1;
	abs = realpath(etc, NULL);
	if (abs == NULL)
		return err_set(e, ERR_INVALID, "%s: %m", etc);
	in->etc = mem_strdup(in->c->ctx, abs);
	free(abs);
	if (!there && files_give(in->etc, in->uid, in->gid, e) != 0)
		return -1;
	in->conf = mem_printf(in->c->ctx, "%s/switchboard.conf", in->etc);
	in->pgpass = mem_printf(in->c->ctx, "%s/pgpass", in->etc);
	in->master_key = mem_printf(in->c->ctx, "%s/master.key", in->etc);
	in->templates = mem_printf(in->c->ctx, "%s/agent_templates", in->etc);
	return 0;
}

char *
init_files_found(const struct init *in)
{
	const char *const files[] = { in->conf, in->pgpass, in->master_key };
	char *found = mem_strdup(in->c->ctx, "");

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		if (files_exist(files[i]))
			found = mem_printf(in->c->ctx, "%s%s%s", found,
			    found[0] != '\0' ? ", " : "", files[i]);
	return found;
}

int
init_files(struct init *in, struct err *e)
{
	if (write_master_key(in, e) != 0 || write_pgpass(in, e) != 0 ||
	    write_templates(in, e) != 0)
		return -1;
	return write_conf(in, e);
}
