/* switchboard cache, switchboard config propagation: what the running server
 * knows of its cached configuration, asked over its health socket. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/own.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "util/buf.h"
#include "util/clock.h"

#include "util/banned.h"

#define ROUND_NS (2 * CLOCK_S)
#define AGAIN_MS 5

/* --- config propagation -------------------------------------------------- */

struct round {
	json_int_t epoch, took_us;
	int workers, live, noted;
};

static int
round_read(struct cli *c, int64_t slot, struct round *r, struct err *e)
{
	char path[64];
	struct buf body;

	snprintf(path, sizeof(path), "/own/changes/%lld", (long long)slot);
	if (cli_own(c, "GET", path, &body, e) != 0)
		return -1;

	json_auto_t *v = json_loadb(body.data, body.len, 0, NULL);

	if (json_unpack(v, "{s:I, s:b, s:i, s:i, s:I}", "epoch", &r->epoch,
		"noted", &r->noted, "workers", &r->workers, "live", &r->live,
		"took_us", &r->took_us) != 0)
		return err_set(
		    e, ERR_UPSTREAM, "the server's answer is not understood");
	return 0;
}

static int
round_say(struct cli *c, const struct round *r)
{
	int ms = (int)((r->took_us + 500) / 1000);
	bool timed = r->noted != 0 && r->took_us >= 0;
	json_t *v = json_pack("{s:s, s:I, s:i, s:i, s:o}", "account",
	    c->word[0], "config_epoch", r->epoch, "workers", r->workers, "live",
	    r->live, "ms", timed ? json_integer(ms) : json_null());

	if (timed)
		return out_done(c, v, "live in %d/%d workers, %d ms", r->live,
		    r->workers, ms);
	return out_done(c, v,
	    "live in %d/%d workers; how long it took is no longer known",
	    r->live, r->workers);
}

int
verb_config_propagation(struct cli *c, struct err *e)
{
	int64_t slot, epoch, limit = clock_mono() + ROUND_NS;
	struct db_pool *db;
	struct round r;

	if (cli_db(c, &db, e) != 0 ||
	    store_account_epoch(db, c->word[0], &slot, &epoch, e) != 0)
		return -1;
	for (;;) {
		if (round_read(c, slot, &r, e) != 0)
			return -1;
		/* Nothing was heard of it since the start: nobody has an older
		 * one. */
		if (r.epoch == 0)
			r.epoch = epoch;
		if (r.epoch >= epoch && r.workers > 0 && r.live == r.workers)
			return round_say(c, &r);
		if (clock_mono() >= limit)
			return err_set(e, ERR_UNAVAILABLE,
			    "live in %d/%d workers after %d s",
			    r.epoch >= epoch ? r.live : 0, r.workers,
			    (int)(ROUND_NS / CLOCK_S));
		poll(NULL, 0, AGAIN_MS);
	}
}

/* --- cache stats --------------------------------------------------------- */

static const struct out_col cols[] = { { "tier", "TIER" }, { "kind", "KIND" },
	{ "entries", "ENTRIES" }, { "hits", "HITS" }, { "misses", "MISSES" },
	{ "hit_percent", "HIT %" }, { "evictions", "EVICTIONS" },
	{ "age_s", "AGE S" }, { NULL, NULL } };

/* A sample of the page: its name with labels stands at the start of a line. */
static json_int_t
sample(const char *page, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = page; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, n) == 0 && p[n] == ' ')
			return (json_int_t)strtoll(p + n, NULL, 10);
	}
	return 0;
}

static json_int_t
figure(const char *page, const char *what, const char *tier, const char *kind)
{
	char name[160];

	snprintf(name, sizeof(name), "sb_cache_%s{tier=\"%s\",kind=\"%s\"}",
	    what, tier, kind);
	return sample(page, name);
}

static json_t *
row(const char *page, const char *tier, const char *kind)
{
	json_int_t hits = figure(page, "hits_total", tier, kind);
	json_int_t misses = figure(page, "misses_total", tier, kind);
	json_int_t all = hits + misses;

	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:I, s:I}", "tier",
	    tier, "kind", kind, "entries", figure(page, "entries", tier, kind),
	    "hits", hits, "misses", misses, "hit_percent",
	    all > 0 ? json_integer(hits * 100 / all) : json_null(), "evictions",
	    figure(page, "evictions_total", tier, kind), "age_s",
	    figure(page, "age_seconds", tier, kind));
}

int
verb_cache_stats(struct cli *c, struct err *e)
{
	static const struct {
		const char *tier, *kind;
	} parts[] = { { "hot", "account" }, { "hot", "key" }, { "hot", "spec" },
		{ "hot", "credential" }, { "hot", "search" },
		{ "warm", "account" }, { "warm", "key" }, { "warm", "spec" },
		{ "warm", "credential" } };
	struct buf page;
	json_t *rows;

	if (cli_own(c, "GET", "/own/metrics", &page, e) != 0)
		return -1;
	rows = json_array();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		json_array_append_new(
		    rows, row(page.data, parts[i].tier, parts[i].kind));
	json_array_append_new(
	    rows, json_pack("{s:s, s:s, s:n, s:I, s:I, s:n, s:n, s:n}", "tier",
		      "cold", "kind", "all", "entries", "hits",
		      sample(page.data, "sb_cache_cold_total"), "misses",
		      sample(page.data, "sb_cache_cold_refused_total"),
		      "hit_percent", "evictions", "age_s"));
	return out_list(c, rows, cols);
}
