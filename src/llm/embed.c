/* Vectors of texts, by the /embeddings of OpenAI's format. */
#include <string.h>

#include "llm/errors_priv.h"
#include "llm/llm.h"
#include "llm/provider_priv.h"
#include "net/call.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/json_doc.h"
#include "util/mem.h"

#include "util/banned.h"

#define BODY_MAX ((size_t)16 * 1024 * 1024)
#define ANSWER_MAX ((size_t)32 * 1024 * 1024)
#define ANSWER_LIMITS ((struct json_limits){ 16, 2000000 })

static void
write_body(struct buf *b, const struct llm_embed *rq, const char *name)
{
	buf_adds(b, "{\"model\":");
	buf_json_str(b, name, strlen(name));
	if (rq->format) {
		buf_adds(b, ",\"encoding_format\":");
		buf_json_str(b, rq->format, strlen(rq->format));
	}
	if (rq->dimensions > 0) {
		buf_adds(b, ",\"dimensions\":");
		buf_addi(b, rq->dimensions);
	}
	buf_adds(b, ",\"input\":");
	json_write(b, rq->input);
	buf_addc(b, '}');
}

static size_t
wanted(const struct llm_embed *rq)
{
	const json_t *first = json_array_get(rq->input, 0);

	return json_is_array(rq->input) && !json_is_integer(first)
	           ? json_array_size(rq->input)
	           : 1;
}

/* The embedding of ${v} as it came: a list of numbers, or text in base64. */
static void
write_vector(
    struct buf *out, size_t index, const struct json_val *v, const char *end)
{
	buf_adds(out, index > 0 ? "," : "");
	buf_adds(out, "{\"object\":\"embedding\",\"index\":");
	buf_addi(out, (long long)index);
	buf_adds(out, ",\"embedding\":");
	if (json_val_is(v, '"'))
		buf_json_str(out, v->text, v->len);
	else
		buf_add(out, v->text, (size_t)(end - v->text));
	buf_addc(out, '}');
}

/* ${list} by its indexes; false: one is missing, or there twice. */
static bool
sort(const struct json_val *list, size_t n, const void *ctx,
    const struct json_val ***ret)
{
	const struct json_val **by = mem_array(ctx, const struct json_val *, n);
	const struct json_val *v = NULL;
	double index;
	size_t found = 0;

	while ((v = json_val_next(list, v))) {
		if (!json_val_number(json_val_get(v, "index"), &index) ||
		    index < 0 || index >= (double)n ||
		    by[(size_t)index] != NULL)
			return false;
		by[(size_t)index] = json_val_get(v, "embedding");
		if (!json_val_is(by[(size_t)index], '"') &&
		    !json_val_is(by[(size_t)index], '['))
			return false;
		found++;
	}
	*ret = by;
	return found == n;
}

static int64_t
count(const struct json_val *usage, const char *name)
{
	double n;

	return json_val_number(json_val_get(usage, name), &n) && n >= 0 &&
	               n < 1e15
	           ? (int64_t)n
	           : 0;
}

static int
garbled(const struct llm_provider *p, struct err *e)
{
	return err_set_kind(e, ERR_UPSTREAM, "upstream-garbled", 0,
	    "%s answered with something that is no list of embeddings",
	    p->name);
}

static int
take(const struct llm_provider *p, const struct llm_embed *rq,
    const struct buf *body, const void *tmp, struct llm_reply *r,
    struct buf *out, struct err *e)
{
	struct json_limits lim = ANSWER_LIMITS;
	const struct json_val *root, **by;
	size_t n = wanted(rq);
	struct json_doc doc;

	json_doc_init(&doc, tmp);
	root = json_doc_read(&doc, body->data, body->len, &lim);
	if (!root || !sort(json_val_get(root, "data"), n, tmp, &by))
		return garbled(p, e);
	buf_addc(out, '[');
	for (size_t i = 0; i < n; i++)
		write_vector(out, i, by[i], by[i]->text + by[i]->len);
	buf_addc(out, ']');
	r->usage.input = count(json_val_get(root, "usage"), "prompt_tokens");
	return buf_failed(out) ? garbled(p, e) : 0;
}

static int
on_body(void *arg, const char *text, size_t n)
{
	struct buf *b = arg;

	buf_add(b, text, n);
	return buf_failed(b) ? -1 : 0;
}

static int
settle(const struct llm_provider *p, const struct net_reply *net,
    const struct buf *body, int rc, struct llm_reply *r, struct err *e)
{
	r->status = net->status;
	memcpy(r->upstream_id, net->upstream_id, sizeof(r->upstream_id));
	r->class = LLM_SERVER;
	if (r->status != 0) {
		errors_rates(net, clock_mono(), clock_wall_us(), r->rates);
		r->rated = true;
	}
	if (net->end == NET_GONE || net->end == NET_CANCELLED) {
		r->finish = LLM_CANCELLED;
		r->class = LLM_ABANDONED;
		return -1;
	}
	if (r->status != 0 && (r->status < 200 || r->status > 299)) {
		struct llm_fault f;

		errors_read(&f, net, body->data, body->len, clock_wall_us());
		r->class = errors_class(&f);
		r->retry_ms = f.retry_ms;
		return errors_set(&f, p->name, e);
	}
	return rc == 0 ? 0 : err_prefix(e, "%s", p->name);
}

static int
call(struct llm *l, const struct llm_provider *p, const struct llm_request *rq,
    const char *name, struct llm_sink *sink, const void *tmp,
    struct llm_reply *r, struct buf *answer, struct err *e)
{
	const struct llm_access *access =
	    rq->access ? rq->access : llm_access_of(l, p);
	struct llm_headers *h = mem_new(tmp, struct llm_headers);
	struct net_reply net = { 0 };
	struct buf body;
	int rc;

	buf_init(&body, tmp, BODY_MAX);
	write_body(&body, rq->embed, name);
	if (buf_failed(&body) ||
	    llm_header_add(h, "Content-Type: application/json") != 0 ||
	    (rq->traceparent &&
		llm_header_add(h, "traceparent: %s", rq->traceparent) != 0) ||
	    p->headers(access, h) != 0)
		return err_set(e, ERR_TOO_LARGE, "the texts are too long");
	struct net_call c = { .method = "POST",
		.url = mem_printf(tmp, "%s%s",
		    access->base ? access->base : p->base, p->embed_path),
		.headers = h->line,
		.body = body.data,
		.body_len = body.len,
		.egress = access->egress,
		.connect_ms = llm_opts(l)->connect_ms,
		.first_byte_ms = llm_opts(l)->first_byte_ms,
		.idle_ms = llm_opts(l)->idle_ms,
		.deadline = rq->deadline,
		.response_max = ANSWER_MAX,
		.on_body = on_body,
		.arg = answer,
		.gone_fd = sink->gone_fd,
		.ignore_gone = sink->ignore_gone,
		.cancel = sink->cancel,
		.wait = sink->wait };

	rc = net_call(llm_net(l), &c, &net, e);
	explicit_bzero(h, sizeof(*h));
	return settle(p, &net, answer, rc, r, e);
}

int
embed_ask(struct llm *l, const struct llm_provider *p, const char *name,
    const struct llm_request *rq, struct llm_sink *sink, const void *ctx,
    const void *tmp, struct llm_reply *r, struct err *e)
{
	struct buf answer;
	int rc;

	buf_init(rq->vectors, ctx, ANSWER_MAX);
	if (!p->embed_path)
		return err_set_kind(e, ERR_INVALID, "embeddings-unsupported", 0,
		    "%s makes no embeddings", p->name);
	buf_init(&answer, tmp, ANSWER_MAX);
	rc = call(l, p, rq, name, sink, tmp, r, &answer, e);
	if (rc == 0)
		rc = take(p, rq->embed, &answer, tmp, r, rq->vectors, e);
	if (rc == 0) {
		r->finish = LLM_STOP;
		r->class = LLM_OK;
	}
	return rc;
}
