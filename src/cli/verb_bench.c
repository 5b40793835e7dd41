/*
 * switchboard bench: what a running installation does, measured from outside
 * the way its visitors reach it, with the health answer as the floor of web
 * server, network and this client.  It works in an account of its own, which
 * goes at the end with all it has gathered.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/key.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/scale/store.h"
#include "cli/verbs.h"
#include "db/db.h"
#include "net/call.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define KIND "bench"
#define CALLERS_MOST 1000
#define PATIENCE (30 * CLOCK_S)
#define KNOWN_WITHIN (10 * CLOCK_S)
#define SAMPLES_MOST 1000000
#define CALLER_STACK ((size_t)256 * 1024)

static const char body[] = "{\"message\":\"How are you today?\"}";

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

struct bench {
	struct cli *c;
	struct db_pool *owner;
	struct net *net;
	int64_t seconds, callers, streams;
	char *url, *health, *chat, *stream, *authorization;
	char *ids; /* the account, as the store wants it */
	int64_t answered;
	json_t *rows;
};

/* A load: callers that ask again and again until the end, or once. */
struct load {
	struct bench *b;
	const char *url;
	bool get, events, once;
	int64_t end;
	pthread_mutex_t lock; /* of what follows */
	int64_t *took, *first;
	size_t ntook, nfirst;
	int64_t failed;
	int status; /* of the first failure; 0: e says why */
	struct err e;
};

struct answer {
	int64_t began, first;
	int status;
	size_t done; /* letters of "event: done" that were seen */
};

static void
on_head(void *arg, int status)
{
	((struct answer *)arg)->status = status;
}

/* Events may be cut anywhere: look for letters, not for whole lines. */
static int
on_body(void *arg, const char *p, size_t n)
{
	static const char done[] = "event: done\n";
	struct answer *a = arg;

	if (a->first == 0 && memmem(p, n, "event: delta", 12) != NULL)
		a->first = clock_mono() - a->began;
	for (size_t i = 0; i < n && a->done < sizeof(done) - 1; i++)
		if (p[i] == done[a->done])
			a->done++;
		else
			a->done = p[i] == done[0];
	return 0;
}

static int
ask(struct bench *b, const char *url, bool get, struct answer *a, struct err *e)
{
	const char *headers[] = { b->authorization,
		"Content-Type: application/json", NULL };
	struct net_reply reply;
	struct net_call call = { .method = get ? "GET" : "POST",
		.url = url,
		.headers = headers,
		.body = get ? NULL : body,
		.body_len = get ? 0 : sizeof(body) - 1,
		.deadline = clock_mono() + PATIENCE,
		.on_body = on_body,
		.on_head = on_head,
		.arg = a,
		.gone_fd = -1 };

	*a = (struct answer){ .began = clock_mono() };
	return net_call(b->net, &call, &reply, e);
}

static void
note(struct load *l, int rc, const struct answer *a, const struct err *e)
{
	bool good = rc == 0 && a->status == 200 &&
	            (!l->events || (a->done > 0 && a->first > 0));

	pthread_mutex_lock(&l->lock);
	if (!good && l->failed++ == 0) {
		l->status = rc == 0 ? a->status : 0;
		l->e = *e;
	}
	if (good && l->ntook < SAMPLES_MOST) {
		l->took[l->ntook++] = clock_mono() - a->began;
		if (a->first > 0)
			l->first[l->nfirst++] = a->first;
	}
	pthread_mutex_unlock(&l->lock);
}

static void *
caller(void *arg)
{
	struct load *l = arg;

	do {
		struct err e = { 0 };
		struct answer a;
		int rc = ask(l->b, l->url, l->get, &a, &e);

		note(l, rc, &a, &e);
	} while (!l->once && !interrupted && clock_mono() < l->end);
	return NULL;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Run ${n} callers to their end. */
static int
load_run(struct load *l, int64_t n, struct err *e)
{
	pthread_t thread[CALLERS_MOST];
	pthread_attr_t attr;
	int64_t started = 0;

	l->took = mem_array(l->b->c->ctx, int64_t, SAMPLES_MOST);
	l->first = mem_array(l->b->c->ctx, int64_t, SAMPLES_MOST);
	pthread_mutex_init(&l->lock, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CALLER_STACK);
	l->end = clock_mono() + l->b->seconds * CLOCK_S;
	while (started < n &&
	       pthread_create(&thread[started], &attr, caller, l) == 0)
		started++;
	for (int64_t i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	pthread_attr_destroy(&attr);
	pthread_mutex_destroy(&l->lock);
	qsort(l->took, l->ntook, sizeof(*l->took), by_value);
	qsort(l->first, l->nfirst, sizeof(*l->first), by_value);
	if (started < n)
		return err_set(
		    e, ERR_INTERNAL, "no more threads than %d", (int)started);
	if (interrupted)
		return err_set(e, ERR_CANCELLED, "interrupted");
	if (l->ntook > 0)
		return 0;
	if (l->status == 0)
		return err_set(e, ERR_UPSTREAM, "%s: %s", l->url, l->e.text);
	return err_set(e, ERR_UPSTREAM, "%s answers %d", l->url, l->status);
}

static void
load_free(struct load *l)
{
	mem_free(l->took);
	mem_free(l->first);
}

/* The place ${p} of all, 0 to 1, in milliseconds. */
static double
quantile_ms(const int64_t *v, size_t n, double p)
{
	return n == 0 ? 0 : (double)v[(size_t)((double)(n - 1) * p)] / 1e6;
}

/* ${floor} < 0: nothing stands beside it. */
static void
row(struct bench *b, const char *what, double value, const char *unit,
    double floor)
{
	json_t *o = json_pack(
	    "{s:s, s:f, s:s}", "measure", what, "value", value, "unit", unit);

	json_object_set_new(
	    o, "floor", floor < 0 ? json_null() : json_real(floor));
	json_object_set_new(
	    o, "ratio", floor <= 0 ? json_null() : json_real(value / floor));
	json_array_append_new(b->rows, o);
}

/* Turns beside health answers, ${callers} at a time. */
static int
bench_turns(struct bench *b, int64_t callers, struct err *e)
{
	struct load floor = { .b = b, .url = b->health, .get = true };
	struct load turn = { .b = b, .url = b->chat };
	double seconds = (double)b->seconds;
	char what[64];
	int rc = load_run(&floor, callers, e);

	if (rc == 0)
		rc = load_run(&turn, callers, e);
	b->answered += (int64_t)turn.ntook;
	if (rc == 0 && callers == 1) {
		row(b, "turn, one caller, p50",
		    quantile_ms(turn.took, turn.ntook, 0.5), "ms",
		    quantile_ms(floor.took, floor.ntook, 0.5));
		row(b, "turn, one caller, p99",
		    quantile_ms(turn.took, turn.ntook, 0.99), "ms",
		    quantile_ms(floor.took, floor.ntook, 0.99));
	} else if (rc == 0) {
		snprintf(what, sizeof(what), "turns, %d callers", (int)callers);
		row(b, what, (double)turn.ntook / seconds, "/s",
		    (double)floor.ntook / seconds);
		snprintf(what, sizeof(what), "turns refused, %d callers",
		    (int)callers);
		row(b, what, (double)turn.failed, "", -1);
	}
	load_free(&floor);
	load_free(&turn);
	return rc;
}

static int
bench_streams(struct bench *b, struct err *e)
{
	struct load l = {
		.b = b, .url = b->stream, .events = true, .once = true
	};
	int rc = load_run(&l, b->streams, e);

	b->answered += (int64_t)l.ntook;
	if (rc == 0) {
		row(b, "streams at once, complete", (double)l.ntook, "",
		    (double)b->streams);
		row(b, "first delta, p50", quantile_ms(l.first, l.nfirst, 0.5),
		    "ms", -1);
		row(b, "first delta, p99", quantile_ms(l.first, l.nfirst, 0.99),
		    "ms", -1);
	}
	load_free(&l);
	return rc;
}

/* Every turn that was answered stands in the database. */
static int
bench_stored(struct bench *b, struct err *e)
{
	int64_t end = clock_mono() + KNOWN_WITHIN, stored = 0;

	do {
		if (store_scale_turns(b->owner, b->ids, &stored, e) != 0)
			return -1;
	} while (
	    stored < b->answered && clock_mono() < end && usleep(50000) == 0);
	row(b, "turns stored of those answered", (double)stored, "",
	    (double)b->answered);
	return 0;
}

static int
make_account(struct bench *b, const char *model, struct err *e)
{
	char slug[16], text[KEY_TEXT], prefix[KEY_PREFIX], hex[65];
	char id[3][UUID_TEXT];
	unsigned char hash[32], random[4];
	json_t *accounts, *agents, *keys;
	int64_t made, n;
	int rc;

	for (int i = 0; i < 3; i++) {
		struct uuid u;

		id_new(&u);
		id_format(&u, id[i]);
	}
	id_random(random, sizeof(random));
	str_hex(random, sizeof(random), hex);
	snprintf(slug, sizeof(slug), KIND "-%.8s", hex);
	key_make(KEY_API, text, prefix, hash);
	str_hex(hash, sizeof(hash), hex);
	accounts = json_pack("[{s:s, s:s}]", "id", id[0], "slug", slug);
	agents = json_pack("[{s:s, s:s, s:s, s:s, s:{s:s, s:b}}]", "id", id[1],
	    "slug", slug, "agent_type", "sales", "instance_name", KIND,
	    "configuration", "model_override", model, "model_fallback", 0);
	keys = json_pack("[{s:s, s:s, s:s, s:s}]", "id", id[2], "slug", slug,
	    "prefix", prefix, "key_hash", hex);
	rc = store_scale_add(
	    b->owner, accounts, agents, keys, cli_who(b->c), &made, e);
	json_decref(accounts);
	json_decref(agents);
	json_decref(keys);
	if (rc == 0)
		rc = store_scale_find(
		    b->owner, KIND, 1000, b->c->ctx, &b->ids, &n, e);
	b->authorization =
	    mem_printf(b->c->ctx, "Authorization: Bearer %s", text);
	b->chat = mem_printf(
	    b->c->ctx, "%s/accounts/%s/chat/sales/" KIND, b->url, slug);
	b->stream = mem_printf(b->c->ctx,
	    "%s/accounts/%s/agents/sales/" KIND "/stream", b->url, slug);
	b->health = mem_printf(b->c->ctx, "%s/healthz", b->url);
	return rc;
}

/* Wait until the server has heard of the account. */
static int
until_known(struct bench *b, struct err *e)
{
	int64_t end = clock_mono() + KNOWN_WITHIN;
	struct answer a;

	for (;;) {
		if (ask(b, b->chat, false, &a, e) != 0)
			return err_prefix(e, "%s", b->chat);
		if (a.status == 200)
			break;
		if (interrupted || clock_mono() > end)
			return err_set(e, ERR_UPSTREAM,
			    "%s answers %d; is --url the address of this "
			    "installation?",
			    b->chat, a.status);
		usleep(50000);
	}
	b->answered++;
	return 0;
}

static int
measure(struct bench *b, struct err *e)
{
	if (until_known(b, e) != 0 || bench_turns(b, 1, e) != 0 ||
	    bench_turns(b, b->callers, e) != 0 || bench_streams(b, e) != 0)
		return -1;
	return bench_stored(b, e);
}

/* Remove what was made, and what an earlier run may have left behind. */
static int
clear_up(struct bench *b, struct err *e)
{
	int64_t n;
	char *ids;

	if (store_scale_find(b->owner, KIND, 1000, b->c->ctx, &ids, &n, e) != 0)
		return -1;
	return n > 0 ? store_scale_remove(b->owner, ids, n, cli_who(b->c), e)
	             : 0;
}

static int
number(struct cli *c, const char *name, int64_t most, int64_t *n, struct err *e)
{
	const char *text = cli_opt(c, name);

	if (text != NULL && str_int(text, 1, most, n) != 0)
		return cli_misuse(
		    c, e, "--%s: a number from 1 to %d", name, (int)most);
	return 0;
}

static const struct out_col cols[] = { { "measure", "MEASURE" },
	{ "value", "VALUE" }, { "unit", "UNIT" }, { "floor", "FLOOR" },
	{ "ratio", "RATIO" }, { NULL, NULL } };

static int
run(struct bench *b, struct err *e)
{
	const char *model = cli_opt(b->c, "model");
	struct err also = { 0 };
	int rc = clear_up(b, e);

	if (rc == 0)
		rc = make_account(
		    b, model != NULL ? model : "builtin:concierge", e);
	if (rc == 0)
		rc = measure(b, e);
	if (clear_up(b, &also) != 0 && rc == 0) {
		*e = also;
		rc = -1;
	}
	return rc;
}

int
verb_bench(struct cli *c, struct err *e)
{
	struct bench b = {
		.c = c, .seconds = 3, .callers = 32, .streams = 100
	};
	struct sigaction stop = { .sa_handler = on_signal };
	const char *url = cli_opt(c, "url"), *usual = getenv("SB_URL");
	size_t n;
	int rc;

	if (number(c, "seconds", 60, &b.seconds, e) != 0 ||
	    number(c, "callers", CALLERS_MOST, &b.callers, e) != 0 ||
	    number(c, "streams", CALLERS_MOST, &b.streams, e) != 0)
		return -1;
	if (url == NULL)
		url = usual != NULL && usual[0] != '\0'
		          ? usual
		          : "http://127.0.0.1:8080";
	n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	b.url = mem_strndup(c->ctx, url, n);
	if (cli_db_as(c, "sb_owner", &b.owner, e) != 0)
		return -1;
	/* Clear up, whoever loses patience. */
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	b.net = net_new((unsigned)(b.callers + b.streams));
	b.rows = json_array();
	rc = run(&b, e);
	net_free(b.net);
	db_pool_free(b.owner);
	if (rc == 0)
		return out_list(c, b.rows, cols);
	json_decref(b.rows);
	return -1;
}
