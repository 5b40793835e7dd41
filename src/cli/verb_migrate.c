/* switchboard migrate: the database's schema as this program knows it. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "db/migrate.h"
#include "util/mem.h"

#include "util/banned.h"

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
		dir != NULL ? dir
			    : mem_printf(c->ctx, "%s/sql", files_data(c->ctx)),
		progress, c, &report, e) != 0)
		return -1;
	return out_done(c,
	    json_pack("{s:i, s:i}", "applied", report.applied, "version",
		report.version),
	    report.applied == 0 ? "Nothing to do: version %d."
				: "The database is at version %d.",
	    report.version);
}
