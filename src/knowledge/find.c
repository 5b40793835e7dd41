/* Retrieval from the database: one round trip. */
#include "knowledge/find_priv.h"

#include <stdio.h>

#include "db/db.h"
#include "knowledge/store.h"
#include "util/mem.h"

#include "util/banned.h"

static int
hit_read(const struct db_result *r, int row, struct hit *h, struct err *e)
{
	h->kind = db_text(r, row, 0);
	if (db_uuid(r, row, 1, &h->id) < 0)
		return err_set(
		    e, ERR_INTERNAL, "knowledge: a passage without an id");
	h->title = db_text(r, row, 2);
	h->url = db_null(r, row, 3) ? NULL : db_text(r, row, 3);
	h->text = db_text(r, row, 4);
	h->score = db_real(r, row, 5);
	return 0;
}

static int
hits_read(const struct db_result *r, const void *ctx, struct hit **ret, int *n,
    struct err *e)
{
	int rows = db_rows(r);
	struct hit *hits = mem_array(ctx, struct hit, (size_t)rows);

	/* the fields' text lives as long as the result, below ctx */
	for (int i = 0; i < rows; i++)
		if (hit_read(r, i, &hits[i], e) < 0)
			return -1;
	*ret = hits;
	*n = rows;
	return 0;
}

int
find(struct db_pool *db, const struct knowledge_ask *ask,
    const struct words *words, int64_t deadline, const void *ctx,
    struct hit **ret, int *n, bool *nothing, struct err *e)
{
	char account[UUID_TEXT], agent[UUID_TEXT], limit[16];
	struct db_call calls[] = { { .nparams = 0 },
		{ .stmt = &knowledge_stmt_nothing,
		    .param = { account },
		    .nparams = 1 } };
	struct db_call *c = &calls[0];

	id_format(ask->account, account);
	id_format(ask->agent, agent);
	snprintf(limit, sizeof(limit), "%d", ask->limit);
	if (words->overview) {
		c->stmt = &knowledge_stmt_overview;
		c->param[c->nparams++] = account;
		c->param[c->nparams++] = agent;
	} else {
		c->stmt = &knowledge_stmt_search;
		c->param[c->nparams++] = agent;
		c->param[c->nparams++] = words->text;
	}
	c->param[c->nparams++] = limit;
	c->param[c->nparams++] = ask->kind;
	/* Not from a standby that lags: what is found is remembered. */
	if (db_run(db, DB_READ, ask->account, calls, 2, deadline, ctx, e) < 0)
		return -1;
	*nothing = db_bool(calls[1].result, 0, 0);
	return hits_read(c->result, ctx, ret, n, e);
}
