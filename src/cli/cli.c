/*
 * What every verb of the operator's command uses: words and options, the
 * configuration, the database and files.  Nothing here knows a verb.
 */
#include "cli/cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "agent/spec.h"
#include "agent/template.h"
#include "audit/audit.h"
#include "cli/store.h"
#include "conf/conf.h"
#include "db/db.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/nearest.h"
#include "util/str.h"

#include "util/banned.h"

int
cli_misuse(struct cli *c, struct err *e, const char *fmt, ...)
{
	char text[sizeof e->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->misused = true;
	return err_set(e, ERR_INVALID, "%s", text);
}

static const struct opt *
find_opt(const struct verb *v, const char *name, size_t len)
{
	for (const struct opt *o = v->opts; o != NULL && o->name != NULL; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static bool
was_given(const struct cli *c, const struct opt *o)
{
	for (int i = 0; i < c->ngiven; i++)
		if (c->given[i].opt == o)
			return true;
	return false;
}

static int
give(struct cli *c, const struct opt *o, const char *value, struct err *e)
{
	if (!(o->flags & OPT_MANY) && was_given(c, o))
		return cli_misuse(c, e, "--%s stands twice", o->name);
	if (c->ngiven == CLI_WORDS)
		return cli_misuse(c, e, "too many options");
	c->given[c->ngiven].opt = o;
	c->given[c->ngiven++].value = value;
	return 0;
}

static int
no_option(struct cli *c, const char *name, size_t len, struct err *e)
{
	const char *names[CLI_WORDS * 2], *near;
	char typed[64];
	int n = 0;

	for (const struct opt *o = c->verb->opts; o != NULL && o->name != NULL;
	     o++)
		if (n < CLI_WORDS * 2)
			names[n++] = o->name;
	snprintf(typed, sizeof typed, "%.*s", (int)len, name);
	near = nearest_name(typed, names, n);
	if (near != NULL)
		return cli_misuse(c, e,
		    "no option --%.*s here; did you mean --%s?", (int)len, name,
		    near);
	return cli_misuse(c, e, "no option --%.*s here", (int)len, name);
}

/* One "--name[=value]"; *i moves on when the value is the next argument. */
static int
parse_option(struct cli *c, int argc, char **argv, int *i, struct err *e)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);
	const struct opt *o = find_opt(c->verb, name, len);

	if (o == NULL)
		return no_option(c, name, len, e);
	if (o->arg == NULL) {
		if (eq != NULL)
			return cli_misuse(c, e, "--%s takes no value", o->name);
		return give(c, o, "", e);
	}
	if (eq != NULL)
		return give(c, o, eq + 1, e);
	if (*i + 1 >= argc)
		return cli_misuse(c, e, "--%s wants a %s", o->name, o->arg);
	return give(c, o, argv[++*i], e);
}

int
cli_parse(struct cli *c, int argc, char **argv, int skip, struct err *e)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];

		if (!only_words && strcmp(a, "--") == 0) {
			only_words = true;
		} else if (!only_words && strcmp(a, "-c") == 0) {
			if (++i >= argc)
				return cli_misuse(c, e, "-c wants a file");
			c->conf_file = argv[i];
		} else if (!only_words && strcmp(a, "--json") == 0) {
			c->json = true;
		} else if (!only_words &&
			   (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)) {
			c->help = true;
		} else if (!only_words && str_starts(a, "--")) {
			if (parse_option(c, argc, argv, &i, e) != 0)
				return -1;
		} else if (!only_words && a[0] == '-' && a[1] != '\0') {
			return cli_misuse(c, e, "no option %s here", a);
		} else if (skip > 0) {
			skip--;
		} else if (c->nwords == CLI_WORDS) {
			return cli_misuse(c, e, "too many words");
		} else {
			c->word[c->nwords++] = a;
		}
	}
	if (c->help)
		return 0;
	if (c->nwords > c->verb->max)
		return cli_misuse(c, e,
		    "\"%s\" is one word too many: it wants %s",
		    c->word[c->verb->max],
		    c->verb->args[0] != '\0' ? c->verb->args : "no words");
	if (c->nwords < c->verb->min)
		return cli_misuse(c, e, "wants %s",
		    c->verb->args[0] != '\0' ? c->verb->args : "no words");
	for (const struct opt *o = c->verb->opts; o != NULL && o->name != NULL;
	     o++)
		if ((o->flags & OPT_NEEDED) && !was_given(c, o))
			return cli_misuse(
			    c, e, "--%s %s is missing", o->name, o->arg);
	return 0;
}

bool
cli_flag(const struct cli *c, const char *name)
{
	return cli_opt(c, name) != NULL;
}

const char *
cli_opt(const struct cli *c, const char *name)
{
	int i = 0;

	return cli_opt_next(c, name, &i);
}

const char *
cli_opt_next(const struct cli *c, const char *name, int *i)
{
	while (*i < c->ngiven) {
		int at = (*i)++;

		if (strcmp(c->given[at].opt->name, name) == 0)
			return c->given[at].value;
	}
	return NULL;
}

int
cli_agent_path(struct cli *c, const char *path, const char **type,
    const char **name, struct err *e)
{
	const char *slash = strchr(path, '/');
	char *t;

	if (slash == NULL)
		return cli_misuse(c, e,
		    "%s: an agent is called TYPE/NAME, such as "
		    "sales/human_health",
		    path);
	t = mem_strndup(c->ctx, path, (size_t)(slash - path));
	if (!str_is_name(t) || !str_is_name(slash + 1))
		return cli_misuse(c, e,
		    "%s: type and name are lower-case letters, digits and _, "
		    "beginning with a letter",
		    path);
	*type = t;
	*name = slash + 1;
	return 0;
}

int
cli_conf(struct cli *c, const struct conf **ret, struct err *e)
{
	if (c->conf == NULL) {
		const char *path = conf_path(c->conf_file);

		if (conf_read(c->ctx, path, &c->conf, e) == 0) {
			*ret = c->conf;
			return 0;
		}
		if (c->conf_file == NULL && getenv("SB_CONF") == NULL &&
		    e->code == ERR_NOT_FOUND)
			err_set(e, ERR_NOT_FOUND,
			    "no configuration: %s is not there, and neither -c "
			    "nor SB_CONF names another; \"switchboard init\" "
			    "makes one",
			    path);
		return -1;
	}
	*ret = c->conf;
	return 0;
}

int
cli_db_as(struct cli *c, const char *role, struct db_pool **ret, struct err *e)
{
	const struct conf *conf;

	if (cli_conf(c, &conf, e) != 0)
		return -1;
	if (conf->database_url[0] == '\0')
		return err_set(e, ERR_INVALID,
		    "%s: database_url is not set; give it libpq's connection "
		    "string, without user",
		    conf->file);
	struct db_opts o = {
		.conninfo = conf->database_direct_url[0] != '\0'
		                ? conf->database_direct_url
		                : conf->database_url,
		.user = role,
		.size = 1,
		.wait_ms = 5000,
		.connect_ms = 5000,
		/* An operator waits longer than a visitor. */
		.statement_ms = 120000,
	};

	*ret = db_pool_new(&o);
	return 0;
}

int
cli_db(struct cli *c, struct db_pool **ret, struct err *e)
{
	if (c->db == NULL && cli_db_as(c, "sb_admin", &c->db, e) != 0)
		return -1;
	*ret = c->db;
	return 0;
}

void
cli_replica(struct cli *c)
{
	if (c->conf->database_replica[0] == '\0')
		return;
	struct db_opts o = {
		.conninfo = c->conf->database_replica,
		.user = "sb_admin",
		.size = 1,
		.wait_ms = 1000,
		.connect_ms = 1000,
		.statement_ms = 120000,
	};

	db_pool_replica(c->db, &o, (int)c->conf->database_replica_lag);
	db_replica_look(c->db);
}

static void
complain(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "switchboard: %s\n", text);
}

int
cli_templates(struct cli *c, struct templates **ret, struct err *e)
{
	const struct conf *conf;

	if (cli_conf(c, &conf, e) != 0)
		return -1;
	return templates_load(
	    conf->templates_dir, NULL, complain, NULL, ret, e);
}

void
cli_errors(struct cli *c, const struct spec_error *errors, int n)
{
	if (c->errors == NULL)
		c->errors = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(c->errors,
		    json_pack("{s:s, s:s}", "pointer", errors[i].pointer,
			"detail", errors[i].detail));
}

int
cli_account(struct cli *c, struct db_pool **db, struct uuid *id, struct err *e)
{
	if (cli_db(c, db, e) != 0)
		return -1;
	return store_account_id(*db, c->word[0], id, e);
}

const struct audit_entry *
cli_who(struct cli *c)
{
	struct audit_entry *who = mem_new(c->ctx, struct audit_entry);
	const struct passwd *pw = getpwuid(geteuid());
	const char *sudo = getenv("SUDO_USER");
	char host[256];

	who->actor_kind = "cli";
	who->actor_id = mem_printf(c->ctx, "%ld", (long)geteuid());
	who->actor_name = pw != NULL ? pw->pw_name : who->actor_id;
	/* Who may become another user by sudo is asked to say so. */
	who->actor_name =
	    sudo != NULL && sudo[0] != '\0'
		? mem_printf(c->ctx, "%s (sudo by %s)", who->actor_name, sudo)
		: mem_strdup(c->ctx, who->actor_name);
	if (gethostname(host, sizeof host) == 0) {
		host[sizeof host - 1] = '\0';
		who->address = mem_strdup(c->ctx, host);
	}
	return who;
}

int
cli_read(struct cli *c, const char *path, size_t max, char **text, size_t *len,
    struct err *e)
{
	bool input = strcmp(path, "-") == 0;
	FILE *f = input ? stdin : fopen(path, "re");
	struct buf b;
	char piece[8192];
	size_t n;

	if (f == NULL)
		return err_set(e, ERR_NOT_FOUND, "%s: %m", path);
	buf_init(&b, c->ctx, max);
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_add(&b, piece, n);
	bool failed = ferror(f) != 0;
	int why = errno;

	if (!input)
		fclose(f);
	if (failed) {
		errno = why;
		return err_set(e, ERR_INVALID, "%s: %m", path);
	}
	if (buf_failed(&b))
		return err_set(
		    e, ERR_TOO_LARGE, "%s: longer than %zu bytes", path, max);
	*text = b.data;
	*len = b.len;
	return 0;
}

int
cli_read_json(struct cli *c, const char *path, json_t **ret, struct err *e)
{
	struct json_limits lim = { 32, 100000 };
	char *text;
	size_t len;

	if (cli_read(c, path, 4u << 20, &text, &len, e) != 0)
		return -1;
	if (json_parse(text, len, &lim, ret, e) != 0)
		return err_prefix(e, "%s", path);
	return 0;
}

/* "90m" to seconds; -1 if it is no such thing. */
static int64_t
span_seconds(const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 } };
	size_t len = strlen(text);
	char digits[12];
	int64_t n;

	if (len < 2 || len > sizeof digits)
		return -1;
	memcpy(digits, text, len - 1);
	digits[len - 1] = '\0';
	if (str_int(digits, 0, 10000000, &n) != 0)
		return -1;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (units[i].unit == text[len - 1])
			return n * units[i].seconds;
	return -1;
}

int
cli_since(struct cli *c, const char *text, int64_t *us, struct err *e)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ",
		"%Y-%m-%dT%H:%MZ" };
	int64_t span = span_seconds(text);

	if (span >= 0) {
		*us = clock_wall_us() - span * 1000000;
		return 0;
	}
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (end != NULL && *end == '\0') {
			*us = (int64_t)timegm(&tm) * 1000000;
			return 0;
		}
	}
	return cli_misuse(c, e,
	    "%s: neither a span (30m, 24h, 7d) nor a UTC date or time "
	    "(2026-01-31, 2026-01-31T12:00:00Z)",
	    text);
}
