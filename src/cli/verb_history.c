/*
 * switchboard demo history: invented conversations of past days, so that pages
 * of figures have something to show.  All is drawn from a generator seeded by
 * account, agent and day: a second run makes the same rows again and the
 * database drops them.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/demo/content.h"
#include "cli/demo/store.h"
#include "cli/out.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define DAY_US (INT64_C(86400) * 1000000)

static const struct {
	const char *question, *reply;
} talks[] = {
	{ "Which of your products would you suggest for a small clinic?",
	    "That depends on how many patients you see and what you measure. "
	    "May I ask what you use today?" },
	{ "What does it cost?",
	    "Here is the list price. For more than ten units our people make "
	    "you an offer." },
	{ "Is there a data sheet?",
	    "Yes: the document is linked below this answer." },
	{ "How long does delivery take?",
	    "Most items leave the warehouse within two working days." },
	{ "Can I return it if it does not fit?",
	    "Unused items can be returned within 30 days." },
	{ "How do I clean it?",
	    "Wipe the housing with a damp cloth; the manual lists the "
	    "disinfectants that were tested." },
	{ "Do you offer training?",
	    "Yes, on site or as a recorded course; both are free with the "
	    "first order." },
	{ "Thank you, that helps.", "You are welcome. Anything else?" },
};
#define TALKS (sizeof talks / sizeof talks[0])

/* SplitMix64: small, and the same everywhere. */
static uint64_t
draw(uint64_t *state, uint64_t below)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static uint64_t
seed(const struct uuid *account, const char *agent, int64_t day)
{
	unsigned char hash[32];
	char *name = mem_printf(NULL, "history %s %lld", agent, (long long)day);
	struct uuid id;
	uint64_t s;

	content_id(account, 0, name, &id);
	crypto_sha256(id.b, sizeof id.b, hash);
	memcpy(&s, hash, sizeof s);
	mem_free(name);
	return s;
}

static json_t *
time_json(int64_t us)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_rfc3339(us, text);
	return json_string(text);
}

static json_t *
id_json(const struct uuid *id)
{
	char text[UUID_TEXT];

	id_format(id, text);
	return json_string(text);
}

/* One agent's day under construction. */
struct day {
	const struct uuid *account;
	const json_t *agent;
	int64_t start_us;
	uint64_t random;
	int n; /* turns so far */
	json_t *sessions, *turns;
};

static void
add_turn(struct day *d, const struct uuid *session, int64_t at)
{
	size_t talk = (size_t)draw(&d->random, TALKS);
	int64_t input = 400 + (int64_t)draw(&d->random, 2600),
		output = 30 + (int64_t)draw(&d->random, 400),
		latency = 300 + (int64_t)draw(&d->random, 1500) +
	                  (draw(&d->random, 25) == 0 ? 6000 : 0);
	uint64_t luck = draw(&d->random, 100);
	const char *status = luck == 0   ? "failed"
	                     : luck == 1 ? "cancelled"
	                                 : "completed";
	const char *id = json_string_value(json_object_get(d->agent, "id"));
	char *name = mem_printf(NULL, "turn %s %d", id, d->n);
	char *request = mem_printf(NULL, "demo-%s-%d", id, d->n++);
	struct uuid turn;

	content_id(d->account, at / 1000, name, &turn);
	json_array_append_new(d->turns,
	    json_pack("{s:o, s:o, s:O, s:O, s:O, s:s, s:s, s:s, s:s?, s:s, s:s,"
		      " s:I, s:I, s:I, s:I, s:o}",
		"id", id_json(&turn), "session_id", id_json(session),
		"agent_instance_id", json_object_get(d->agent, "id"),
		"agent_type", json_object_get(d->agent, "agent_type"),
		"instance_name", json_object_get(d->agent, "instance_name"),
		"request_id", request, "status", status, "finish_reason",
		luck == 0   ? "error"
		: luck == 1 ? "cancelled"
			    : "stop",
		"error_kind", luck == 0 ? "upstream" : NULL, "user_text",
		talks[talk].question, "reply_text",
		luck == 0 ? "" : talks[talk].reply, "input_tokens",
		(json_int_t)input, "output_tokens", (json_int_t)output,
		/* as if at 2.50 and 10 dollars a million */
		"cost_nano_usd",
		(json_int_t)input * 2500 + (json_int_t)output * 10000,
		"latency_ms", (json_int_t)latency, "started_at",
		time_json(at)));
	mem_free(name);
	mem_free(request);
}

/* A conversation of one to four turns, half a minute or so apart. */
static void
add_session(struct day *d)
{
	/* Most come between 7 and 19 o'clock. */
	int64_t at =
	    d->start_us +
	    (7 * 3600 + (int64_t)draw(&d->random, 12 * 3600)) * 1000000;
	int turns = 1 + (int)draw(&d->random, 4);
	int64_t first = at, last = at;
	char *name = mem_printf(NULL, "session %s %d",
	    json_string_value(json_object_get(d->agent, "id")), d->n);
	struct uuid id;
	char key[UUID_TEXT + 8];

	content_id(d->account, at / 1000, name, &id);
	mem_free(name);
	memcpy(key, "demo-", 5);
	id_format(&id, key + 5);
	for (int i = 0; i < turns; i++) {
		add_turn(d, &id, at);
		last = at;
		at += (15 + (int64_t)draw(&d->random, 60)) * 1000000;
	}
	json_array_append_new(
	    d->sessions, json_pack("{s:o, s:s, s:o, s:o}", "id", id_json(&id),
			     "session_key", key, "created_at", time_json(first),
			     "last_activity_at", time_json(last)));
}

/* Fewer on week-ends, and never twice the same number. */
static int
turns_wanted(struct day *d, int per_day)
{
	int64_t weekday = (d->start_us / DAY_US + 4) % 7; /* 0: Sunday */
	int percent = 70 + (int)draw(&d->random, 60);

	if (weekday == 0 || weekday == 6)
		percent /= 3;
	return per_day * percent / 100;
}

static int
write_day(struct db_pool *owner, const struct uuid *account,
    const json_t *agent, int64_t start_us, int per_day, int64_t *written,
    struct err *e)
{
	const char *id = json_string_value(json_object_get(agent, "id"));
	struct day d = { .account = account,
		.agent = agent,
		.start_us = start_us,
		.random = seed(account, id, start_us / DAY_US) };
	int wanted = turns_wanted(&d, per_day), rc;

	d.sessions = json_array();
	d.turns = json_array();
	while (d.n < wanted)
		add_session(&d);
	rc = store_demo_day(owner, account, d.sessions, d.turns, written, e);
	json_decref(d.sessions);
	json_decref(d.turns);
	return rc;
}

static int
write_days(struct db_pool *owner, const struct uuid *account,
    const json_t *agents, int days, int per_day, int64_t *total, struct err *e)
{
	int64_t today = clock_wall_us() / DAY_US * DAY_US;
	json_t *agent;
	size_t i;

	*total = 0;
	if (store_demo_partitions(owner, today - days * DAY_US, e) != 0)
		return -1;
	for (int back = days; back >= 1; back--)
		json_array_foreach(agents, i, agent)
		{
			int64_t n;

			if (write_day(owner, account, agent,
				today - back * DAY_US, per_day, &n, e) != 0)
				return -1;
			*total += n;
		}
	return 0;
}

int
verb_demo_history(struct cli *c, struct err *e)
{
	const char *per_day_text = cli_opt(c, "per-day");
	int64_t days, per_day = 20, total;
	struct db_pool *db, *owner, *job;
	struct uuid account;
	json_t *agents;
	int rc;

	if (str_int(cli_opt(c, "days"), 1, 366, &days) != 0)
		return cli_misuse(c, e, "--days: a number from 1 to 366");
	if (per_day_text != NULL &&
	    str_int(per_day_text, 1, 2000, &per_day) != 0)
		return cli_misuse(c, e, "--per-day: a number from 1 to 2000");
	if (cli_account(c, &db, &account, e) != 0 ||
	    store_agent_list(db, &account, false, &agents, e) != 0)
		return -1;
	rc = cli_db_as(c, "sb_owner", &owner, e);
	if (rc == 0) {
		rc = write_days(owner, &account, agents, (int)days,
		    (int)per_day, &total, e);
		db_pool_free(owner);
	}
	json_decref(agents);
	if (rc != 0 || cli_db_as(c, "sb_job", &job, e) != 0)
		return -1;
	rc = store_demo_sums(job, clock_wall_us() - (days + 1) * DAY_US, e);
	db_pool_free(job);
	if (rc != 0)
		return -1;
	return out_done(c,
	    json_pack("{s:s, s:I, s:I}", "account", c->word[0], "days",
		(json_int_t)days, "turns", (json_int_t)total),
	    "Wrote %lld invented turns of %lld days.", (long long)total,
	    (long long)days);
}
