/* What is written from the table of verbs: usage lines, help, the list, the
 * manual page. */
#include <string.h>

#include "cli/verbs.h"

#include "util/banned.h"

static void
write_opt_word(FILE *f, const struct opt *o)
{
	fprintf(f, " %s--%s%s%s%s%s", (o->flags & OPT_NEEDED) ? "" : "[",
	    o->name, o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "",
	    (o->flags & OPT_NEEDED) ? "" : "]",
	    (o->flags & OPT_MANY) ? "..." : "");
}

static void
write_usage(FILE *f, const struct verb *v)
{
	fprintf(f, "usage: switchboard %s%s%s", v->name,
	    v->args[0] != '\0' ? " " : "", v->args);
	for (const struct opt *o = v->opts; o != NULL && o->name != NULL; o++)
		write_opt_word(f, o);
	fprintf(f, " [--json] [-c FILE]\n");
}

/* ${text} filled to 78 columns, each line after ${indent} blanks; the first
 * one begins at ${at}. */
static void
write_filled(FILE *f, const char *text, int indent, int at)
{
	int col = at;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (col + len + 1 > 78 && col > indent) {
			fprintf(f, "\n%*s", indent, "");
			col = indent;
		} else if (col > indent) {
			fputc(' ', f);
			col++;
		}
		fprintf(f, "%.*s", len, text);
		col += len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', f);
}

void
verbs_write_help(FILE *f, const struct verb *v)
{
	write_usage(f, v);
	fprintf(f, "\n");
	write_filled(f, v->summary, 0, 0);
	if (v->detail != NULL) {
		fprintf(f, "\n");
		write_filled(f, v->detail, 0, 0);
	}
	if (v->opts != NULL)
		fprintf(f, "\noptions:\n");
	for (const struct opt *o = v->opts; o != NULL && o->name != NULL; o++) {
		int n = fprintf(f, "  --%s%s%s", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");

		if (n > 24)
			fprintf(f, "\n%*s", 26, "");
		else
			fprintf(f, "%*s", 26 - n, "");
		write_filled(f, o->text, 26, 26);
	}
	fprintf(f, "\neverywhere:\n"
		   "  --json                  print the result as JSON\n"
		   "  -c FILE                 the server's configuration; else "
		   "SB_CONF, else the\n"
		   "                          installed default\n"
		   "  --help                  print this\n");
}

void
verbs_write_list(FILE *f, const char *group)
{
	fprintf(f, "usage: switchboard %s%s [--json] [-c FILE]\n\n",
	    group != NULL ? group : "", group != NULL ? " VERB" : "VERB");
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		int n;

		if (v->hidden || (group != NULL && !verbs_in_group(v, group)))
			continue;
		n = fprintf(f, "  %s", v->name);
		fprintf(f, "%*s", 26 - n, "");
		write_filled(f, v->summary, 26, 26);
	}
	fprintf(f, "\n\"switchboard VERB --help\" says more.  Exit status: 0 "
		   "done, 1 failed, 2 wrong usage.\n");
}

/* Text for roff: a backslash is \e, a hyphen that is meant is \-, and no line
 * begins with a control character. */
static void
write_roff(FILE *f, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", f);
	for (; *text != '\0'; text++)
		if (*text == '\\')
			fputs("\\e", f);
		else if (*text == '-')
			fputs("\\-", f);
		else
			fputc(*text, f);
}

static void
write_man_verb(FILE *f, const struct verb *v)
{
	fputs(".TP\n.BI \"", f);
	write_roff(f, v->name);
	fputs(" \" \"", f);
	write_roff(f, v->args);
	fputs("\"\n", f);
	fputc(v->summary[0] - 'a' + 'A', f);
	write_roff(f, v->summary + 1);
	fputs(".\n", f);
	if (v->detail != NULL) {
		write_roff(f, v->detail);
		fputs("\n", f);
	}
	if (v->opts == NULL)
		return;
	fputs(".RS\n", f);
	for (const struct opt *o = v->opts; o->name != NULL; o++) {
		fputs(".TP\n.BR \"", f);
		fputs("\\-\\-", f);
		write_roff(f, o->name);
		fputs("\"", f);
		if (o->arg != NULL) {
			fputs(" \" \\fI", f);
			write_roff(f, o->arg);
			fputs("\\fR\"", f);
		}
		fputs("\n", f);
		write_roff(f, o->text);
		fprintf(f, "%s%s.\n",
		    (o->flags & OPT_NEEDED) ? " (needed)" : "",
		    (o->flags & OPT_MANY) ? " (may stand more than once)" : "");
	}
	fputs(".RE\n", f);
}

void
verbs_write_man(FILE *f)
{
	fputs(".\\\" Made by \"switchboard docs verbs\".\n"
	      ".TH SWITCHBOARD 1 \"\" \"switchboard " VERSION
	      "\" \"Switchboard\"\n"
	      ".SH NAME\n"
	      "switchboard \\- operate a Switchboard installation\n"
	      ".SH SYNOPSIS\n"
	      ".B switchboard\n"
	      ".I VERB\n"
	      "[\\fIwords\\fR] [\\fIoptions\\fR] [\\fB\\-\\-json\\fR]\n"
	      "[\\fB\\-c\\fR \\fIFILE\\fR]\n"
	      ".SH DESCRIPTION\n"
	      "The operator's command: accounts, agents, keys, people, prices\n"
	      "and the database's schema.  It works on the database directly;\n"
	      "running servers see each change at once.\n"
	      ".SH OPTIONS\n"
	      ".TP\n.B \\-\\-json\n"
	      "Print the result as one JSON value: an object, or\n"
	      "{\"data\": [...]} for lists.  After a failure it is\n"
	      "{\"error\": {\"code\", \"message\"}}.\n"
	      ".TP\n.BI \"\\-c \" FILE\n"
	      "The server's configuration; else the file named by\n"
	      ".BR SB_CONF ,\n"
	      "else the installed default.\n"
	      ".TP\n.B \\-\\-help\n"
	      "After any verb: what it does and takes.\n"
	      ".TP\n.B \\-\\-version\nPrint the version.\n"
	      ".SH VERBS\n",
	    f);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (!v->hidden)
			write_man_verb(f, v);
	fputs(".SH EXIT STATUS\n"
	      "0 done, 1 failed, 2 wrong usage.\n"
	      ".SH ENVIRONMENT\n"
	      ".TP\n.B SB_CONF\nThe configuration file, where no \\fB\\-c\\fR "
	      "stands.\n"
	      ".SH SEE ALSO\n"
	      ".BR switchboard.conf (5),\n.BR switchboardd (8)\n",
	    f);
}
