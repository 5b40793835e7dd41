/* The SQL of what hosts tell each other. */
#include "gateway/store_share.h"

#include "util/banned.h"

const struct db_stmt store_share_tell = { "credentials_tell",
	"SELECT gate.credentials_tell($1, $2::jsonb, $3::jsonb)" };

const struct db_stmt store_share_heard = {
	"credentials_heard",
	"SELECT slot, own, is_order, version, state, reason, failures, power, "
	"since_ms, until_ms, cool_ms, cool_power, counts, used_requests, "
	"used_tokens, used_input FROM gate.credentials_heard($1, $2::boolean)"
};

const struct db_stmt store_share_others = { "other_hosts",
	"SELECT gate.other_hosts($1)" };
