/* A result hangs on a talloc tree and takes libpq's memory with it. */
#ifndef DB_RESULT_PRIV_H
#define DB_RESULT_PRIV_H

#include <libpq-fe.h>

#include "db/db.h"

struct db_result {
	PGresult *pg;
};

/* ${pg} belongs to the result, which hangs below ${ctx}. */
struct db_result *result_new(const void *ctx, PGresult *pg);

#endif
