/* switchboard price: what a million tokens of a model cost. */
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/report/store.h"
#include "cli/verbs.h"
#include "util/clock.h"

#include "util/banned.h"

static const struct out_col list_cols[] = { { "model", "MODEL" },
	{ "input_usd_per_mtok", "INPUT" }, { "output_usd_per_mtok", "OUTPUT" },
	{ "cached_usd_per_mtok", "CACHED" },
	{ "cache_write_usd_per_mtok", "CACHE WRITE" }, { "valid_from", "FROM" },
	{ "valid_until", "UNTIL" }, { NULL, NULL } };

int
verb_price_list(struct cli *c, struct err *e)
{
	struct db_pool *db;
	json_t *rows;

	if (cli_db(c, &db, e) != 0 ||
	    store_price_list(db, cli_flag(c, "all"), &rows, e) != 0)
		return -1;
	return out_list(c, rows, list_cols);
}

/* Decimal digits with at most one point, in the column's range. */
static int
amount(struct cli *c, const char *option, const char *fallback,
    const char **ret, struct err *e)
{
	const char *text = cli_opt(c, option);
	size_t whole, part = 0;

	if (text == NULL)
		text = fallback;
	if (text == NULL)
		return cli_misuse(c, e, "--%s is missing", option);
	whole = strspn(text, "0123456789");
	if (text[whole] == '.')
		part = strspn(text + whole + 1, "0123456789");
	if (whole < 1 || whole > 6 || part > 6 ||
	    text[whole + (text[whole] == '.' ? part + 1 : 0)] != '\0')
		return cli_misuse(c, e,
		    "--%s %s: dollars, such as 2.50 (up to six digits on "
		    "either side)",
		    option, text);
	*ret = text;
	return 0;
}

int
verb_price_set(struct cli *c, struct err *e)
{
	struct store_price p = { .model = c->word[0],
		.from_us = clock_wall_us() };
	const char *from = cli_opt(c, "from"), *colon = strchr(p.model, ':');
	struct db_pool *db;
	bool changed;

	if (colon == NULL || colon == p.model || colon[1] == '\0' ||
	    strlen(p.model) > 95)
		return cli_misuse(c, e,
		    "%s: a model is called provider:name, such as "
		    "openai:gpt-4o",
		    p.model);
	if (amount(c, "input", "", &p.input, e) != 0 ||
	    amount(c, "output", "", &p.output, e) != 0 ||
	    amount(c, "cached", p.input, &p.cached, e) != 0 ||
	    amount(c, "cache-write", p.input, &p.cache_write, e) != 0 ||
	    (from != NULL && cli_since(c, from, &p.from_us, e) != 0))
		return -1;
	if (cli_db(c, &db, e) != 0 ||
	    store_price_set(db, &p, cli_who(c), &changed, e) != 0)
		return -1;
	return out_done(c,
	    json_pack("{s:s, s:b}", "model", p.model, "changed", (int)changed),
	    changed ? "The price of %s is set."
		    : "The price of %s was this already.",
	    p.model);
}
