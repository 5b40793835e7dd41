/* Trying a key: its row, opened, asked with, and wiped. */
#include "gateway/try.h"

#include <string.h>

#include "db/db.h"
#include "gateway/seal.h"
#include "gateway/store.h"
#include "secret/secret.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static const char *
problem_of(const void *ctx, const struct llm_probe *p)
{
	if (p->status >= 200 && p->status < 300)
		return NULL;
	if (p->status == 401 || p->status == 403)
		return "The provider refuses the key.";
	if (p->status == 404)
		return "The address has no list of models: is base_url right?";
	return mem_printf(ctx, "The provider answered %d.", p->status);
}

int
gateway_try(const struct gateway_try *t, const struct uuid *account,
    const char *id, const void *ctx, struct llm_probe *out,
    const char **problem, struct err *e)
{
	char whose[UUID_TEXT];
	struct db_call call = { .stmt = &gateway_store_sealed,
		.param = { whose, id },
		.nparams = 2 };
	const struct db_result *r;
	struct llm_access access;
	struct err why = { 0 };
	struct secret *key;
	struct uuid row;
	int rc;

	*out = (struct llm_probe){ 0 };
	id_format(account, whose);
	if (id_parse(id, strlen(id), &row) != 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	if (db_run(t->db, DB_CONTROL, account, &call, 1, t->deadline, ctx, e) !=
	    0)
		return -1;
	r = call.result;
	if (db_rows(r) == 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	if (seal_open(t->vault, account, &row, db_text(r, 0, 2),
		db_len(r, 0, 2), db_int(r, 0, 3), t->deadline, &key, e) != 0)
		return -1;
	access = (struct llm_access){ .key = (const char *)secret_bytes(key) };
	if (!db_null(r, 0, 1)) {
		access.base = db_text(r, 0, 1);
		access.own_base = true;
		access.egress = id_is_nil(account) ? NULL : t->egress;
	}
	rc = llm_try(t->net, db_text(r, 0, 0), &access, t->deadline, out, &why);
	secret_free(key);
	*problem = rc != 0 ? mem_strdup(ctx, why.text) : problem_of(ctx, out);
	return 0;
}
