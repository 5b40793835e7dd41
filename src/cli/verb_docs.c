/* switchboard docs: pages made from the program's own tables, so that they
 * cannot say anything else than the program does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "auth/perm.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"

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

static const char *
face_name(int faces)
{
	if (faces == (FACE_CHAT | FACE_ADMIN | FACE_HEALTH))
		return "all";
	if (faces & FACE_CHAT)
		return "chat";
	return faces & FACE_ADMIN ? "admin" : "health";
}

static void
write_routes(FILE *f)
{
	fputs("| method | path | socket | permission | what |\n"
	      "|---|---|---|---|---|\n",
	    f);
	for (size_t i = 0; i < routes_count; i++)
		fprintf(f, "| %s | `%s` | %s | `%s` | %s |\n", routes[i].method,
		    routes[i].pattern, face_name(routes[i].faces),
		    perm_name(routes[i].perm), routes[i].summary);
}

static void
write_permissions(FILE *f)
{
	fprintf(f, "| permission |");
	for (int r = ROLE_VISITOR; r < ROLE_COUNT; r++)
		fprintf(f, " %s |", role_name((enum role)r));
	fprintf(f, "\n|---|");
	for (int r = ROLE_VISITOR; r < ROLE_COUNT; r++)
		fprintf(f, "---|");
	fputc('\n', f);
	for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++) {
		fprintf(f, "| `%s` |", perm_name((enum perm)p));
		for (int r = ROLE_VISITOR; r < ROLE_COUNT; r++)
			fprintf(f, " %s |",
			    perm_allowed((enum role)r, (enum perm)p) ? "yes"
								     : "-");
		fputc('\n', f);
	}
}

static void
write_metrics(FILE *f)
{
	fputs("| metric | type | what |\n|---|---|---|\n"
	      "| `sb_http_requests_total` | counter | Requests by route and "
	      "status |\n"
	      "| `sb_http_request_duration_seconds` | histogram | Latency by "
	      "route |\n",
	    f);
#define METRIC(id, name, type, help)                                           \
	fputs("| `" name "` | " #type " | " help " |\n", f);
#include "telemetry/metric.def"
#undef METRIC
}

static void
write_verbs(FILE *f)
{
	verbs_write_man(f);
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
	} pages[] = { { "conf", write_conf }, { "routes", write_routes },
		{ "permissions", write_permissions },
		{ "metrics", write_metrics }, { "verbs", write_verbs } };

	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
		if (strcmp(pages[i].name, c->word[0]) == 0) {
			return print(c, pages[i].write, e);
		}
	return cli_misuse(c, e,
	    "no page \"%s\": verbs, conf, routes, permissions, metrics",
	    c->word[0]);
}
