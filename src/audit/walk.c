/* Page after page, each a transaction of its own: entries never change. */
#include "audit/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/hex.h"
#include "audit/store.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PAGE 500
#define PATIENCE (60 * CLOCK_S)
#define NUMBER 24

static int
entry_of(const struct db_result *r, int row, struct chain_entry *out)
{
	out->seq = db_int(r, row, COL_SEQ);
	out->at_us = db_int(r, row, COL_AT);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		out->text[i] = db_null(r, row, COL_ACTION + i)
		                   ? NULL
		                   : db_text(r, row, COL_ACTION + i);
	if (db_uuid(r, row, COL_ID, &out->id) != 0 ||
	    hex_bytes(db_text(r, row, COL_PREVIOUS), out->previous,
		CHAIN_HASH) != 0 ||
	    hex_bytes(db_text(r, row, COL_HASH), out->hash, CHAIN_HASH) != 0)
		return -1;
	return 0;
}

/* What a page of the walk found: the number to go on with, 0 at the end. */
static int
take_page(const struct db_result *r,
    int (*take)(void *arg, const struct chain_entry *, struct err *), void *arg,
    int64_t *next, struct err *e)
{
	struct chain_entry entry;
	int rows = db_rows(r);

	for (int i = 0; i < rows; i++) {
		if (entry_of(r, i, &entry) != 0)
			return err_set(
			    e, ERR_INTERNAL, "an audit entry has an odd form");
		if (take(arg, &entry, e) != 0)
			return -1;
	}
	*next = rows == PAGE ? db_int(r, rows - 1, COL_SEQ) + 1 : 0;
	return 0;
}

static const char *
number(char out[NUMBER], int64_t v)
{
	snprintf(out, NUMBER, "%" PRId64, v);
	return out;
}

int
audit_walk(struct db_pool *db, const struct uuid *account,
    const struct audit_range *range,
    int (*take)(void *arg, const struct chain_entry *, struct err *), void *arg,
    struct err *e)
{
	char id[UUID_TEXT], seq[NUMBER], most[NUMBER], since[NUMBER],
	    until[NUMBER];
	int64_t next = 1;
	int rc = 0;

	id_format(account, id);
	while (rc == 0 && next > 0) {
		void *ctx = mem_root("audit_walk");
		struct db_call call = { .stmt = &audit_store_walk,
			.param = { id, number(seq, next), number(most, PAGE),
			    range->since_us ? number(since, range->since_us)
					    : NULL,
			    range->until_us ? number(until, range->until_us)
					    : NULL },
			.nparams = 5 };

		rc = db_run(db, DB_READ, account, &call, 1,
		    clock_mono() + PATIENCE, ctx, e);
		if (rc == 0)
			rc = take_page(call.result, take, arg, &next, e);
		mem_free(ctx);
	}
	return rc;
}

int
audit_head(struct db_pool *db, const struct uuid *account, int64_t *seq,
    unsigned char hash[CHAIN_HASH], struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = {
		.stmt = &audit_store_head, .param = { id }, .nparams = 1
	};
	void *ctx = mem_root("audit_head");
	int rc;

	id_format(account, id);
	memset(hash, 0, CHAIN_HASH);
	*seq = 0;
	rc = db_run(
	    db, DB_READ, account, &call, 1, clock_mono() + PATIENCE, ctx, e);
	if (rc == 0 && db_rows(call.result) > 0) {
		*seq = db_int(call.result, 0, 0);
		if (hex_bytes(db_text(call.result, 0, 1), hash, CHAIN_HASH) !=
		    0)
			rc = err_set(
			    e, ERR_INTERNAL, "an audit head has an odd form");
	}
	mem_free(ctx);
	return rc;
}
