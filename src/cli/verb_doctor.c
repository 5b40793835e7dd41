/*
 * switchboard doctor: look at each part of an installation and say what is
 * wrong with it and what to do.  Changes nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/doctor/exam.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

static const struct out_col cols[] = { { "check", "CHECK" },
	{ "state", "STATE" }, { "detail", "DETAIL" }, { NULL, NULL } };

static void __attribute__((format(printf, 5, 0)))
add_row(struct exam *x, const char *check, const char *state, const char *todo,
    const char *fmt, va_list ap)
{
	json_t *row = json_pack("{s:s, s:s}", "check", check, "state", state);
	char text[800];

	vsnprintf(text, sizeof text, fmt, ap);
	json_object_set_new(row, "detail", json_string(text));
	if (todo != NULL)
		json_object_set_new(row, "todo", json_string(todo));
	json_array_append_new(x->rows, row);
}

void
exam_ok(struct exam *x, const char *check, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_row(x, check, "ok", NULL, fmt, ap);
	va_end(ap);
}

void
exam_warn(
    struct exam *x, const char *check, const char *todo, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_row(x, check, "warn", todo, fmt, ap);
	va_end(ap);
	x->warnings++;
}

void
exam_fail(
    struct exam *x, const char *check, const char *todo, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_row(x, check, "fail", todo, fmt, ap);
	va_end(ap);
	x->failures++;
}

/* For people: what to do stands below each line that is not good. */
static void
print_rows(const struct exam *x)
{
	const json_t *row;
	size_t i;

	json_array_foreach(x->rows, i, row)
	{
		const char *todo =
		    json_string_value(json_object_get(row, "todo"));

		printf("%-4s  %-22s %s\n",
		    json_string_value(json_object_get(row, "state")),
		    json_string_value(json_object_get(row, "check")),
		    json_string_value(json_object_get(row, "detail")));
		if (todo != NULL)
			printf("      %-22s -> %s\n", "", todo);
	}
}

static int
report(struct exam *x, struct err *e)
{
	struct cli *c = x->c;

	if (c->json) {
		out_list(c, x->rows, cols);
		/* The list says it all: nothing may follow it. */
		c->silent = true;
		return x->failures == 0 ? 0 : -1;
	}
	print_rows(x);
	json_decref(x->rows);
	if (x->failures > 0)
		return err_set(
		    e, ERR_CONFLICT, "%d of these must be mended", x->failures);
	if (x->warnings == 0)
		puts("All is well.");
	return 0;
}

int
verb_doctor(struct cli *c, struct err *e)
{
	const char *url = cli_opt(c, "url");
	struct exam x = { .c = c, .rows = NULL };

	if (url != NULL && !str_starts(url, "http://") &&
	    !str_starts(url, "https://"))
		return cli_misuse(
		    c, e, "--url %s: begins with https:// or http://", url);
	x.rows = json_array();
	if (cli_conf(c, &x.conf, e) != 0) {
		exam_fail(&x, "configuration",
		    "mend the file, or name another: -c FILE, SB_CONF", "%s",
		    e->text);
		return report(&x, e);
	}
	exam_ok(&x, "configuration", "%s", x.conf->file);
	exam_files(&x);
	exam_database(&x);
	exam_ways(&x);
	exam_sockets(&x);
	exam_limits(&x);
	exam_journals(&x);
	exam_dead_letters(&x);
	exam_providers(&x);
	exam_mail(&x);
	exam_front(&x, url);
	return report(&x, e);
}
