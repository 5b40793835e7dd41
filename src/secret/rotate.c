/* The data keys pass through locked memory, one after the other. */
#include "secret/rotate.h"

#include <string.h>

#include "crypto/locked.h"
#include "secret/data_key.h"
#include "secret/store.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PATIENCE (60 * CLOCK_S)
#define LIST_MAX ((size_t)1024 * 1024)

/* Array literals of the rows' columns. */
struct lists {
	struct buf account, version, was, wrapped;
};

static void
list_add(struct buf *b, const char *text)
{
	buf_addc(b, b->len == 0 ? '{' : ',');
	buf_adds(b, text);
}

/* Seal the key of row ${row} anew and note the change. */
static int
rewrap(const struct keyring *ring, const struct db_result *r, int row,
    unsigned char *key, struct lists *l, struct err *e)
{
	char id[UUID_TEXT], was[KEYRING_ID], hex[DATA_KEY_HEX];
	struct data_key k;

	if (data_key_row(r, row, &k, e) != 0 ||
	    data_key_unwrap(&k, ring, key, e) != 0)
		return -1;
	memcpy(was, k.master_id, KEYRING_ID);
	data_key_wrap(&k, ring, 0, key);
	id_format(&k.account, id);
	str_hex(k.wrapped, DATA_KEY_WRAPPED, hex);
	list_add(&l->account, id);
	list_add(&l->version, db_text(r, row, 1));
	list_add(&l->was, was);
	list_add(&l->wrapped, hex);
	return 0;
}

/* The rows of ${r}, in one transaction. */
static int
change(struct db_pool *db, const struct keyring *ring,
    const struct db_result *r, const void *ctx, struct err *e)
{
	unsigned char *key = crypto_locked(ENVELOPE_KEY);
	struct lists l;
	struct buf *const all[] = { &l.account, &l.version, &l.was,
		&l.wrapped };
	struct db_call call = { .stmt = &secret_store_rewrap,
		.param = { keyring_id(ring, 0) },
		.nparams = 5 };
	int rc = 0;

	for (size_t i = 0; i < 4; i++)
		buf_init(all[i], ctx, LIST_MAX);
	for (int i = 0; rc == 0 && i < db_rows(r); i++)
		rc = rewrap(ring, r, i, key, &l, e);
	crypto_locked_free(key);
	for (size_t i = 0; i < 4; i++) {
		buf_addc(all[i], '}');
		call.param[i + 1] = all[i]->data;
		if (rc == 0 && buf_failed(all[i]))
			rc = err_set(e, ERR_INTERNAL, "too many at once");
	}
	if (rc == 0)
		rc = db_run(db, DB_WRITE, NULL, &call, 1,
		    clock_mono() + PATIENCE, ctx, e);
	return rc;
}

int
rotate_run(struct db_pool *db, const struct keyring *ring, int64_t *done,
    struct err *e)
{
	int rows, rc;

	*done = 0;
	do {
		struct db_call call = { .stmt = &secret_store_others,
			.param = { keyring_id(ring, 0), "500" },
			.nparams = 2 };
		void *ctx = mem_root("rotate");

		rows = 0;
		rc = db_run(db, DB_CONTROL, NULL, &call, 1,
		    clock_mono() + PATIENCE, ctx, e);
		if (rc == 0)
			rows = db_rows(call.result);
		if (rows > 0)
			rc = change(db, ring, call.result, ctx, e);
		if (rc == 0)
			*done += rows;
		mem_free(ctx);
	} while (rc == 0 && rows > 0);
	return rc;
}

int
rotate_count(struct db_pool *db, const struct keyring *ring,
    int64_t count[KEYRING_MOST], int64_t *strange, struct err *e)
{
	struct db_call call = { .stmt = &secret_store_count };
	void *ctx = mem_root("rotate");
	int rc = db_run(
	    db, DB_CONTROL, NULL, &call, 1, clock_mono() + PATIENCE, ctx, e);

	memset(count, 0, KEYRING_MOST * sizeof(*count));
	*strange = 0;
	for (int i = 0; rc == 0 && i < db_rows(call.result); i++) {
		int at = keyring_find(ring, db_text(call.result, i, 0));

		if (at < 0)
			*strange += db_int(call.result, i, 1);
		else
			count[at] = db_int(call.result, i, 1);
	}
	mem_free(ctx);
	return rc;
}
