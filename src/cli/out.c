/*
 * Printing results and errors, for people or as JSON.  Text from the database
 * goes to a terminal: control characters are shown as "?".
 */
#include "cli/out.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/buf.h"
#include "util/csv.h"
#include "util/mem.h"

#include "util/banned.h"

#define WIDTH_MAX 60
#define COLS_MAX 24
#define CSV_MAX ((size_t)256 * 1024 * 1024)

static int
print_json(json_t *v)
{
	int rc = json_dumpf(v, stdout,
	    JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));

	putchar('\n');
	json_decref(v);
	return rc;
}

/* Nothing that a terminal obeys; ${lines}: but line ends may stay. */
static void
tame(char *s, bool lines)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < 0x20 || *s == 0x7f) &&
		    !(lines && (*s == '\n' || *s == '\t')))
			*s = '?';
}

/* One value as text below ctx; in a table it must be one line. */
static char *
text_of(const void *ctx, const json_t *v, bool lines)
{
	char *s;

	if (v == NULL || json_is_null(v))
		return mem_strdup(ctx, "-");
	if (json_is_boolean(v))
		return mem_strdup(ctx, json_is_true(v) ? "yes" : "no");
	if (json_is_integer(v))
		return mem_printf(
		    ctx, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	if (json_is_real(v))
		return mem_printf(ctx, "%.9g", json_real_value(v));
	if (json_is_string(v)) {
		s = mem_strdup(ctx, json_string_value(v));
	} else if (json_is_array(v)) {
		size_t i;
		json_t *item;

		s = mem_strdup(ctx, json_array_size(v) == 0 ? "-" : "");
		json_array_foreach(v, i, item) s = mem_printf(ctx, "%s%s%s", s,
		    i > 0 ? ", " : "", text_of(ctx, item, lines));
	} else {
		char *dump =
		    json_dumps(v, lines ? JSON_INDENT(2) : JSON_COMPACT);

		s = mem_strdup(ctx, dump);
		free(dump);
	}
	tame(s, lines);
	return s;
}

/* Places that ${s} takes on a terminal: bytes that begin a character. */
static int
width(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void
print_row(char *const *cell, const int *wide, int ncols)
{
	for (int i = 0; i < ncols; i++) {
		fputs(cell[i], stdout);
		if (i + 1 < ncols)
			printf("%*s",
			    wide[i] - width(cell[i]) > 0
				? wide[i] - width(cell[i]) + 2
				: 2,
			    "");
	}
	putchar('\n');
}

int
out_list(struct cli *c, json_t *data, const struct out_col *cols)
{
	int ncols = 0, wide[COLS_MAX];
	size_t nrows = json_array_size(data), i;
	json_t *row;
	char **cells;

	if (c->json)
		return print_json(json_pack("{s:o}", "data", data));
	while (ncols < COLS_MAX && cols[ncols].key != NULL)
		ncols++;
	cells = mem_array(c->ctx, char *, (nrows + 1) * (size_t)ncols);
	for (int k = 0; k < ncols; k++) {
		cells[k] = mem_strdup(c->ctx, cols[k].head);
		wide[k] = width(cells[k]);
	}
	json_array_foreach(data, i, row) for (int k = 0; k < ncols; k++)
	{
		char *s =
		    text_of(c->ctx, json_object_get(row, cols[k].key), false);

		cells[(i + 1) * (size_t)ncols + (size_t)k] = s;
		if (width(s) > wide[k])
			wide[k] = width(s) < WIDTH_MAX ? width(s) : WIDTH_MAX;
	}
	for (i = 0; i <= nrows; i++)
		print_row(cells + i * (size_t)ncols, wide, ncols);
	json_decref(data);
	return 0;
}

int
out_csv(struct cli *c, json_t *data, const struct out_col *cols)
{
	const char *keys[COLS_MAX + 1] = { NULL };
	struct buf b;

	for (int i = 0; i < COLS_MAX && cols[i].key != NULL; i++)
		keys[i] = cols[i].key;
	buf_init(&b, c->ctx, CSV_MAX);
	csv_table(&b, data, keys);
	json_decref(data);
	return !buf_failed(&b) && fwrite(b.data, 1, b.len, stdout) == b.len
	           ? 0
	           : -1;
}

int
out_object(struct cli *c, json_t *object, const struct out_col *cols)
{
	int wide = 0;

	if (c->json)
		return print_json(object);
	for (const struct out_col *k = cols; k->key != NULL; k++)
		if (width(k->head) > wide)
			wide = width(k->head);
	for (const struct out_col *k = cols; k->key != NULL; k++)
		printf("%s:%*s %s\n", k->head, wide - width(k->head), "",
		    text_of(c->ctx, json_object_get(object, k->key), true));
	json_decref(object);
	return 0;
}

int
out_done(struct cli *c, json_t *object, const char *fmt, ...)
{
	va_list ap;

	if (c->json)
		return print_json(object);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	json_decref(object);
	return 0;
}

/* What helps, where the text alone does not say it. */
static const char *
advice(const struct cli *c, const struct err *e)
{
	if (c->misused)
		return NULL;
	switch (e->code) {
	case ERR_UNAVAILABLE:
		if (c->conf == NULL)
			return "Is PostgreSQL running there, and does it let "
			       "this user in?";
		return "Is PostgreSQL running, and database_url right?  "
		       "\"switchboard doctor\" looks at each part.";
	case ERR_DENIED:
		return "The database role may not do this: has "
		       "\"switchboard migrate\" run?";
	case ERR_INTERNAL:
		return "This is a fault of the program or of the database's "
		       "schema; has \"switchboard migrate\" run?";
	default:
		return NULL;
	}
}

void
out_error(const struct cli *c, const struct err *e)
{
	const char *more = advice(c, e);
	const json_t *row;
	size_t i;

	if (c->json)
		print_json(json_pack("{s:{s:s, s:s, s:O*}}", "error", "code",
		    c->misused ? "usage" : err_name(e->code), "message",
		    e->text, "errors", c->errors));
	fflush(stdout);
	json_array_foreach(c->errors, i, row) fprintf(stderr, "  %s: %s\n",
	    json_string_value(json_object_get(row, "pointer")),
	    json_string_value(json_object_get(row, "detail")));
	fprintf(stderr, "switchboard%s%s: %s\n", c->verb != NULL ? " " : "",
	    c->verb != NULL ? c->verb->name : "", e->text);
	if (more != NULL)
		fprintf(stderr, "%s\n", more);
	if (c->misused && c->verb != NULL)
		fprintf(
		    stderr, "Try \"switchboard %s --help\".\n", c->verb->name);
}
