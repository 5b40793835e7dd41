/* The SQL that shows keys for model providers; what changes them is
 * gateway/store.c's. */
#include "api/manage/store.h"

#include "util/banned.h"

#define COLS                                                                   \
	"id, slot, provider, name, hint, base_url, tier, rpm, tpm, itpm, "     \
	"weight, priority, to_jsonb(models), status, "
#define USED ROWS_UTC("last_used_at")
#define MADE ROWS_UTC("created_at")
#define CHANGED ROWS_UTC("updated_at")
#define STATE                                                                  \
	STORE_STATE("name, key_version, base_url, tier, rpm, tpm, itpm, "      \
		    "weight, priority, models, status")

const struct rows_col manage_store_credential_cols[] = { { "id", ROW_TEXT },
	{ "slot", ROW_INT }, { "provider", ROW_TEXT }, { "name", ROW_TEXT },
	{ "hint", ROW_TEXT }, { "base_url", ROW_TEXT }, { "tier", ROW_INT },
	{ "rpm", ROW_INT }, { "tpm", ROW_INT }, { "itpm", ROW_INT },
	{ "weight", ROW_INT }, { "priority", ROW_INT }, { "models", ROW_JSON },
	{ "status", ROW_TEXT }, { "last_used_at", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { "updated_at", ROW_TEXT },
	{ NULL, ROW_END } };
const struct db_stmt manage_store_credential = { "manage_credential",
	"SELECT " COLS USED ", " MADE ", " CHANGED ", " STATE
	" FROM llm_credentials WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt manage_store_credential_lock = { "manage_credential_lock",
	STORE_LOCK(STATE, "llm_credentials WHERE account_id = $1::uuid "
			  "AND id = $2::uuid") };
const struct db_stmt manage_store_credentials = { "manage_credentials",
	"SELECT " COLS USED ", " MADE ", " CHANGED ", id FROM llm_credentials "
	"WHERE account_id = $1::uuid "
	"AND ($2::text IS NULL OR status = $2) "
	"AND ($3::text IS NULL OR provider = $3) "
	"AND ($4::uuid IS NULL OR id > $4::uuid) "
	"ORDER BY id LIMIT $5::integer" };
