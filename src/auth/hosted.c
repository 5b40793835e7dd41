/* Which widget key the server's own page of an agent goes by. */
#include "auth/hosted.h"

#include "account/account.h"
#include "auth/store.h"
#include "db/db.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

/* 32 bytes of hexadecimal digits. */
static void
unhex(const char *hex, unsigned char out[32])
{
	for (int i = 0; i < 32; i++)
		out[i] =
		    (unsigned char)(str_hex_digit(hex[2 * (size_t)i]) << 4 |
				    str_hex_digit(hex[2 * (size_t)i + 1]));
}

int
hosted_key(struct db_pool *db, const struct hosted *h, int64_t deadline,
    const void *ctx, unsigned char hash[32], struct err *e)
{
	char account[UUID_TEXT];
	struct db_call call = { .stmt = &auth_store_hosted_keys,
		.param = { account, h->agent_type, h->agent_name },
		.nparams = 3 };

	id_format(h->account, account);
	if (db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	for (int i = 0; i < db_rows(call.result); i++) {
		int n;
		char **list = origin_list(ctx, db_text(call.result, i, 1), &n);
		bool good = origin_allowed(h->origin, list, n) &&
		            db_len(call.result, i, 0) == 64;

		mem_free(list);
		if (!good)
			continue;
		unhex(db_text(call.result, i, 0), hash);
		return 0;
	}
	return err_set(e, ERR_NOT_FOUND, "there is no chat at this address");
}
