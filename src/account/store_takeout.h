/* The tables of an export, each with the statement that reads a page of it. */
#ifndef ACCOUNT_STORE_TAKEOUT_H
#define ACCOUNT_STORE_TAKEOUT_H

#include "db/db.h"

#define TAKEOUT_ROWS 200

struct takeout_table {
	const char *name;
	const char *first; /* the position before all others */
	/* $1 account, $2 position, $3 rows -> position, row as JSON */
	struct db_stmt stmt;
};
extern const struct takeout_table takeout_tables[];
extern const int takeout_ntables;

#endif
