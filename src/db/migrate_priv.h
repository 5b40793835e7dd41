/* The SQL files of a directory, read and in order. */
#ifndef DB_MIGRATE_PRIV_H
#define DB_MIGRATE_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

struct sql_file {
	int number;
	char *name; /* without .sql: "0001_control" */
	char *text;
};

struct sql_files {
	struct sql_file *file; /* by number, then name */
	size_t n;
};

/*
 * Read all ${dir}/N..N_name.sql with ${digits} digits, below ${ctx}.  A missing
 * directory is an error only if ${must}.  Other names are passed over.
 */
int sql_files_read(const char *dir, int digits, bool must, const void *ctx,
    struct sql_files *out, struct err *e);

#endif
