/*
 * From a provider's refusal to an error of ours.
 *
 * Decided on status and code, never on message text; the message is not even
 * read, for vendors repeat keys and prompts in it.  Only words of the table
 * below reach a reader.
 *
 *	upstream says			we say
 *	401, 403			502 upstream-auth
 *	402, 429 out of quota or credit	502 upstream-quota
 *	429				503 upstream-limit, Retry-After
 *	503, 529, overloaded		503 upstream-overloaded, Retry-After
 *	408, 504			504 upstream-timeout
 *	the prompt is too long		502 upstream-context
 *	404				502 upstream-model
 *	other 4xx			502 upstream-refused
 *	anything else			502 upstream-failed
 */
#include "llm/errors_priv.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/call.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/rfc3339.h"

#include "util/banned.h"

#define RETRY_MOST_MS INT64_C(3600000)
#define RETRY_DEFAULT_S 5
#define BODY_MAX ((size_t)64 * 1024)

/* The words vendors use, with the status they go with when a stream that began
 * well says them. */
static const struct word {
	const char *word;
	int status;
	bool final; /* trying again cannot help */
} words[] = {
	{ "invalid_request_error", 400, false },
	{ "unsupported_parameter", 400, false },
	{ "unsupported_value", 400, false },
	{ "context_length_exceeded", 400, false },
	{ "BadRequestError", 400, false },
	{ "authentication_error", 401, false },
	{ "invalid_api_key", 401, false },
	{ "billing_error", 402, true },
	{ "permission_error", 403, false },
	{ "request_forbidden", 403, false },
	{ "unsupported_country_region_territory", 403, false },
	{ "not_found_error", 404, false },
	{ "model_not_found", 404, false },
	{ "request_too_large", 413, false },
	{ "insufficient_quota", 429, true },
	{ "credit_balance_exhausted", 429, true },
	{ "rate_limit_error", 429, false },
	{ "rate_limit_exceeded", 429, false },
	{ "slow_down", 429, false },
	{ "requests", 429, false },
	{ "tokens", 429, false },
	{ "api_error", 500, false },
	{ "server_error", 500, false },
	{ "service_unavailable_error", 503, false },
	{ "server_is_overloaded", 503, false },
	{ "timeout_error", 504, false },
	{ "overloaded_error", 529, false },
};

static const struct word *
word_find(const char *s)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, s) == 0)
			return &words[i];
	return NULL;
}

static void
copy_word(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; s && *s && n + 1 < size; s++)
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		    (*s >= '0' && *s <= '9') || strchr("_-.", *s))
			out[n++] = *s;
	out[n] = '\0';
}

int64_t
errors_duration(const char *s)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = { { "ms", 1 }, { "h", 3600000 }, { "m", 60000 },
		{ "s", 1000 } };
	double sum = 0;

	if (*s == '\0')
		return -1;
	while (*s) {
		char *end;
		size_t u = 0;
		if (*s < '0' || *s > '9')
			return -1;
		double v = strtod(s, &end);
		while (u < 4 &&
		       strncmp(end, units[u].unit, strlen(units[u].unit)) != 0)
			u++;
		if (u == 4 || !(v >= 0 && v < 1e9))
			return -1;
		sum += v * units[u].ms;
		s = end + strlen(units[u].unit);
	}
	return sum < 1e15 ? (int64_t)sum : -1;
}

/* "Thu, 15 Jan 2026 10:00:30 GMT" in seconds since 1970, or -1. */
static int64_t
http_date(const char *s)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm);

	if (!end || *end)
		return -1;
	return timegm(&tm);
}

int64_t
errors_retry_after(const char *value, const char *date, int64_t wall_us)
{
	char *end;
	int64_t at, now;

	if (*value >= '0' && *value <= '9') {
		double s = strtod(value, &end);
		if (*end || !(s >= 0 && s < 1e9))
			return -1;
		return (int64_t)(s * 1000);
	}
	at = http_date(value);
	if (at < 0)
		return -1;
	now = http_date(date);
	if (now < 0)
		now = wall_us / 1000000;
	return at > now ? (at - now) * 1000 : 0;
}

static int64_t
bucket_reset(const struct net_rate *r)
{
	return strcmp(r->left, "0") == 0 ? errors_duration(r->reset) : -1;
}

/* How long the provider asks us to wait, by the most precise of what it sent.
 */
static int64_t
retry_ms(const struct net_reply *r, int64_t wall_us)
{
	int64_t ms = -1;
	char *end;

	if (r->retry_after_ms[0] >= '0' && r->retry_after_ms[0] <= '9') {
		double v = strtod(r->retry_after_ms, &end);
		if (*end == '\0' && v >= 0 && v < 1e12)
			ms = (int64_t)v;
	}
	if (ms < 0)
		ms = errors_retry_after(r->retry_after, r->date, wall_us);
	if (ms < 0)
		ms = bucket_reset(&r->rate[NET_REQUESTS]);
	if (ms < 0)
		ms = bucket_reset(&r->rate[NET_TOKENS]);
	if (ms < 0)
		return 0;
	return ms > RETRY_MOST_MS ? RETRY_MOST_MS : ms;
}

static bool
is_final(const struct llm_fault *f)
{
	const struct word *c = word_find(f->code), *t = word_find(f->type);

	return f->status == 402 || (c && c->final) || (t && t->final);
}

static bool
is_retryable(const struct llm_fault *f, const char *should_retry)
{
	if (strcmp(should_retry, "true") == 0)
		return true;
	if (strcmp(should_retry, "false") == 0 || is_final(f))
		return false;
	return f->status == 408 || f->status == 409 || f->status == 429 ||
	       f->status >= 500;
}

/* {"error":{type,code}}, or the same without its wrapper (older vLLM). */
static void
body_words(struct llm_fault *f, const char *body, size_t len)
{
	struct json_limits lim = { 16, 1000 };
	json_t *root = NULL;
	const json_t *o;

	if (len == 0 || len > BODY_MAX ||
	    json_parse(body, len, &lim, &root, NULL) != 0)
		return;
	o = json_object_get(root, "error");
	if (!json_is_object(o))
		o = root;
	copy_word(f->type, sizeof(f->type),
	    json_string_value(json_object_get(o, "type")));
	copy_word(f->code, sizeof(f->code),
	    json_string_value(json_object_get(o, "code")));
	json_decref(root);
}

void
errors_read(struct llm_fault *f, const struct net_reply *r, const char *body,
    size_t len, int64_t wall_us)
{
	memset(f, 0, sizeof(*f));
	f->status = r->status;
	if (!r->encoded)
		body_words(f, body, len);
	f->retry_ms = retry_ms(r, wall_us);
	f->retryable = is_retryable(f, r->should_retry);
}

void
errors_stream(struct llm_fault *f, const char *type, const char *code)
{
	const struct word *w;

	memset(f, 0, sizeof(*f));
	f->in_stream = true;
	copy_word(f->type, sizeof(f->type), type);
	copy_word(f->code, sizeof(f->code), code);
	w = word_find(f->code);
	if (!w)
		w = word_find(f->type);
	f->status = w ? w->status : 500;
	f->retryable = is_retryable(f, "");
}

static int
set(const struct llm_fault *f, const char *who, enum err_code code,
    const char *kind, int retry_s, struct err *e)
{
	const struct word *w = word_find(f->code);

	if (!w)
		w = word_find(f->type);
	if (f->in_stream)
		return err_set_kind(e, code, kind, retry_s,
		    "%s broke off with an error%s%s%s", who, w ? " (" : "",
		    w ? w->word : "", w ? ")" : "");
	return err_set_kind(e, code, kind, retry_s, "%s answered %d%s%s%s", who,
	    f->status, w ? " (" : "", w ? w->word : "", w ? ")" : "");
}

enum llm_class
errors_class(const struct llm_fault *f)
{
	switch (f->status) {
	case 401:
	case 402:
	case 403:
		return LLM_DENIED;
	case 404:
		return LLM_NO_MODEL;
	case 429:
		return is_final(f) ? LLM_EXHAUSTED : LLM_LIMIT;
	case 408:
	case 409:
		return LLM_SERVER;
	default:
		return f->status >= 400 && f->status < 500 ? LLM_CALLER
		                                           : LLM_SERVER;
	}
}

/* A count, or -1. */
static int64_t
rate_count(const char *s)
{
	char *end;
	long long n;

	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	n = strtoll(s, &end, 10);
	return *end == '\0' && errno == 0 ? n : -1;
}

/* When it is full again, on our clock; 0 unknown. */
static int64_t
rate_reset(const char *s, int64_t mono, int64_t wall_us)
{
	int64_t us, ms;

	if (*s == '\0')
		return 0;
	if (rfc3339_read(s, &us) == 0)
		ms = us > wall_us ? (us - wall_us + 999) / 1000 : 0;
	else
		ms = errors_duration(s);
	if (ms < 0 || ms > RETRY_MOST_MS)
		return 0;
	return mono + ms * CLOCK_MS;
}

void
errors_rates(const struct net_reply *r, int64_t mono, int64_t wall_us,
    struct llm_rate out[LLM_RATES])
{
	_Static_assert((int)LLM_RATES == (int)NET_RATES, "the same places");
	for (int i = 0; i < LLM_RATES; i++) {
		out[i].limit = rate_count(r->rate[i].limit);
		out[i].remaining = rate_count(r->rate[i].left);
		out[i].reset_at = rate_reset(r->rate[i].reset, mono, wall_us);
	}
}

int
errors_set(const struct llm_fault *f, const char *who, struct err *e)
{
	int wait = f->retry_ms > 0 ? (int)((f->retry_ms + 999) / 1000)
	                           : RETRY_DEFAULT_S;

	if (is_final(f))
		return set(f, who, ERR_UPSTREAM, "upstream-quota", 0, e);
	if (strcmp(f->code, "context_length_exceeded") == 0 || f->status == 413)
		return set(f, who, ERR_UPSTREAM, "upstream-context", 0, e);
	switch (f->status) {
	case 401:
	case 403:
		return set(f, who, ERR_UPSTREAM, "upstream-auth", 0, e);
	case 404:
		return set(f, who, ERR_UPSTREAM, "upstream-model", 0, e);
	case 408:
	case 504:
		return set(f, who, ERR_TIMEOUT, "upstream-timeout", 0, e);
	case 429:
		return set(f, who, ERR_UNAVAILABLE, "upstream-limit", wait, e);
	case 503:
	case 529:
		return set(
		    f, who, ERR_UNAVAILABLE, "upstream-overloaded", wait, e);
	default:
		break;
	}
	if (f->status >= 400 && f->status < 500)
		return set(f, who, ERR_UPSTREAM, "upstream-refused", 0, e);
	return set(f, who, ERR_UPSTREAM, "upstream-failed", 0, e);
}
