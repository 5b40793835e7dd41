/*
 * Rows as JSON: each result that is only shown is described by a list of
 * columns beside its statement.
 */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include <jansson.h>

struct db_result;

enum rows_kind { ROW_END, ROW_TEXT, ROW_INT, ROW_REAL, ROW_BOOL, ROW_JSON };

/* A column of a result: its member's name, and what it is. */
struct rows_col {
	const char *key;
	enum rows_kind kind;
};

/* SQL: a timestamp as it is shown (RFC 3339 in UTC); microseconds since 1970
 * as a timestamp. */
#define ROWS_UTC(x)                                                            \
	"to_char(" x " AT TIME ZONE 'UTC', "                                   \
	"'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
#define ROWS_FROM_US(x)                                                        \
	"(timestamptz 'epoch' + " x "::bigint * interval '1 microsecond')"

/* The first columns of a row as an object, by a list that ends in ROW_END; new
 * references. */
json_t *rows_object(
    const struct db_result *, int row, const struct rows_col *cols);
/* All rows as an array of such objects. */
json_t *rows_array(const struct db_result *, const struct rows_col *cols);

#endif
