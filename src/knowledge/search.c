/*
 * Retrieval: the words of a question in, the best passages of an account's
 * products and documents out.
 */
#include "knowledge/search.h"

#include <stdio.h>

#include "db/db.h"
#include "knowledge/store.h"
#include "knowledge/words.h"
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

int
knowledge_search(struct db_pool *db, const struct uuid *account,
    const struct uuid *agent, const char *question, const char *kind, int limit,
    int64_t deadline, const void *ctx, struct hit **ret, int *n, struct err *e)
{
	char account_text[UUID_TEXT], agent_text[UUID_TEXT], limit_text[16];
	struct words words;

	words_of(question, &words);
	if (words.n == 0 || limit <= 0) {
		*ret = NULL;
		*n = 0;
		return 0;
	}
	id_format(account, account_text);
	id_format(agent, agent_text);
	snprintf(limit_text, sizeof(limit_text), "%d", limit);

	struct db_call call = { .nparams = 0 };

	if (words.overview) {
		call.stmt = &knowledge_stmt_overview;
		call.param[call.nparams++] = account_text;
		call.param[call.nparams++] = agent_text;
	} else {
		call.stmt = &knowledge_stmt_search;
		call.param[call.nparams++] = agent_text;
		call.param[call.nparams++] = words.text;
	}
	call.param[call.nparams++] = limit_text;
	call.param[call.nparams++] = kind;
	if (db_run(db, DB_READ_STALE_OK, account, &call, 1, deadline, ctx, e) <
	    0)
		return -1;

	/* the fields' text lives as long as the result, below ctx */
	int rows = db_rows(call.result);

	if (rows == 0) {
		/* most of a talk finds nothing, and may stream for long */
		mem_free(call.result);
		*ret = NULL;
		*n = 0;
		return 0;
	}
	struct hit *hits = mem_array(ctx, struct hit, (size_t)rows);

	for (int i = 0; i < rows; i++)
		if (hit_read(call.result, i, &hits[i], e) < 0)
			return -1;
	*ret = hits;
	*n = rows;
	return 0;
}
