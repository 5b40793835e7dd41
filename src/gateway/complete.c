/* The failover loop. */
#include "gateway/complete.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "gateway/complete_priv.h"
#include "gateway/credential.h"
#include "gateway/fault.h"
#include "gateway/retry.h"
#include "net/call.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define LOOKUP_WAIT (3 * CLOCK_S)
#define PAUSE_MS 50 /* after a failure of the server, doubled */
#define STEP_MS 20  /* of a pause: how soon a reader's leaving is seen */

struct gateway {
	struct llm *llm;
	struct credentials *credentials;
};

struct gateway *
gateway_new(struct llm *llm, struct credentials *credentials)
{
	struct gateway *g = mem_new(NULL, struct gateway);

	g->llm = llm;
	g->credentials = credentials;
	return g;
}

void
gateway_free(struct gateway *g)
{
	if (g != NULL)
		mem_free(g);
}

/* --- which model ---------------------------------------------------------- */

static int64_t
lookup_deadline(int64_t deadline)
{
	int64_t own = clock_mono() + LOOKUP_WAIT;

	return deadline > 0 && deadline < own ? deadline : own;
}

/* Is there any key for it?  1, 0 or -1. */
static int
has_key(struct gateway *g, const struct account *a, const char *model,
    int64_t deadline, struct err *e)
{
	const struct credential_set *set;
	const char *name, *provider;
	bool keyed;
	int n;

	provider = llm_provider(model, &name, &keyed);
	if (provider == NULL)
		return 0;
	if (!keyed || llm_usable(g->llm, model))
		return 1;
	if (g->credentials == NULL)
		return 0;
	if (credentials_of(g->credentials, &a->id, lookup_deadline(deadline),
		&set, e) != 0)
		return -1;
	n = credential_set_for(set, provider, name, NULL, NULL);
	credential_set_unref(set);
	return n > 0;
}

int
gateway_choose(struct gateway *g, const struct account *a, const char *wanted,
    bool fallback, int64_t deadline, const char **ret, struct err *e)
{
	const char *const *next = llm_defaults(g->llm);
	int rc = has_key(g, a, wanted, deadline, e);

	*ret = wanted;
	for (; rc == 0 && fallback && *next != NULL; next++) {
		rc = has_key(g, a, *next, deadline, e);
		*ret = *next;
	}
	return rc > 0 ? 0 : rc < 0 ? -1 : llm_missing(wanted, e);
}

/* --- one attempt ---------------------------------------------------------- */

static struct gateway_attempt *
note(struct gateway_story *s, const struct gateway_attempt *a)
{
	s->made++;
	if (s->nattempts == GATEWAY_STORY)
		return NULL;
	s->attempts[s->nattempts] = *a;
	return &s->attempts[s->nattempts++];
}

/* Somebody must look at a key that is out. */
static void
alert(const struct credential *c, enum health_outcome outcome,
    const struct llm_reply *r)
{
	char id[UUID_TEXT], account[UUID_TEXT], status[16];

	id_format(&c->id, id);
	id_format(&c->account, account);
	snprintf(status, sizeof(status), "%d", r->status);
	metric_add(M_CREDENTIAL_OUT, 1);
	log_event(LOG_WARN, "credential_out", "credential", id, "name", c->name,
	    "account", account, "provider", c->provider, "reason",
	    health_outcome_name(outcome), "status", status, NULL);
}

static void
tell_rates(uint32_t slot, const struct llm_reply *r, int64_t now)
{
	struct health_rate of[LLM_RATES];

	if (!r->rated)
		return;
	for (int i = 0; i < LLM_RATES; i++)
		of[i] = (struct health_rate){ r->rates[i].limit,
			r->rates[i].remaining, r->rates[i].reset_at };
	health_rates(
	    slot, &(struct health_rates){ of[0], of[1], of[2], of[3] }, now);
}

_Static_assert((int)LLM_OK == (int)HEALTH_OK &&
		   (int)LLM_LIMIT == (int)HEALTH_LIMIT &&
		   (int)LLM_DENIED == (int)HEALTH_DENIED &&
		   (int)LLM_EXHAUSTED == (int)HEALTH_EXHAUSTED &&
		   (int)LLM_NO_MODEL == (int)HEALTH_NO_MODEL &&
		   (int)LLM_SERVER == (int)HEALTH_SERVER &&
		   (int)LLM_CALLER == (int)HEALTH_CALLER &&
		   (int)LLM_ABANDONED == (int)HEALTH_ABANDONED,
    "classes are outcomes");

static void
tell_asking(const struct gateway_story *s, const struct uuid *credential)
{
	if (s->watch != NULL && s->watch->asking != NULL)
		s->watch->asking(s->watch->arg, credential);
}

static void wait_until(struct failover *, int64_t end);

/* The fault of a drill in the place of a call. */
static int
inject(struct failover *f, const struct credential *cred, struct err *e)
{
	const char *fault = f->story->watch->fault;
	int64_t began = clock_mono();
	struct llm_reply *r = f->reply;

	memset(r, 0, sizeof(*r));
	buf_init(&r->text, f->ctx, 1);
	memcpy(r->model, f->rq->model,
	    strnlen(f->rq->model, sizeof(r->model) - 1));
	tell_asking(f->story, &cred->id);
	wait_until(f, began + fault_wait_ms(fault) * CLOCK_MS);
	fault_reply(fault, f->provider, r, e);
	f->injected = true;
	note(f->story, &(struct gateway_attempt){ .source = f->source,
			   .credential = cred->id,
			   .slot = cred->slot,
			   .name = mem_strdup(f->ctx, cred->name),
			   .round = f->story->rounds,
			   .status = r->status,
			   .outcome = (enum health_outcome)r->class,
			   .error = e->kind,
			   .ms = (clock_mono() - began) / CLOCK_MS,
			   .injected = true });
	return -1;
}

/* Ask by that key.  0, -1, or 1: it is not to be asked after all. */
static int
attempt(struct failover *f, struct candidate *c, struct err *e)
{
	const struct credential *cred = c->credential;
	struct llm_request rq = *f->rq;
	struct llm_reply *r = f->reply;
	struct health_call call;
	int64_t began = clock_mono(), now;
	enum health_outcome outcome;
	int rc;

	f->injected = false;
	if (failover_faulty(f) == (int)(c - f->list))
		return inject(f, cred, e);
	if (!health_begin(&call, cred->slot, f->model_hash, &cred->limits,
		f->input, f->output, began))
		return 1;
	call.follows = f->server_failed;
	rq.access = &cred->access;
	tell_asking(f->story, &cred->id);
	rc = llm_complete(f->llm, &rq, f->sink, f->ctx, r, e);
	now = clock_mono();
	outcome = (enum health_outcome)r->class;
	tell_rates(cred->slot, r, now);
	if (health_end(&call, outcome, r->retry_ms, r->usage.input,
		r->usage.cached, r->usage.output, now))
		alert(cred, outcome, r);
	if (outcome == HEALTH_SERVER)
		f->server_failed = true;
	if (rc == 0)
		credential_used(cred);
	r->credential = cred->id;
	note(f->story, &(struct gateway_attempt){ .source = f->source,
			   .credential = cred->id,
			   .slot = cred->slot,
			   .name = mem_strdup(f->ctx, cred->name),
			   .round = f->story->rounds,
			   .status = r->status,
			   .outcome = outcome,
			   .error = rc != 0 ? e->kind : NULL,
			   .ms = (now - began) / CLOCK_MS,
			   .usage = r->usage });
	return rc;
}

/* --- the loop ------------------------------------------------------------- */

/* Was it the key's or the provider's fault, and is nothing said yet? */
static bool
elsewhere(const struct llm_reply *r)
{
	return !r->started && r->class != LLM_CALLER &&
	       r->class != LLM_ABANDONED;
}

/* As a call would see it while it waits (net/call.h). */
static bool
reader_left(struct llm_sink *s)
{
	if (s->cancel != NULL && atomic_load(s->cancel))
		return true;
	if (s->ignore_gone || s->gone_fd < 0 || net_peer_gone(s->gone_fd) != 1)
		return false;
	return s->gone == NULL || s->gone(s) <= 0;
}

/* Until then, or until the reader leaves. */
static void
wait_until(struct failover *f, int64_t end)
{
	int64_t left = end - clock_mono();

	while (left > 0 && !reader_left(f->sink)) {
		poll(NULL, 0,
		    left > STEP_MS * CLOCK_MS ? STEP_MS
					      : (int)(left / CLOCK_MS) + 1);
		left = end - clock_mono();
	}
}

/*
 * After a failure of the server the next one waits a little, at random, so that
 * all who failed together do not come back together; another key's limit or
 * refusal says nothing of it.  False: the deadline is too near, or the reader
 * has left, which the reply then says.
 */
static bool
pause_before(struct failover *f)
{
	unsigned char random[2];
	int64_t end = clock_mono();
	int span = PAUSE_MS << (f->made - 1);

	if (f->reply->class == LLM_SERVER) {
		id_random(random, sizeof(random));
		end +=
		    (span / 2 + (random[0] << 8 | random[1]) % span) * CLOCK_MS;
	}
	if (f->rq->deadline > 0 && end >= f->rq->deadline)
		return false;
	wait_until(f, end);
	if (!reader_left(f->sink))
		return true;
	f->reply->class = LLM_ABANDONED;
	f->reply->finish = LLM_CANCELLED;
	return false;
}

static void
keep_usage(struct llm_usage *spent, const struct llm_usage *u)
{
	if (u->estimated)
		return; /* nobody was charged for what was not answered */
	spent->input += u->input;
	spent->cached += u->cached;
	spent->cache_write += u->cache_write;
	spent->output += u->output;
	spent->reasoning += u->reasoning;
}

static void
add_spent(struct llm_usage *u, const struct llm_usage *spent)
{
	u->input += spent->input;
	u->cached += spent->cached;
	u->cache_write += spent->cache_write;
	u->output += spent->output;
	u->reasoning += spent->reasoning;
}

/* Is there to be another attempt after the one that failed?  What it used is
 * kept, since the next begins with an empty reply. */
static bool
again(struct failover *f, struct llm_usage *spent)
{
	if (!elsewhere(f->reply) || f->made == GATEWAY_ATTEMPTS ||
	    !failover_left(f) || !pause_before(f))
		return false;
	/* A drill's repetition is none of the budget's. */
	if (!f->injected && !retry_may(clock_mono())) {
		metric_add(M_PROVIDER_HELD, 1);
		return false;
	}
	metric_add(M_PROVIDER_RETRIES, 1);
	keep_usage(spent, &f->reply->usage);
	return true;
}

static int
run(struct failover *f, struct err *e)
{
	struct llm_usage spent = { 0 };
	int rc = -1;

	retry_call();
	for (;;) {
		struct candidate *c = failover_choose(f);

		if (c == NULL)
			break;
		rc = attempt(f, c, e);
		c->refused = rc > 0 ? "busy" : "tried";
		if (rc > 0)
			continue;
		f->made++;
		if (rc == 0 || !again(f, &spent))
			break;
	}
	f->reply->attempts = f->made;
	add_spent(&f->reply->usage, &spent);
	if (rc == 0)
		return 0;
	if (elsewhere(f->reply))
		return failover_exhausted(f, e);
	return f->reply->finish == LLM_CANCELLED && e->code != ERR_GONE &&
	               e->code != ERR_CANCELLED
	           ? err_set(e, ERR_GONE, "the reader left")
	           : -1;
}

/* Without a pool: as the environment has it, or no key is needed. */
static int
direct(struct failover *f, bool keyed, struct err *e)
{
	int64_t began = clock_mono();
	int rc;

	tell_asking(f->story, NULL);
	rc = llm_complete(f->llm, f->rq, f->sink, f->ctx, f->reply, e);

	f->story->source = keyed ? GATEWAY_ENVIRONMENT : GATEWAY_NO_KEY;
	f->story->ncandidates = 0;
	note(f->story, &(struct gateway_attempt){ .source = f->story->source,
			   .round = f->story->rounds,
			   .status = f->reply->status,
			   .outcome = (enum health_outcome)f->reply->class,
			   .error = rc != 0 ? e->kind : NULL,
			   .ms = (clock_mono() - began) / CLOCK_MS,
			   .usage = f->reply->usage });
	return rc;
}

int
gateway_complete(struct gateway *g, const struct account *a,
    const struct llm_request *rq, struct llm_sink *sink, const void *ctx,
    struct llm_reply *reply, struct gateway_story *story, struct err *e)
{
	struct failover f = { .llm = g->llm,
		.rq = rq,
		.sink = sink,
		.ctx = ctx,
		.reply = reply,
		.story = story,
		.account = a };
	const struct credential_set *set = NULL;
	const char *name, *provider;
	bool keyed = false;
	int rc = 0;

	memset(reply, 0, sizeof(*reply));
	buf_init(&reply->text, ctx, 1);
	reply->finish = LLM_ERROR;
	provider = llm_provider(rq->model, &name, &keyed);
	if (provider != NULL && keyed && g->credentials != NULL &&
	    credentials_of(g->credentials, &a->id,
		lookup_deadline(rq->deadline), &set, e) != 0)
		return -1;
	if (set != NULL)
		failover_begin(&f, set, provider, name);
	if (story->watch != NULL && story->watch->fault != NULL &&
	    failover_faulty(&f) < 0)
		rc = err_set(e, ERR_CONFLICT,
		    "no call of %.80s would be made with this key", rq->model);
	else
		rc = f.n > 0 ? run(&f, e) : direct(&f, keyed, e);
	story->rounds++;
	if (set != NULL)
		credential_set_unref(set);
	failover_end(&f);
	return rc;
}
