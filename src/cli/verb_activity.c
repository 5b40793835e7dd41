/* switchboard activity: what agents do and have done. */
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/report/store.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "util/str.h"

#include "util/banned.h"

#define LIMIT 50
#define LIMIT_MOST 1000

static const struct out_col list_cols[] = { { "id", "ID" },
	{ "started_at", "STARTED" }, { "agent", "AGENT" },
	{ "status", "STATUS" }, { "error_message", "ERROR" },
	{ "model", "MODEL" }, { "credential_name", "CREDENTIAL" },
	{ "attempts", "CALLS" }, { "input_tokens", "INPUT" },
	{ "output_tokens", "OUTPUT" }, { "cost_usd", "COST USD" },
	{ "duration_ms", "MS" }, { NULL, NULL } };

int
verb_activity_list(struct cli *c, struct err *e)
{
	const char *agent = cli_opt(c, "agent"), *limit = cli_opt(c, "limit");
	struct store_activity_ask ask = { .status = cli_opt(c, "status"),
		.limit = LIMIT };
	struct uuid account;
	struct db_pool *db;
	json_t *rows;

	if (ask.status != NULL && strcmp(ask.status, "running") != 0 &&
	    strcmp(ask.status, "completed") != 0 &&
	    strcmp(ask.status, "failed") != 0)
		return cli_misuse(
		    c, e, "--status is one of running, completed, failed");
	if (limit != NULL && str_int(limit, 1, LIMIT_MOST, &ask.limit) != 0)
		return cli_misuse(
		    c, e, "--limit: a number from 1 to %d", LIMIT_MOST);
	if (agent != NULL &&
	    cli_agent_path(c, agent, &ask.type, &ask.name, e) != 0)
		return -1;
	if (cli_account(c, &db, &account, e) != 0 ||
	    store_activity_list(db, &account, &ask, &rows, e) != 0)
		return -1;
	return out_list(c, rows, list_cols);
}
