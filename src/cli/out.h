/*
 * What a verb says.  A result is one JSON value; with --json it is printed as
 * it is, else the columns that the verb names become a table or a list of
 * "key: value" lines.  So both forms always say the same.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <jansson.h>

#include "cli/cli.h"

/* A column: member of the object, and how it is headed. */
struct out_col {
	const char *key, *head;
};

/* Print {"data": [...]} as a table; ${cols} ends with a NULL key.  The
 * reference to ${data}, an array, is taken over. */
int out_list(struct cli *, json_t *data, const struct out_col *cols);
/* Print it as CSV (util/csv.h), whatever else was asked for. */
int out_csv(struct cli *, json_t *data, const struct out_col *cols);
/* Print an object, one line a column.  The reference is taken over. */
int out_object(struct cli *, json_t *object, const struct out_col *cols);
/* Print an object as JSON, or one sentence.  The reference is taken over. */
int out_done(struct cli *, json_t *object, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The error of a command that failed. */
void out_error(const struct cli *, const struct err *);

#endif
