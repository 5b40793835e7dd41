/* A person as she sees herself. */
#include <stdio.h>
#include <string.h>

#include "auth/sign_in.h"
#include "auth/store.h"
#include "db/db.h"
#include "util/mem.h"

#include "util/banned.h"

static json_t *
text_or_null(const struct db_result *r, int row, int col)
{
	return db_null(r, row, col) ? json_null()
	                            : json_string(db_text(r, row, col));
}

int
person_show(struct db_pool *db, const struct uuid *user, int64_t deadline,
    json_t **ret, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = {
		.stmt = &auth_store_person_show, .param = { id }, .nparams = 1
	};
	void *ctx = mem_root("person");
	const struct db_result *r;
	int rc;

	id_format(user, id);
	rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	if (rc == 0 && db_rows(call.result) == 0)
		rc = err_set(e, ERR_NOT_FOUND, "this person is no more");
	if (rc == 0) {
		r = call.result;
		*ret = json_pack("{s:s, s:s, s:s, s:b, s:o, s:s, s:o, s:b}",
		    "id", id, "email", db_text(r, 0, 0), "display_name",
		    db_text(r, 0, 1), "is_platform_admin",
		    (int)db_bool(r, 0, 2), "memberships",
		    json_loads(db_text(r, 0, 3), 0, NULL), "created_at",
		    db_text(r, 0, 4), "last_sign_in_at", text_or_null(r, 0, 5),
		    "has_password", (int)db_bool(r, 0, 6));
	}
	mem_free(ctx);
	return rc;
}

static json_t *
sign_in_json(const struct db_result *r, int row, const char *current)
{
	const char *id = db_text(r, row, 0);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", id,
	    "address", db_text(r, row, 1), "user_agent", db_text(r, row, 2),
	    "created_at", db_text(r, row, 3), "last_used_at",
	    db_text(r, row, 4), "expires_at", db_text(r, row, 5), "current",
	    strcmp(id, current) == 0);
}

int
person_sign_ins(struct db_pool *db, const struct uuid *user,
    const struct uuid *current, const struct uuid *after, int limit,
    int64_t deadline, json_t **ret, struct err *e)
{
	char id[UUID_TEXT], here[UUID_TEXT], last[UUID_TEXT], most[16];
	struct db_call call = { .stmt = &auth_store_sign_ins,
		.param = { id, after != NULL ? last : NULL, most },
		.nparams = 3 };
	void *ctx = mem_root("sign-ins");
	json_t *data, *next;
	int rc, n;

	id_format(user, id);
	id_format(current, here);
	if (after != NULL)
		id_format(after, last);
	/* One more than is shown tells whether there is a next page. */
	snprintf(most, sizeof(most), "%d", limit + 1);
	rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	if (rc == 0) {
		n = db_rows(call.result);
		data = json_array();
		for (int i = 0; i < n && i < limit; i++)
			json_array_append_new(
			    data, sign_in_json(call.result, i, here));
		next = n > limit
		           ? json_string(db_text(call.result, limit - 1, 0))
		           : json_null();
		*ret = json_pack("{s:o, s:o}", "data", data, "next", next);
	}
	mem_free(ctx);
	return rc;
}
