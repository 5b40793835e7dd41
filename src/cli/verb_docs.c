/* switchboard docs: pages made from the program's own tables, so that they
 * cannot say anything else than the program does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "auth/perm.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "telemetry/metric.h"

#include "util/banned.h"

static void
write_conf(FILE *f)
{
	fputs(".\\\" Made by \"switchboard docs conf\".\n"
	      ".TH SWITCHBOARD.CONF 5 \"\" \"switchboard " VERSION
	      "\" \"Switchboard\"\n"
	      ".SH NAME\n"
	      "switchboard.conf \\- configuration of switchboardd\n"
	      ".SH DESCRIPTION\n"
	      "Lines of the form\n"
	      ".I name\n=\n.IR value ;\n"
	      "empty lines and lines that begin with # say nothing.  Sizes\n"
	      "are bytes, or take k, m or g; times take ms, s, m, h or d.\n"
	      "An unknown name is an error.  \"switchboardd \\-t\" and\n"
	      "\"switchboard config check\" check a file; SIGHUP makes the\n"
	      "server read it again.\n"
	      ".SH PARAMETERS\n",
	    f);
	conf_write_roff(f);
	fputs(".SH SEE ALSO\n.BR switchboard (1),\n.BR switchboardd (8)\n", f);
}

static int
print(struct cli *c, void (*write)(FILE *), struct err *e)
{
	char *text = NULL;
	size_t len;
	FILE *f;

	if (!c->json) {
		write(stdout);
		return 0;
	}
	f = open_memstream(&text, &len);
	if (f == NULL)
		return err_set(e, ERR_INTERNAL, "open_memstream: %m");
	write(f);
	fclose(f);
	int rc = out_done(
	    c, json_pack("{s:s, s:s}", "page", c->word[0], "text", text), "-");

	free(text);
	return rc;
}

int
verb_docs(struct cli *c, struct err *e)
{
	static const struct {
		const char *name;
		void (*write)(FILE *);
	} pages[] = { { "conf", write_conf }, { "routes", app_write_routes },
		{ "permissions", perm_write_doc },
		{ "metrics", metric_write_doc }, { "verbs", verbs_write_man } };

	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
		if (strcmp(pages[i].name, c->word[0]) == 0) {
			return print(c, pages[i].write, e);
		}
	return cli_misuse(c, e,
	    "no page \"%s\": verbs, conf, routes, permissions, metrics",
	    c->word[0]);
}
