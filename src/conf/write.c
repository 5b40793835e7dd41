/* The parameters as a manual page and as an example file. */
#include <inttypes.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/param_priv.h"

#include "util/banned.h"

static const char *const type_names[] = { [PARAM_INT] = "number",
	[PARAM_SIZE] = "size",
	[PARAM_TIME] = "time",
	[PARAM_BOOL] = "on or off",
	[PARAM_TEXT] = "text",
	[PARAM_LIST] = "list" };

static bool
has_limits(const struct param *p)
{
	return p->type == PARAM_INT || p->type == PARAM_SIZE ||
	       p->type == PARAM_TIME;
}

/* Text of roff: backslashes and hyphens are signs there, and so are "." and
 * "'" at the start of a line. */
static void
put_roff(FILE *f, const char *s)
{
	if (*s == '.' || *s == '\'')
		(void)fputs("\\&", f);
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			(void)fputs("\\e", f);
		else if (*s == '-')
			(void)fputs("\\-", f);
		else
			(void)fputc(*s, f);
	}
}

void
conf_write_roff(FILE *f)
{
	for (size_t i = 0; i < params_count; i++) {
		const struct param *p = &params[i];
		char low[PARAM_TEXT_SIZE], high[PARAM_TEXT_SIZE];

		(void)fputs(".TP\n.B ", f);
		put_roff(f, p->name);
		(void)fputc('\n', f);
		put_roff(f, p->text);
		(void)fprintf(f, "\nType: %s", type_names[p->type]);
		if (has_limits(p)) {
			param_format(p->type, p->min, low);
			param_format(p->type, p->max, high);
			(void)fprintf(f, " from %s to %s", low, high);
		}
		(void)fputs(". Default: ", f);
		if (p->def[0] == '\0') {
			(void)fputs("empty", f);
		} else {
			(void)fputs("\\fB", f);
			put_roff(f, p->def);
			(void)fputs("\\fR", f);
		}
		(void)fprintf(f, ". A change takes effect at a %s.\n",
		    p->restart ? "restart" : "reload");
	}
}

/* The text as comment lines of at most 78 columns. */
static void
put_comment(FILE *f, const char *s)
{
	size_t column = 0;

	while (*s != '\0') {
		size_t n = strcspn(s, " ");

		if (column > 0 && column + 1 + n > 78) {
			(void)fputc('\n', f);
			column = 0;
		}
		(void)fprintf(f, "%s%.*s", column == 0 ? "# " : " ", (int)n, s);
		column += n + (column == 0 ? 2 : 1);
		s += n;
		s += strspn(s, " ");
	}
	(void)fputc('\n', f);
}

void
conf_write_example(FILE *f)
{
	(void)fputs("# Configuration of Switchboard: see "
		    "switchboard.conf(5).  Each line that is commented\n"
		    "# out shows the default.\n",
	    f);
	for (size_t i = 0; i < params_count; i++) {
		const struct param *p = &params[i];

		(void)fputc('\n', f);
		put_comment(f, p->text);
		if (p->def[0] == '\0')
			(void)fprintf(f, "#%s =\n", p->name);
		else
			(void)fprintf(f, "#%s = %s\n", p->name, p->def);
	}
}
