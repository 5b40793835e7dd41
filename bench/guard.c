/*
 * How long it takes to know who calls: API key, access token, widget key,
 * widget token and one that names a visitor, each as a worker does it once it
 * has seen the caller.  Of a database it needs only what it sees the first
 * time; a query later on is an error.
 *
 *	guard [-n REQUESTS] CONNINFO MASTER_KEY_FILE <CALLERS
 *
 * CALLERS is a JSON array of {"name", "slug", "origin"?, "authorization"? or
 * "widget_key"?}.  Prints one JSON object; times in microseconds.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account/account.h"
#include "account/tiers.h"
#include "api/app.h"
#include "api/guard.h"
#include "auth/key.h"
#include "auth/token.h"
#include "cache/cold.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "http/request.h"
#include "shm/epoch.h"
#include "shm/person.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/lru.h"
#include "util/mem.h"

#define SLOTS (1U << 16)
#define HOT 100
#define WAIT (10 * CLOCK_S)
#define HEADERS 8

static struct app app = { .face = FACE_CHAT };
static struct tiers tiers;

static void
die(const char *what)
{
	fprintf(stderr, "guard: %s\n", what);
	exit(1);
}

static void
begin(const char *conninfo, const char *master_key_file)
{
	struct db_opts opts = { .conninfo = conninfo,
		.user = "sb_chat",
		.size = 2,
		.wait_ms = 5000,
		.connect_ms = 5000,
		.statement_ms = 5000 };
	struct err e = { 0 };

	json_setup();
	if (crypto_setup(&e) != 0)
		die(e.text);
	epoch_map(SLOTS);
	person_map(SLOTS);
	epoch_heard(INT64_MAX);
	app.db = db_pool_new(&opts);
	tiers = (struct tiers){ .db = app.db, .cold = cold_new(1, 1000) };
	app.accounts = accounts_new(&tiers, HOT);
	app.keys = keys_new(&tiers, HOT);
	if (tokens_new(app.db, master_key_file, &app.tokens, &e) != 0 ||
	    tokens_read(app.tokens, clock_mono() + WAIT, &e) != 0)
		die(e.text);
}

static void
end(void)
{
	tokens_free(app.tokens);
	keys_free(app.keys);
	accounts_free(app.accounts);
	cold_free(tiers.cold);
	db_pool_free(app.db);
}

/* A request as it comes from a browser through the web server. */
struct call {
	struct http_req req;
	struct http_param headers[HEADERS], var;
};

static void
header(struct call *c, const char *name, const json_t *value)
{
	if (json_is_string(value))
		c->headers[c->req.nparams++] =
		    (struct http_param){ name, json_string_value(value) };
}

static void
read_call(const json_t *caller, struct call *c)
{
	static const struct http_param usual[] = { { "REQUEST_METHOD", "POST" },
		{ "HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64)" },
		{ "HTTP_ACCEPT", "application/json" },
		{ "CONTENT_TYPE", "application/json" } };

	memset(c, 0, sizeof(*c));
	memcpy(c->headers, usual, sizeof(usual));
	c->req.nparams = sizeof(usual) / sizeof(*usual);
	header(
	    c, "HTTP_AUTHORIZATION", json_object_get(caller, "authorization"));
	header(c, "HTTP_X_WIDGET_KEY", json_object_get(caller, "widget_key"));
	header(c, "HTTP_ORIGIN", json_object_get(caller, "origin"));
	c->var = (struct http_param){ "slug",
		json_string_value(json_object_get(caller, "slug")) };
	c->req.method = "POST";
	c->req.params = c->headers;
	c->req.vars = &c->var;
	c->req.nvars = 1;
}

static void
once(struct call *c)
{
	static const struct route talk = { .perm = PERM_CHAT };
	struct caller who;
	struct err e = { 0 };

	c->req.started = clock_mono();
	if (guard_check(&app, &c->req, &talk, &who, &e) != 0)
		die(e.text);
	guard_done(&who);
}

static uint64_t
misses(void)
{
	struct lru_stats keys, accounts;

	keys_stats(app.keys, &keys);
	accounts_stats(app.accounts, &accounts);
	return keys.misses + accounts.misses;
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static json_t *
measure(const json_t *caller, int n)
{
	int64_t *ns = mem_array(NULL, int64_t, (size_t)n);
	struct call c;
	uint64_t before;
	json_t *out;

	read_call(caller, &c);
	once(&c);
	before = misses();
	for (int i = 0; i < n; i++) {
		int64_t began = clock_mono();

		once(&c);
		ns[i] = clock_mono() - began;
	}
	if (misses() != before)
		die("a caller who was known was looked up again");
	qsort(ns, (size_t)n, sizeof(*ns), by_size);
	out = json_pack("{s:f, s:f}", "p50", (double)ns[n / 2] / 1000, "p99",
	    (double)ns[(int64_t)n * 99 / 100] / 1000);
	mem_free(ns);
	return out;
}

int
main(int argc, char **argv)
{
	json_auto_t *out = json_object(), *callers = NULL;
	const json_t *caller;
	int opt, n = 20000;
	size_t i;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n')
			return 2;
		n = (int)strtol(optarg, NULL, 10);
	}
	if (optind != argc - 2 || n < 1)
		die("usage: guard [-n REQUESTS] CONNINFO MASTER_KEY_FILE");
	callers = json_loadf(stdin, 0, NULL);
	if (!json_is_array(callers))
		die("no JSON array on standard input");
	begin(argv[optind], argv[optind + 1]);
	json_array_foreach(callers, i, caller)
	{
		const char *name =
		    json_string_value(json_object_get(caller, "name"));

		if (name == NULL)
			die("a caller without a name");
		json_object_set_new(out, name, measure(caller, n));
	}
	end();
	json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4));
	puts("");
	return 0;
}
