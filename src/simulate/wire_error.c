/* Errors in the vendors' shapes; contracts say which status carries what. */
#include <string.h>

#include "simulate/wire_priv.h"

#include "util/banned.h"

struct kind {
	int status;
	const char *anthropic;   /* type */
	const char *type, *code; /* OpenAI; code NULL: null */
	const char *text;
};

static const struct kind kinds[] = {
	{ 400, "invalid_request_error", "invalid_request_error", "invalid",
	    "The request is not valid." },
	{ 401, "authentication_error", "invalid_request_error",
	    "invalid_api_key", "Incorrect API key provided." },
	{ 402, "billing_error", "insufficient_quota",
	    "credit_balance_exhausted",
	    "There is an issue with your billing or payment information." },
	{ 403, "permission_error", "request_forbidden",
	    "unsupported_country_region_territory",
	    "Your API key does not have permission to use the specified "
	    "resource." },
	{ 404, "not_found_error", "invalid_request_error", "model_not_found",
	    "The model does not exist or you do not have access to it." },
	{ 413, "request_too_large", "invalid_request_error",
	    "request_too_large",
	    "Request exceeds the maximum allowed number of bytes." },
	{ 429, "rate_limit_error", "requests", "rate_limit_exceeded",
	    "Rate limit reached." },
	{ 500, "api_error", "server_error", NULL,
	    "The server had an error while processing your request." },
	{ 503, "overloaded_error", "service_unavailable_error",
	    "server_is_overloaded", "The server is currently overloaded." },
	{ 504, "timeout_error", "server_error", NULL, "Request timed out." },
	{ 529, "overloaded_error", "service_unavailable_error",
	    "server_is_overloaded", "Overloaded" },
};

static const struct kind unknown = { 0, "api_error", "server_error", NULL,
	"The server had an error while processing your request." };

static const struct kind *
kind_of(int status)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].status == status)
			return &kinds[i];
	return &unknown;
}

void
wire_error(const struct script *s, struct buf *out)
{
	if (s->anthropic)
		wire_anthropic_event(s, out, "error",
		    "{\"type\":\"error\",\"error\":{\"type\":"
		    "\"overloaded_error\",\"message\":\"Overloaded\"}}");
	else
		buf_adds(out,
		    "data: {\"error\":{\"message\":\"The server had an error "
		    "while processing your request.\",\"type\":"
		    "\"server_error\",\"param\":null,\"code\":null}}\n\n");
}

/* What the limit is called that a request did not fit into. */
static const char *
limit_text(const struct rates *r)
{
	static const char *const texts[RATES] = {
		"requests per min (RPM)",
		"tokens per min (TPM)",
		"input tokens per min (ITPM)",
	};

	return texts[r->which];
}

static void
add_message(const struct script *s, const struct kind *k, struct buf *out)
{
	struct buf b;

	buf_init(&b, out->ctx, 1024);
	buf_adds(&b, k->text);
	if (s->rates.refused)
		buf_addf(&b, " Limit %lld %s. Please try again in %lldms.",
		    (long long)s->rates.limit[s->rates.which],
		    limit_text(&s->rates), (long long)s->rates.retry_ms);
	buf_json_str(out, b.data, b.len);
	buf_free(&b);
}

void
wire_refusal(const struct script *s, struct buf *out)
{
	const struct plan *p = &s->plan;
	struct kind k = *kind_of(p->status);

	if (p->html) {
		buf_adds(out, "<html><body>Bad Gateway</body></html>");
		return;
	}
	if (p->quota || p->credit) {
		k.type = "insufficient_quota";
		k.code = p->quota ? "insufficient_quota"
		                  : "credit_balance_exhausted";
		k.text = p->quota ? "You exceeded your current quota, please "
		                    "check your plan and billing details."
		                  : "Your credit balance is exhausted.";
	} else if (s->rates.refused && s->rates.which != RATE_REQUESTS) {
		k.type = "tokens";
	}
	buf_adds(out,
	    s->anthropic ? "{\"type\":\"error\",\"error\":{" : "{\"error\":{");
	buf_adds(out, "\"message\":");
	add_message(s, &k, out);
	if (s->anthropic) {
		buf_addf(out,
		    ",\"type\":\"%s\"},\"request_id\":\"req_mock_%lu\"}",
		    k.anthropic, s->id);
		return;
	}
	buf_addf(out, ",\"type\":\"%s\",\"param\":null,\"code\":", k.type);
	if (k.code)
		buf_json_str(out, k.code, strlen(k.code));
	else
		buf_adds(out, "null");
	buf_adds(out, "}}");
}
