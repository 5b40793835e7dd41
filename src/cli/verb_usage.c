/* switchboard usage: sums by agent and model from the roll-ups. */
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/report/store.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "util/clock.h"

#include "util/banned.h"

static const struct out_col total_cols[] = { { "agent", "AGENT" },
	{ "model", "MODEL" }, { "requests", "REQUESTS" },
	{ "failed", "FAILED" }, { "cancelled", "CANCELLED" },
	{ "input_tokens", "INPUT" }, { "output_tokens", "OUTPUT" },
	{ "cost_usd", "COST USD" }, { "unpriced", "UNPRICED" },
	{ "latency_ms_avg", "AVG MS" }, { "latency_ms_max", "MAX MS" },
	{ NULL, NULL } };
static const struct out_col bucket_cols[] = { { "bucket", "FROM" },
	{ "agent", "AGENT" }, { "model", "MODEL" }, { "requests", "REQUESTS" },
	{ "failed", "FAILED" }, { "cancelled", "CANCELLED" },
	{ "input_tokens", "INPUT" }, { "output_tokens", "OUTPUT" },
	{ "cost_usd", "COST USD" }, { "unpriced", "UNPRICED" },
	{ "latency_ms_avg", "AVG MS" }, { "latency_ms_max", "MAX MS" },
	{ NULL, NULL } };

/* --grain: PostgreSQL's interval, NULL for one line over all. */
static int
grain(struct cli *c, const char **bucket, struct err *e)
{
	static const struct {
		const char *name, *interval;
	} grains[] = { { "5m", "5 minutes" }, { "hour", "1 hour" },
		{ "day", "1 day" }, { "total", NULL } };
	const char *name = cli_opt(c, "grain");

	if (name == NULL)
		name = "total";
	for (size_t i = 0; i < sizeof grains / sizeof grains[0]; i++)
		if (strcmp(grains[i].name, name) == 0) {
			*bucket = grains[i].interval;
			return 0;
		}
	return cli_misuse(c, e, "no grain \"%s\": 5m, hour, day, total", name);
}

/* Agents live in the other plane: their names are put to the sums here. */
static void
name_agents(json_t *rows, const json_t *agents)
{
	size_t i, k;
	json_t *row, *a;

	json_array_foreach(rows, i, row)
	{
		const char *id =
		    json_string_value(json_object_get(row, "agent_id"));

		json_object_set_new(row, "agent", json_null());
		json_array_foreach(agents, k, a)
		{
			if (strcmp(json_string_value(json_object_get(a, "id")),
				id) != 0)
				continue;
			json_object_set_new(row, "agent",
			    json_sprintf("%s/%s",
				json_string_value(
				    json_object_get(a, "agent_type")),
				json_string_value(
				    json_object_get(a, "instance_name"))));
		}
	}
}

int
verb_usage(struct cli *c, struct err *e)
{
	const char *since = cli_opt(c, "since"), *until = cli_opt(c, "until"),
		   *bucket = NULL;
	int64_t since_us, until_us = clock_wall_us();
	struct db_pool *db;
	struct uuid id;
	json_t *rows, *agents;

	if (grain(c, &bucket, e) != 0 ||
	    cli_since(c, since != NULL ? since : "24h", &since_us, e) != 0 ||
	    (until != NULL && cli_since(c, until, &until_us, e) != 0))
		return -1;
	if (cli_account(c, &db, &id, e) != 0)
		return -1;
	cli_replica(c);
	if (store_agent_list(db, &id, true, &agents, e) != 0)
		return -1;
	if (store_usage(db, &id, since_us, until_us, bucket, &rows, e) != 0) {
		json_decref(agents);
		return -1;
	}
	name_agents(rows, agents);
	json_decref(agents);
	return out_list(c, rows, bucket != NULL ? bucket_cols : total_cols);
}
