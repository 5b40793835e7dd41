/* Running statements, and turning their rows into JSON. */
#include "cli/rows.h"

#include "audit/audit.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static int
run(struct db_pool *db, enum db_intent intent, const struct uuid *account,
    struct db_call *calls, int n, const void *ctx, struct err *e)
{
	return db_run(db, intent, account, calls, n,
	    clock_mono() + 150 * CLOCK_S, ctx, e);
}

static int
list(struct db_pool *db, enum db_intent intent, const struct uuid *account,
    struct db_call *call, const struct rows_col *cols, json_t **ret,
    struct err *e)
{
	void *ctx = mem_root("rows");
	int rc = run(db, intent, account, call, 1, ctx, e);

	if (rc == 0)
		*ret = rows_array(call->result, cols);
	mem_free(ctx);
	return rc;
}

int
rows_run(struct db_pool *db, const struct uuid *account, struct db_call *calls,
    int n, const void *ctx, struct err *e)
{
	return run(db, DB_CONTROL, account, calls, n, ctx, e);
}

int
rows_list(struct db_pool *db, const struct uuid *account, struct db_call *call,
    const struct rows_col *cols, json_t **ret, struct err *e)
{
	return list(db, DB_CONTROL, account, call, cols, ret, e);
}

int
rows_list_stale(struct db_pool *db, const struct uuid *account,
    struct db_call *call, const struct rows_col *cols, json_t **ret,
    struct err *e)
{
	return list(db, DB_READ_STALE_OK, account, call, cols, ret, e);
}

int
rows_one(struct db_pool *db, const struct uuid *account, struct db_call *call,
    const struct rows_col *cols, const char *what, const char *name,
    json_t **ret, struct err *e)
{
	json_t *rows;

	if (rows_list(db, account, call, cols, &rows, e) != 0)
		return -1;
	if (json_array_size(rows) == 0) {
		json_decref(rows);
		return err_set(e, ERR_NOT_FOUND, "no %s %s", what, name);
	}
	*ret = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return 0;
}

int
rows_id(struct db_pool *db, const struct uuid *account, struct db_call *call,
    const char *what, const char *name, struct uuid *id, struct err *e)
{
	void *ctx = mem_root("rows");
	int rc = rows_run(db, account, call, 1, ctx, e);

	if (rc == 0 && (db_rows(call->result) == 0 ||
			   db_uuid(call->result, 0, 0, id) != 0))
		rc = err_set(e, ERR_NOT_FOUND, "no %s %s", what, name);
	mem_free(ctx);
	return rc;
}

int
rows_change(struct db_pool *db, const struct uuid *account,
    struct db_call *call, int *rows, struct err *e)
{
	void *ctx = mem_root("rows");
	int rc = rows_run(db, account, call, 1, ctx, e);

	if (rc == 0 && rows != NULL)
		*rows = db_rows(call->result);
	mem_free(ctx);
	return rc;
}

int
rows_record(struct db_pool *db, const struct uuid *account,
    struct db_call *calls, int n, const struct audit_entry *entry,
    const void *ctx, struct err *e)
{
	struct db_call *all = mem_array(ctx, struct db_call, (size_t)n + 1);
	int rc;

	for (int i = 0; i < n; i++)
		all[i] = calls[i];
	audit_call(ctx, account, entry, &all[n]);
	rc = rows_run(db, account, all, n + 1, ctx, e);
	for (int i = 0; rc == 0 && i < n; i++)
		calls[i].result = all[i].result;
	return rc;
}
