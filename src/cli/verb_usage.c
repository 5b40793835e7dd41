/* switchboard usage: sums by agent, model, key and credential. */
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/report/store.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "util/clock.h"

#include "util/banned.h"

#define COLS 24
static const struct out_col sum_cols[] = { { "requests", "REQUESTS" },
	{ "failed", "FAILED" }, { "cancelled", "CANCELLED" },
	{ "input_tokens", "INPUT" }, { "output_tokens", "OUTPUT" },
	{ "cost_usd", "COST USD" }, { "unpriced", "UNPRICED" },
	{ NULL, NULL } };

/* --by: a list of agent, model, key, credential. */
static int
by(struct cli *c, struct store_usage_ask *a, struct err *e)
{
	static const char *const words[] = { "agent", "model", "key",
		"credential" };
	bool *flags[] = { &a->by_agent, &a->by_model, &a->by_key,
		&a->by_credential };
	const char *text = cli_opt(c, "by");

	if (text == NULL)
		text = "agent,model";
	for (;;) {
		size_t n = strcspn(text, ","), i = 0;

		while (i < 4 && (strlen(words[i]) != n ||
				    memcmp(words[i], text, n) != 0))
			i++;
		if (i == 4)
			return cli_misuse(c, e,
			    "--by is a list of agent, model, key, credential");
		*flags[i] = true;
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

/* The columns that a report has; csv and JSON name what a table does not. */
static void
columns(const struct store_usage_ask *a, struct out_col *out)
{
	int n = 0;

	if (a->bucket != NULL)
		out[n++] = (struct out_col){ "bucket", "FROM" };
	if (a->by_agent)
		out[n++] = (struct out_col){ "agent", "AGENT" };
	if (a->by_model)
		out[n++] = (struct out_col){ "model", "MODEL" };
	if (a->by_key) {
		out[n++] = (struct out_col){ "key_kind", "KIND" };
		out[n++] = (struct out_col){ "key_id", "KEY" };
	}
	if (a->by_credential)
		out[n++] = (struct out_col){ "credential_id", "CREDENTIAL" };
	for (const struct out_col *k = sum_cols; k->key != NULL; k++)
		out[n++] = *k;
	if (!a->by_key && !a->by_credential) {
		out[n++] = (struct out_col){ "latency_ms_avg", "AVG MS" };
		out[n++] = (struct out_col){ "latency_ms_max", "MAX MS" };
	}
	out[n] = (struct out_col){ NULL, NULL };
}

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
	const char *since = cli_opt(c, "since"), *until = cli_opt(c, "until");
	struct store_usage_ask a = { .until_us = clock_wall_us() };
	struct out_col cols[COLS];
	struct db_pool *db;
	struct uuid id;
	json_t *rows, *agents;

	if (grain(c, &a.bucket, e) != 0 || by(c, &a, e) != 0 ||
	    cli_since(c, since != NULL ? since : "24h", &a.since_us, e) != 0 ||
	    (until != NULL && cli_since(c, until, &a.until_us, e) != 0))
		return -1;
	if (cli_account(c, &db, &id, e) != 0)
		return -1;
	cli_replica(c);
	if (store_agent_list(db, &id, true, &agents, e) != 0)
		return -1;
	if (store_usage(db, &id, &a, &rows, e) != 0) {
		json_decref(agents);
		return -1;
	}
	if (a.by_agent)
		name_agents(rows, agents);
	json_decref(agents);
	columns(&a, cols);
	return cli_flag(c, "csv") ? out_csv(c, rows, cols)
	                          : out_list(c, rows, cols);
}
