/*
 * How keys for model providers fare: what all workers of this host know of
 * each, trying one, and the operator's word against the breaker's.
 */
#include <stdlib.h>
#include <string.h>

#include "api/manage/credentials.h"
#include "api/manage/store.h"
#include "api/problem.h"
#include "api/reply.h"
#include "gateway/health.h"
#include "gateway/try.h"
#include "http/request.h"
#include "sso/fetch.h"
#include "sso/sso.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define TRY_WAIT (10 * CLOCK_S)

static json_t *
number_or_null(int64_t n, bool known)
{
	return known ? json_integer(n) : json_null();
}

/* A moment of our clock as people read it. */
static json_t *
moment(int64_t at, int64_t now)
{
	char text[CLOCK_RFC3339_SIZE];

	if (at <= 0)
		return json_null();
	clock_rfc3339(clock_wall_us() + (at - now) / 1000, text);
	return json_string(text);
}

static json_t *
outcomes(uint32_t slot)
{
	json_t *o = json_object();
	struct health_counts c;

	health_counts(slot, &c);
	for (int i = 0; i < HEALTH_OUTCOMES; i++)
		json_object_set_new(o,
		    health_outcome_name((enum health_outcome)i),
		    json_integer((json_int_t)c.outcomes[i]));
	return o;
}

json_t *
credential_live(uint32_t slot, const struct health_limits *limits)
{
	struct health_view v;
	int64_t now = clock_mono();

	health_look(slot, 0, limits, now, &v);
	return json_pack("{s:s, s:s, s:o, s:o, s:i, s:i, s:f, s:o, s:o, s:o, "
			 "s:o}",
	    "state", health_state_name(v.state), "reason",
	    health_reason_name(v.reason), "since", moment(v.since, now),
	    "until", moment(v.until, now), "failures", v.failures, "in_flight",
	    v.inflight, "load", v.load, "rpm_left",
	    number_or_null(v.rpm_left, v.rpm_left >= 0), "tpm_left",
	    number_or_null(v.tpm_left, v.tpm_left >= 0), "itpm_left",
	    number_or_null(v.itpm_left, v.itpm_left >= 0), "outcomes",
	    outcomes(slot));
}

/* --- trying --------------------------------------------------------------- */

static int
credential_test(struct manage *m, struct err *e)
{
	const struct fetcher *f = sso_fetcher(m->app->sso);
	const struct gateway_try t = { .db = m->app->db,
		.vault = m->app->vault,
		.net = f->net,
		.egress = f->egress,
		.deadline = clock_mono() + TRY_WAIT };
	json_auto_t *answer = NULL;
	struct llm_probe p;
	const char *problem;
	char id[UUID_TEXT];

	if (manage_id(m, "credential_id", id, e) != 0 ||
	    gateway_try(&t, m->whose, id, m->ctx, &p, &problem, e) != 0)
		return -1;
	answer = json_pack("{s:b, s:o, s:o, s:s?}", "ok", problem == NULL,
	    "status", number_or_null(p.status, p.status != 0), "took_ms",
	    number_or_null(p.took / CLOCK_MS, p.status != 0), "problem",
	    problem);
	return manage_answer(m, 200, answer, NULL);
}
CREDENTIAL_HANDLER(test)

/* --- the breaker ---------------------------------------------------------- */

struct order {
	const char *word;
	uint32_t slot;
};

static int
breaker_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const struct order *o = arg;

	(void)m;
	(void)e;
	credential_settled(found->json);
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "breaker", json_string(o->word));
	return 0;
}

static enum health_order
order_of(const char *word)
{
	if (strcmp(word, "open") == 0)
		return HEALTH_OPEN_IT;
	return strcmp(word, "close") == 0 ? HEALTH_CLOSE_IT : HEALTH_RESET_IT;
}

/* Its place in shared memory, which is no part of what is shown. */
static int
slot_of(struct manage *m, const char *id, uint32_t *slot, struct err *e)
{
	struct db_call call = { .stmt = &manage_store_credential,
		.param = { m->account, id },
		.nparams = 2 };

	if (manage_read(m, &call, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	*slot = (uint32_t)db_int(call.result, 0, 1);
	return 0;
}

/* What is recorded happens, and nothing happens that is not. */
static int
credential_breaker(struct manage *m, struct err *e)
{
	struct order o = { 0 };
	char id[UUID_TEXT];

	if (manage_id(m, "credential_id", id, e) != 0 ||
	    manage_body(m, "credential_breaker", e) != 0 ||
	    slot_of(m, id, &o.slot, e) != 0)
		return -1;
	o.word = manage_text(m, "action");
	if (manage_update(m, &credential_object, id, "credential.breaker",
		breaker_apply, &o, e) < 0)
		return -1;
	health_set(o.slot, order_of(o.word), clock_mono());
	return manage_show(m, &credential_object, id, 200, e);
}
CREDENTIAL_HANDLER(breaker)

/* --- for the operator's command, over the health socket --------------------
 */

static void
own_answer(struct http_req *req, struct http_resp *resp, uint32_t slot)
{
	static const struct health_limits unknown;
	json_auto_t *live = credential_live(slot, &unknown);

	reply_json(req, resp, 200, live);
}

void
api_own_credential(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	(void)app;
	(void)who;
	own_answer(
	    req, resp, (uint32_t)strtoul(http_var(req, "slot"), NULL, 10));
}

void
api_own_breaker(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	static const char *const words[] = { "open", "close", "reset" };
	uint32_t slot = (uint32_t)strtoul(http_var(req, "slot"), NULL, 10);
	const char *action = http_var(req, "action");
	struct err e = { 0 };

	(void)app;
	(void)who;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], action) != 0)
			continue;
		health_set(slot, order_of(action), clock_mono());
		own_answer(req, resp, slot);
		return;
	}
	err_set(&e, ERR_NOT_FOUND, "there is no such order");
	problem_send(req, resp, &e, NULL);
}
