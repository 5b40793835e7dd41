/*
 * How long a look-up of an agent's spec takes in each tier of the cache, and
 * what the entries cost: a worker's hot tier, and the warm one that all workers
 * of a host share.  No database: the rows are put where a worker that had read
 * them would have put them.
 *
 *	cache [-n AGENTS] [-d DIRECTORY] TEMPLATES
 *
 * prints one JSON object; times in microseconds.
 */
#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/account.h"
#include "account/tiers.h"
#include "agent/catalog.h"
#include "agent/spec.h"
#include "agent/template.h"
#include "cache/cold.h"
#include "cache/row.h"
#include "crypto/hash.h"
#include "shm/epoch.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/json.h"
#include "util/mem.h"

#define HOT 1000
#define LOOKUPS 200000
#define PER_ACCOUNT 5

static const char configuration[] =
    "{\"model_override\": \"openai:gpt-4o-mini\", \"system_prompt_override\": "
    "\"Focus on approved devices for healthcare professionals.\", \"tools\": "
    "{\"product_search\": {\"max_results\": 10}}, \"rate_limits\": "
    "{\"max_requests_per_minute\": 20, \"max_tokens_per_hour\": 50000}, "
    "\"feature_flags\": {\"enable_scheduling\": true}}";

static unsigned agents = 50000;
static struct account *accounts;
static struct templates *templates;
static struct tiers tiers;

static void
die(const char *what)
{
	fprintf(stderr, "cache: %s\n", what);
	exit(1);
}

static void
report(void *arg, const char *text)
{
	(void)arg;
	die(text);
}

static const struct account *
account_of(unsigned agent)
{
	return &accounts[agent / PER_ACCOUNT];
}

static void
name_of(unsigned agent, char out[16])
{
	snprintf(out, 16, "agent_%u", agent % PER_ACCOUNT);
}

static void
put_one(unsigned agent, const char *hash)
{
	char id[UUID_TEXT], account[UUID_TEXT], name[16], key[256], slot[16],
	    its[16];
	struct uuid u;
	struct warm_entry en = { .kind = WARM_SPEC, .key = key, .epoch = 1 };

	id_new(&u);
	id_format(&u, id);
	id_format(&account_of(agent)->id, account);
	name_of(agent, name);
	snprintf(key, sizeof(key), "%s/sales/%s/%.16s", account, name, hash);
	snprintf(slot, sizeof(slot), "%u", agent + 1);
	snprintf(its, sizeof(its), "%u", account_of(agent)->slot);
	const struct row r = { .n = 7,
		.text = { id, slot, "An agent", configuration, "1", "1", its },
		.len = { strlen(id), strlen(slot), 8, strlen(configuration), 1,
		    1, strlen(its) } };
	en.slot = account_of(agent)->slot;
	en.row = &r;
	warm_put(tiers.warm, &en);
}

static void
fill(void)
{
	const char *hash = templates_find(templates, "sales")->hash;

	accounts = mem_array(NULL, struct account, agents / PER_ACCOUNT + 1);
	for (unsigned i = 0; i <= agents / PER_ACCOUNT; i++) {
		id_new(&accounts[i].id);
		accounts[i].slot = i + 1;
		accounts[i].epoch = 1;
	}
	for (unsigned i = 0; i < agents; i++) {
		put_one(i, hash);
		if (i % 256 == 255 &&
		    warm_flush(tiers.warm, clock_mono() + 30 * CLOCK_S) != 0)
			die("the warm tier does not write");
	}
	if (warm_flush(tiers.warm, clock_mono() + 30 * CLOCK_S) != 0)
		die("the warm tier does not write");
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Look up agents of the first ${among}, at random; times in ns, sorted. */
struct run {
	struct catalog *catalog;
	unsigned among;
	int n;
	int64_t *ns;
};

static void *
look_up(void *arg)
{
	struct run *r = arg;
	const struct agent_spec *s;
	struct err e = { 0 };
	uint32_t seed;
	char name[16];

	id_random(&seed, sizeof(seed));
	for (int i = 0; i < r->n; i++) {
		seed = seed * 1664525u + 1013904223u;
		unsigned agent = (seed >> 8) % r->among;
		int64_t began;

		name_of(agent, name);
		began = clock_mono();
		if (catalog_get(r->catalog, account_of(agent), "sales", name, 0,
			&s, &e) != 0)
			die(e.text);
		r->ns[i] = clock_mono() - began;
		agent_spec_unref(s);
	}
	return NULL;
}

static json_t *
measure(struct catalog *c, unsigned among, int threads)
{
	struct run run[16];
	pthread_t id[16];
	int n = LOOKUPS / threads;
	int64_t *all = mem_array(NULL, int64_t, (size_t)(n * threads));
	json_t *out;

	for (int i = 0; i < threads; i++) {
		run[i] = (struct run){ c, among, n, all + i * n };
		if (pthread_create(&id[i], NULL, look_up, &run[i]) != 0)
			die("no thread");
	}
	for (int i = 0; i < threads; i++)
		pthread_join(id[i], NULL);
	qsort(all, (size_t)(n * threads), sizeof(*all), by_size);
	out =
	    json_pack("{s:f, s:f}", "p50", (double)all[n * threads / 2] / 1000,
		"p99", (double)all[(int64_t)n * threads * 99 / 100] / 1000);
	mem_free(all);
	return out;
}

int
main(int argc, char **argv)
{
	const char *dir = NULL;
	char made[64] = "", path[256];
	struct err e = { 0 };
	struct catalog *c;
	struct stat st;
	size_t before;
	int opt;

	while ((opt = getopt(argc, argv, "n:d:")) != -1) {
		if (opt == 'n')
			agents = (unsigned)strtoul(optarg, NULL, 10);
		else if (opt == 'd')
			dir = optarg;
		else
			return 2;
	}
	if (optind != argc - 1 || agents < HOT)
		die("usage: cache [-n AGENTS] [-d DIRECTORY] TEMPLATES");
	if (dir == NULL) {
		snprintf(made, sizeof(made), "/dev/shm/sb-bench-%ld",
		    (long)getpid());
		dir = made;
	}
	json_setup();
	if (crypto_setup(&e) != 0 || templates_load(argv[optind], NULL, report,
					 NULL, &templates, &e) != 0)
		die(e.text);
	epoch_map(1u << 20);
	epoch_heard(INT64_MAX);
	warm_discard(dir);
	tiers = (struct tiers){ .cold = cold_new(1, 1000) };
	if (warm_open(dir, agents, &tiers.warm, &e) != 0)
		die(e.text);
	fill();
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	if (stat(path, &st) != 0)
		die(path);

	json_t *out = json_pack("{s:i, s:f}", "agents", (int)agents,
	    "warm_bytes_an_agent", (double)st.st_blocks * 512 / agents);
	before = mallinfo2().uordblks;
	c = catalog_new(&tiers, templates, HOT);
	json_decref(measure(c, HOT, 1)); /* into the hot tier */
	json_object_set_new(out, "hot_bytes_an_agent",
	    json_real((double)(mallinfo2().uordblks - before) / HOT));
	json_object_set_new(out, "hot_us", measure(c, HOT, 1));
	json_object_set_new(out, "hot_us_8_threads", measure(c, HOT, 8));
	catalog_free(c);
	c = catalog_new(&tiers, templates, 1);
	json_object_set_new(out, "warm_us", measure(c, agents, 1));
	json_object_set_new(out, "warm_us_8_threads", measure(c, agents, 8));
	catalog_free(c);
	json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4));
	puts("");
	json_decref(out);
	warm_close(tiers.warm);
	warm_discard(dir);
	snprintf(path, sizeof(path), "%s/guard", dir);
	unlink(path);
	if (made[0] != '\0')
		rmdir(made);
	templates_free(templates);
	cold_free(tiers.cold);
	mem_free(accounts);
	return 0;
}
