/* switchboard demo status: what of the demo is there. */
#include "cli/cli.h"
#include "cli/demo/content.h"
#include "cli/demo/store.h"
#include "cli/out.h"
#include "cli/store.h"
#include "cli/verbs.h"

#include "util/banned.h"

static const struct out_col cols[] = { { "account", "ACCOUNT" },
	{ "loaded", "LOADED" }, { "agents", "AGENTS" },
	{ "products", "PRODUCTS" }, { "documents", "DOCUMENTS" },
	{ "chunks", "PASSAGES" }, { NULL, NULL } };

/* One account's row; without counts where the account is not there. */
static int
status_row(struct db_pool *db, const char *slug, json_t **ret, struct err *e)
{
	struct uuid id;
	bool loaded = store_account_id(db, slug, &id, e) == 0;

	if (loaded) {
		if (store_demo_counts(db, &id, ret, e) != 0)
			return -1;
	} else {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		*ret = json_object();
	}
	json_object_set_new(*ret, "account", json_string(slug));
	json_object_set_new(*ret, "loaded", json_boolean(loaded));
	return 0;
}

int
verb_demo_status(struct cli *c, struct err *e)
{
	json_t *rows, *row;
	struct db_pool *db;

	if (cli_db(c, &db, e) != 0)
		return -1;
	rows = json_array();
	for (int i = 0; content_accounts[i] != NULL; i++) {
		if (status_row(db, content_accounts[i], &row, e) != 0) {
			json_decref(rows);
			return -1;
		}
		json_array_append_new(rows, row);
	}
	return out_list(c, rows, cols);
}
