/*
 * One answer of a model: choose who can give it, ask, and settle what came.
 */
#include "llm/llm.h"

#include <string.h>

#include "llm/provider_priv.h"
#include "net/call.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define BODY_MAX ((size_t)16 * 1024 * 1024) /* of a request */
#define ERROR_BODY_MAX ((size_t)64 * 1024)
#define EVENT_MAX ((size_t)1024 * 1024)
#define WHOLE_LIMITS ((struct json_limits){ 64, 200000 })
#define MISSING_RETRY_S 60

struct llm {
	struct net *net;
	struct llm_opts o;
	struct llm_access access[PROVIDERS]; /* as providers[] */
	const char **defaults;               /* NULL-terminated */
};

/* A call of the network and its answer. */
struct ask {
	struct llm_stream s;
	struct net_reply net;
	struct buf body; /* what is not an event stream */
	bool events;
	int64_t beat_ns;
};

/* A key from a file often ends in a newline; one with control characters
 * inside is none. */
static char *
clean_key(const void *ctx, const char *key)
{
	size_t n = key ? strlen(key) : 0;

	while (n > 0 && (unsigned char)key[n - 1] <= ' ')
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)key[i] <= ' ' || key[i] == 0x7f)
			n = 0;
	return mem_strndup(ctx, key ? key : "", n);
}

static const char *
option(const struct llm_opts *o, size_t at)
{
	const char *v;

	memcpy(&v, (const char *)o + at, sizeof(v));
	return v ? v : "";
}

static void
access_init(struct llm *l, struct llm_access *a, const struct llm_provider *p,
    const struct llm_opts *o)
{
	const char *base = option(o, p->opt_base);
	size_t n = strlen(base);

	while (n > 0 && base[n - 1] == '/')
		n--;
	a->own_base = n > 0;
	a->base = n > 0 ? mem_strndup(l, base, n) : p->base;
	a->key = clean_key(l, option(o, p->opt_key));
}

struct llm *
llm_new(struct net *net, const struct llm_opts *o)
{
	struct llm *l = mem_new(NULL, struct llm);
	size_t n = 0;

	l->net = net;
	l->o = *o;
	/* What it points to belongs to the caller. */
	l->o.openai_key = l->o.openai_base = NULL;
	l->o.anthropic_key = l->o.anthropic_base = NULL;
	l->o.default_models = NULL;
	for (size_t i = 0; i < PROVIDERS; i++)
		if (providers[i]->base)
			access_init(l, &l->access[i], providers[i], o);
	while (o->default_models && o->default_models[n])
		n++;
	l->defaults = mem_array(l, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		l->defaults[i] = mem_strdup(l, o->default_models[i]);
	return l;
}

void
llm_free(struct llm *l)
{
	if (!l)
		return;
	/* The keys do not stay behind in freed memory. */
	for (size_t i = 0; i < PROVIDERS; i++)
		if (l->access[i].key)
			explicit_bzero((char *)(uintptr_t)l->access[i].key,
			    strlen(l->access[i].key));
	mem_free(l);
}

const struct llm_access *
llm_access_of(const struct llm *l, const struct llm_provider *p)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (providers[i] == p)
			return &l->access[i];
	return NULL;
}

struct net *
llm_net(const struct llm *l)
{
	return l->net;
}

const struct llm_opts *
llm_opts(const struct llm *l)
{
	return &l->o;
}

static bool
usable(const struct llm *l, const struct llm_provider *p)
{
	const struct llm_access *a = llm_access_of(l, p);

	if (!p->base)
		return true; /* needs nobody */
	return a && (a->key[0] != '\0' || (p->key_optional && a->own_base));
}

bool
llm_usable(struct llm *l, const char *model)
{
	const char *name;
	const struct llm_provider *p = provider_find(model, &name);

	return p && usable(l, p);
}

const char *
llm_provider(const char *model, const char **name, bool *keyed)
{
	const struct llm_provider *p = provider_find(model, name);

	if (!p)
		return NULL;
	*keyed = p->base != NULL;
	return p->name;
}

const char *const *
llm_defaults(const struct llm *l)
{
	return l->defaults;
}

int
llm_missing(const char *wanted, struct err *e)
{
	const char *name;
	const struct llm_provider *p = provider_find(wanted, &name);

	if (!p)
		return err_set_kind(e, ERR_UNAVAILABLE, "unknown-model",
		    MISSING_RETRY_S, "no provider for the model %.80s", wanted);
	return err_set_kind(e, ERR_UNAVAILABLE, "missing-credential",
	    MISSING_RETRY_S, "the model %s needs a key: %s is not set", wanted,
	    p->key_env ? p->key_env : "none");
}

int
llm_choose(struct llm *l, const char *wanted, bool fallback, const char **ret,
    struct err *e)
{
	if (llm_usable(l, wanted)) {
		*ret = wanted;
		return 0;
	}
	for (size_t i = 0; fallback && l->defaults[i]; i++)
		if (llm_usable(l, l->defaults[i])) {
			*ret = l->defaults[i];
			return 0;
		}
	return llm_missing(wanted, e);
}

/* net_call's callbacks. */

static void
on_head(void *arg, int status)
{
	struct ask *a = arg;

	a->events =
	    status >= 200 && status < 300 && !a->net.encoded &&
	    strncasecmp(a->net.content_type, "text/event-stream", 17) == 0;
	if (status < 200 || status > 299)
		a->body.max = ERROR_BODY_MAX;
}

static int
on_body(void *arg, const char *p, size_t n)
{
	struct ask *a = arg;

	if (a->events)
		return stream_feed(&a->s, p, n);
	/* Of an error's body its beginning is enough. */
	if (n > a->body.max - a->body.len)
		n = a->body.max - a->body.len;
	buf_add(&a->body, p, n);
	return 0;
}

/* Heartbeats are for silence: none soon after text went out. */
static int
on_beat(void *arg)
{
	struct ask *a = arg;
	struct llm_sink *sink = a->s.sink;

	if (a->s.text_at > 0 && clock_mono() - a->s.text_at < a->beat_ns / 2)
		return 0;
	return sink->beat(sink);
}

static int
on_gone(void *arg)
{
	struct ask *a = arg;

	return a->s.sink->gone(a->s.sink);
}

/* Settling. */

static int
garbled(const struct llm_provider *p, struct err *e)
{
	return err_set_kind(e, ERR_UPSTREAM, "upstream-garbled", 0,
	    "%s answered with something that is not a model's answer", p->name);
}

/* The provider has said no, at the start or in its stream. */
static int
refused(struct ask *a, const struct llm_fault *f, struct err *e)
{
	a->s.reply->class = errors_class(f);
	a->s.reply->retry_ms = f->retry_ms;
	return errors_set(f, a->s.provider->name, e);
}

/* A success that is no event stream: some servers do not stream. */
static int
settle_whole(struct ask *a, struct err *e)
{
	struct json_limits lim = WHOLE_LIMITS;
	const struct json_val *root;

	if (a->net.encoded || buf_failed(&a->body))
		return garbled(a->s.provider, e);
	root = json_doc_read(&a->s.doc, a->body.data, a->body.len, &lim);
	if (!root)
		return garbled(a->s.provider, e);
	if (!json_val_is(root, '{'))
		stream_garbled(&a->s);
	else
		a->s.provider->whole(&a->s, root);
	return 0;
}

static int
settle_stream(struct ask *a, int rc, struct err *e)
{
	const struct llm_provider *p = a->s.provider;

	if (a->s.gone) {
		a->s.reply->class = LLM_ABANDONED;
		return err_set(e, ERR_GONE, "the reader left");
	}
	if (a->s.failed)
		return refused(a, &a->s.fault, e);
	if (a->s.garbled)
		return garbled(p, e);
	/* Once the model is done, how the connection ends is of no matter. */
	if (a->s.finished || a->s.done)
		return 0;
	if (rc != 0)
		return -1;
	return err_set_kind(e, ERR_UPSTREAM, "upstream-broken", 0,
	    "%s stopped before the answer's end", p->name);
}

static int
settle(struct ask *a, const struct llm_request *rq, int rc, struct err *e)
{
	struct llm_reply *r = a->s.reply;
	const char *who = a->s.provider->name;

	r->status = a->net.status;
	memcpy(r->upstream_id, a->net.upstream_id, sizeof(r->upstream_id));
	r->class = LLM_SERVER;
	if (r->status != 0) {
		errors_rates(&a->net, clock_mono(), clock_wall_us(), r->rates);
		r->rated = true;
	}
	if (a->net.end == NET_GONE || a->net.end == NET_CANCELLED) {
		if (a->net.sent)
			stream_end(&a->s, rq);
		r->finish = LLM_CANCELLED;
		r->class = LLM_ABANDONED;
		return -1;
	}
	if (r->status != 0 && (r->status < 200 || r->status > 299)) {
		struct llm_fault f;
		errors_read(
		    &f, &a->net, a->body.data, a->body.len, clock_wall_us());
		r->finish = LLM_ERROR;
		return refused(a, &f, e);
	}
	if (rc == 0 && !a->events && settle_whole(a, e) != 0) {
		r->finish = LLM_ERROR;
		return -1;
	}
	if (rc != 0)
		err_prefix(e, "%s", who);
	if (a->net.sent) /* before, nothing was said or counted */
		stream_end(&a->s, rq);
	rc = settle_stream(a, rc, e);
	if (rc != 0 && r->finish != LLM_CANCELLED)
		r->finish = LLM_ERROR;
	if (rc == 0)
		r->class = LLM_OK;
	return rc;
}

static int
ask_prepare(const struct llm_access *access, const struct llm_provider *p,
    const struct llm_request *rq, const char *name, struct buf *url,
    struct buf *body, struct llm_headers *h)
{
	buf_adds(url, access->base ? access->base : p->base);
	buf_adds(url, p->path);
	if (llm_header_add(h, "Content-Type: application/json") != 0 ||
	    llm_header_add(h, "Accept: text/event-stream") != 0 ||
	    (rq->traceparent &&
		llm_header_add(h, "traceparent: %s", rq->traceparent) != 0) ||
	    p->headers(access, h) != 0)
		return -1;
	p->body(access, rq, name, body);
	return buf_failed(url) || buf_failed(body) ? -1 : 0;
}

static int64_t
deadline_of(const struct llm *l, const struct llm_request *rq)
{
	int64_t own =
	    l->o.total_ms > 0 ? clock_mono() + l->o.total_ms * CLOCK_MS : 0;

	if (own == 0 || (rq->deadline > 0 && rq->deadline < own))
		return rq->deadline;
	return own;
}

static int
ask_network(struct llm *l, struct ask *a, const struct llm_request *rq,
    const char *name, struct err *e)
{
	const struct llm_provider *p = a->s.provider;
	const struct llm_access *access =
	    rq->access ? rq->access : llm_access_of(l, p);
	const void *tmp = a->s.tmp;
	struct llm_headers *h = mem_new(tmp, struct llm_headers);
	struct llm_sink *sink = a->s.sink;
	struct buf url, body;

	buf_init(&url, tmp, 2048);
	buf_init(&body, tmp, BODY_MAX);
	if (!access || ask_prepare(access, p, rq, name, &url, &body, h) != 0)
		return err_set(
		    e, ERR_TOO_LARGE, "the conversation is too long to send");
	buf_init(&a->body, tmp, l->o.response_max);
	a->beat_ns = sink->beat_ms * CLOCK_MS;
	struct net_call c = { .method = "POST",
		.url = url.data,
		.headers = h->line,
		.body = body.data,
		.body_len = body.len,
		.egress = access->egress,
		.connect_ms = l->o.connect_ms,
		.first_byte_ms = l->o.first_byte_ms,
		.idle_ms = l->o.idle_ms,
		.deadline = deadline_of(l, rq),
		.response_max = l->o.response_max,
		.on_body = on_body,
		.on_head = on_head,
		.arg = a,
		.gone_fd = sink->gone_fd,
		.ignore_gone = sink->ignore_gone,
		.beat_ms = sink->beat ? sink->beat_ms : 0,
		.on_beat = sink->beat ? on_beat : NULL,
		.on_gone = sink->gone ? on_gone : NULL,
		.cancel = sink->cancel,
		.wait = sink->wait };
	int rc = net_call(l->net, &c, &a->net, e);
	/* The authorization line goes with the call. */
	explicit_bzero(h, sizeof(*h));
	return settle(a, rq, rc, e);
}

static void
count(const struct llm_reply *r, int rc)
{
	metric_add(M_PROVIDER_CALLS, 1);
	if (rc != 0 && r->finish != LLM_CANCELLED)
		metric_add(M_PROVIDER_ERRORS, 1);
	if (r->first_token_ns > 0)
		metric_time(M_PROVIDER_FIRST, r->first_token_ns);
}

int
llm_complete(struct llm *l, const struct llm_request *rq, struct llm_sink *sink,
    const void *ctx, struct llm_reply *r, struct err *e)
{
	const char *name;
	const struct llm_provider *p = provider_find(rq->model, &name);
	int rc;

	memset(r, 0, sizeof(*r));
	buf_init(&r->text, ctx, l->o.response_max);
	r->finish = LLM_ERROR;
	r->class =
	    LLM_CALLER; /* until it was sent, the key has no part in it */
	if (!p || (!(rq->access && p->base) && !usable(l, p)))
		return err_set_kind(e, ERR_UNAVAILABLE, "missing-credential",
		    MISSING_RETRY_S, "the model %.80s cannot be asked",
		    rq->model);
	memcpy(r->model, rq->model, strlen(rq->model) + 1);
	r->attempts = 1;
	void *tmp = mem_branch(ctx, "llm call");
	struct ask *a = mem_new(tmp, struct ask);
	stream_init(&a->s, p, r, sink, ctx, tmp,
	    l->o.response_max < EVENT_MAX ? l->o.response_max : EVENT_MAX);
	if (rq->embed) {
		rc = embed_ask(l, p, name, rq, sink, ctx, tmp, r, e);
		count(r, rc);
	} else if (p->complete) {
		rc = p->complete(rq, &a->s, e);
		stream_end(&a->s, rq);
		r->class = rc == 0 ? LLM_OK : LLM_CALLER;
	} else {
		rc = ask_network(l, a, rq, name, e);
		count(r, rc);
	}
	mem_free(tmp);
	return rc;
}

const char *
llm_finish_name(enum llm_finish f)
{
	static const char *const names[] = { "stop", "length", "tool_calls",
		"content_filter", "cancelled", "error" };

	return (size_t)f < sizeof(names) / sizeof(names[0]) ? names[f]
	                                                    : "error";
}
