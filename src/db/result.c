/* Reading the fields of a result: text, and what text stands for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db/result_priv.h"

#include "util/mem.h"

#include "util/banned.h"

static int
result_drop(struct db_result *r)
{
	PQclear(r->pg);
	return 0;
}

struct db_result *
result_new(const void *ctx, PGresult *pg)
{
	struct db_result *r = mem_new(ctx, struct db_result);

	r->pg = pg;
	talloc_set_destructor(r, result_drop);
	return r;
}

int
db_rows(const struct db_result *r)
{
	return PQntuples(r->pg);
}

int
db_columns(const struct db_result *r)
{
	return PQnfields(r->pg);
}

bool
db_null(const struct db_result *r, int row, int col)
{
	return PQgetisnull(r->pg, row, col);
}

const char *
db_text(const struct db_result *r, int row, int col)
{
	const char *s = PQgetvalue(r->pg, row, col);

	return s == NULL ? "" : s;
}

size_t
db_len(const struct db_result *r, int row, int col)
{
	return (size_t)PQgetlength(r->pg, row, col);
}

int64_t
db_int(const struct db_result *r, int row, int col)
{
	return strtoll(db_text(r, row, col), NULL, 10);
}

double
db_real(const struct db_result *r, int row, int col)
{
	return strtod(db_text(r, row, col), NULL);
}

bool
db_bool(const struct db_result *r, int row, int col)
{
	return db_text(r, row, col)[0] == 't';
}

int
db_uuid(const struct db_result *r, int row, int col, struct uuid *out)
{
	return id_parse(db_text(r, row, col), db_len(r, row, col), out);
}
