/* Appending to the record, and reading its pages. */
#include "audit/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/mask.h"
#include "audit/store.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PAGE_BYTES "3000000"
#define NUMBER 24

void
audit_call(const void *ctx, const struct uuid *account,
    const struct audit_entry *entry, struct db_call *out)
{
	const char *const texts[] = { entry->action, entry->actor_kind,
		entry->actor_id, entry->actor_name, entry->address,
		entry->request_id, entry->object_kind, entry->object_id };
	int n = 0;
	char *id;

	*out = (struct db_call){ .stmt = &audit_store_append };
	if (account != NULL) {
		id = mem_zalloc(ctx, UUID_TEXT, "account");
		id_format(account, id);
		out->param[n] = id;
	}
	n++;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		out->param[n++] = mask_text(ctx, texts[i], AUDIT_TEXT_MAX);
	out->param[n++] = mask_json(ctx, entry->before, AUDIT_VALUE_MAX);
	out->param[n++] = mask_json(ctx, entry->after, AUDIT_VALUE_MAX);
	out->nparams = n;
}

static json_t *
text_or_null(const struct db_result *r, int row, int col)
{
	return db_null(r, row, col) ? json_null()
	                            : json_string(db_text(r, row, col));
}

static json_t *
json_or_null(const struct db_result *r, int row, int col)
{
	if (db_null(r, row, col))
		return json_null();
	return json_loadb(db_text(r, row, col), db_len(r, row, col),
	    JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* An entry as its readers see it. */
static json_t *
entry_json(const struct db_result *r, int row)
{
	char at[CLOCK_RFC3339_SIZE];

	clock_rfc3339(db_int(r, row, COL_AT), at);
	return json_pack(
	    "{s:I, s:s, s:s, s:s, s:{s:s, s:o, s:o}, s:o, s:o, s:{s:o, s:o},"
	    " s:o, s:o, s:s, s:s}",
	    "seq", (json_int_t)db_int(r, row, COL_SEQ), "id",
	    db_text(r, row, COL_ID), "at", at, "action",
	    db_text(r, row, COL_ACTION), "actor", "kind",
	    db_text(r, row, COL_ACTOR_KIND), "id",
	    text_or_null(r, row, COL_ACTOR_ID), "name",
	    text_or_null(r, row, COL_ACTOR_NAME), "address",
	    text_or_null(r, row, COL_ADDRESS), "request_id",
	    text_or_null(r, row, COL_REQUEST_ID), "object", "kind",
	    text_or_null(r, row, COL_OBJECT_KIND), "id",
	    text_or_null(r, row, COL_OBJECT_ID), "before",
	    json_or_null(r, row, COL_BEFORE), "after",
	    json_or_null(r, row, COL_AFTER), "previous",
	    db_text(r, row, COL_PREVIOUS), "hash", db_text(r, row, COL_HASH));
}

/* One row more than ${limit} was asked for, and what was too long together was
 * left out: there is more if not all that was found is shown. */
static json_t *
page_json(const struct db_result *r, int limit)
{
	int rows = db_rows(r), shown = rows < limit ? rows : limit;
	json_t *data = json_array(), *next = json_null();

	for (int i = 0; i < shown; i++)
		json_array_append_new(data, entry_json(r, i));
	if (shown > 0 && db_int(r, 0, COL_FOUND) > shown)
		next = json_sprintf("%" PRId64, db_int(r, shown - 1, COL_SEQ));
	return json_pack("{s:o, s:o}", "data", data, "next", next);
}

static const char *
number(char out[NUMBER], int64_t v)
{
	if (v == 0)
		return NULL;
	snprintf(out, NUMBER, "%" PRId64, v);
	return out;
}

/* The parameters of a page that ${f} sets; "x.*" is a beginning. */
static void
filter_params(const void *ctx, const struct audit_filter *f,
    struct db_call *call, char since[NUMBER], char until[NUMBER])
{
	size_t n = f->action != NULL ? strlen(f->action) : 0;

	if (n > 1 && strcmp(f->action + n - 2, ".*") == 0)
		call->param[5] = mem_strndup(ctx, f->action, n - 1);
	else
		call->param[4] = f->action;
	call->param[6] = f->actor_kind;
	call->param[7] = f->actor_id;
	call->param[8] = f->object_kind;
	call->param[9] = f->object_id;
	call->param[10] = number(since, f->since_us);
	call->param[11] = number(until, f->until_us);
}

int
audit_list(struct db_pool *db, const struct uuid *account,
    const struct audit_filter *f, const char *after, int limit,
    int64_t deadline, json_t **ret, struct err *e)
{
	static const struct uuid platform;
	char id[UUID_TEXT], seq[NUMBER], most[NUMBER], since[NUMBER],
	    until[NUMBER];
	struct db_call call = { .stmt = &audit_store_page,
		.param = { id, NULL, most, PAGE_BYTES },
		.nparams = 12 };
	int64_t before = 0;
	void *ctx;
	int rc;

	if (after != NULL && str_int(after, 1, INT64_MAX, &before) != 0)
		return err_set(
		    e, ERR_INVALID, "after is not the next of a page");
	if (account == NULL)
		account = &platform;
	ctx = mem_root("audit_list");
	id_format(account, id);
	call.param[1] = number(seq, before);
	(void)number(most, limit + 1);
	filter_params(ctx, f, &call, since, until);
	rc = db_run(db, DB_READ, account, &call, 1, deadline, ctx, e);
	if (rc == 0)
		*ret = page_json(call.result, limit);
	mem_free(ctx);
	return rc;
}
