/* Rows come from the database as the JSON they are written as. */
#include "account/takeout.h"

#include <stdio.h>

#include "account/store_takeout.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PAGE_WAIT (30 * CLOCK_S)
/* A page of the widest rows, both texts of a turn and what its tools said. */
#define PAGE_MAX ((size_t)256 * 1024 * 1024)

struct takeout {
	struct db_pool *db;
	const struct uuid *account;
	char account_text[UUID_TEXT];
	takeout_write *write;
	void *arg;
};

static int
give(struct takeout *t, struct buf *b, struct err *e)
{
	if (buf_failed(b))
		return err_set(e, ERR_INTERNAL, "a page that is too large");
	if (t->write(t->arg, b->data, b->len) != 0)
		return err_set(e, ERR_GONE, "nobody takes the export");
	return 0;
}

static int
write_page(struct takeout *t, const struct takeout_table *table,
    const struct db_result *r, const void *ctx, struct err *e)
{
	struct buf b;

	buf_init(&b, ctx, PAGE_MAX);
	for (int i = 0; i < db_rows(r); i++) {
		buf_addf(&b, "{\"table\":\"%s\",\"row\":", table->name);
		buf_add(&b, db_text(r, i, 1), db_len(r, i, 1));
		buf_adds(&b, "}\n");
	}
	return give(t, &b, e);
}

/* One page behind *after, which moves on, in ${next}'s memory.  How many rows,
 * or -1. */
static int
page(struct takeout *t, const struct takeout_table *table, const char *after,
    const void *next, const char **position, struct err *e)
{
	void *ctx = mem_root("takeout");
	char limit[16];
	struct db_call call = { .stmt = &table->stmt,
		.param = { t->account_text, after, limit },
		.nparams = 3 };
	int n = -1;

	snprintf(limit, sizeof(limit), "%d", TAKEOUT_ROWS);
	if (db_run(t->db, DB_READ, t->account, &call, 1,
		clock_mono() + PAGE_WAIT, ctx, e) == 0) {
		n = db_rows(call.result);
		if (n > 0) {
			*position =
			    mem_strdup(next, db_text(call.result, n - 1, 0));
			if (write_page(t, table, call.result, ctx, e) != 0)
				n = -1;
		}
	}
	mem_free(ctx);
	return n;
}

static int
table_rows(struct takeout *t, const struct takeout_table *table, int64_t *rows,
    struct err *e)
{
	const char *after = table->first;
	void *here = mem_root("position"), *there;
	int n;

	*rows = 0;
	do {
		there = mem_root("position");
		n = page(t, table, after, there, &after, e);
		mem_free(here);
		here = there;
		if (n > 0)
			*rows += n;
	} while (n == TAKEOUT_ROWS);
	mem_free(here);
	return n < 0 ? -1 : 0;
}

static int
write_head(struct takeout *t, const char *slug, const void *ctx, struct err *e)
{
	char now[CLOCK_RFC3339_SIZE];
	struct buf b;

	clock_rfc3339(clock_wall_us(), now);
	buf_init(&b, ctx, 65536);
	buf_addf(&b,
	    "{\"export\":{\"format\":1,\"account_id\":\"%s\",\"slug\":\"%s\","
	    "\"at\":\"%s\",\"tables\":[",
	    t->account_text, slug, now);
	for (int i = 0; i < takeout_ntables; i++)
		buf_addf(
		    &b, "%s\"%s\"", i > 0 ? "," : "", takeout_tables[i].name);
	buf_adds(&b, "]}}\n");
	return give(t, &b, e);
}

int
account_takeout(struct db_pool *db, const struct uuid *account,
    const char *slug, takeout_write *write, void *arg, int64_t *rows,
    struct err *e)
{
	struct takeout t = {
		.db = db, .account = account, .write = write, .arg = arg
	};
	void *ctx = mem_root("takeout");
	struct buf end;
	int64_t n;
	int rc;

	*rows = 0;
	id_format(account, t.account_text);
	buf_init(&end, ctx, 65536);
	buf_adds(&end, "{\"end\":{\"rows\":{");
	rc = write_head(&t, slug, ctx, e);
	for (int i = 0; rc == 0 && i < takeout_ntables; i++) {
		rc = table_rows(&t, &takeout_tables[i], &n, e);
		buf_addf(&end, "%s\"%s\":%lld", i > 0 ? "," : "",
		    takeout_tables[i].name, (long long)n);
		*rows += n;
	}
	buf_adds(&end, "}}}\n");
	if (rc == 0)
		rc = give(&t, &end, e);
	mem_free(ctx);
	return rc;
}
