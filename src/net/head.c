/*
 * Answer headers: a bounded number of bounded lines, of which a few are kept.
 * What is kept goes into logs and errors, so it is printable ASCII.
 */
#include "net/head_priv.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "net/call.h"

#include "util/banned.h"

#define HEAD_BYTES ((size_t)64 * 1024)
#define HEAD_LINES 256

static void
copy_value(char *out, size_t size, const char *v, size_t n)
{
	size_t k = 0;

	while (n > 0 && (*v == ' ' || *v == '\t')) {
		v++;
		n--;
	}
	while (n > 0 && (unsigned char)v[n - 1] <= ' ')
		n--;
	for (; n > 0 && k + 1 < size; v++, n--)
		out[k++] = *v >= ' ' && *v <= '~' ? *v : '?';
	out[k] = '\0';
}

static bool
name_is(const char *line, size_t n, const char *name)
{
	return strlen(name) == n && strncasecmp(line, name, n) == 0;
}

#define RATE(prefix, which, suffix, field)                                     \
	{                                                                      \
		prefix suffix, NET_##which, offsetof(struct net_rate, field),  \
		    sizeof(((struct net_rate *)0)->field)                      \
	}
#define OPENAI(which, suffix)                                                  \
	RATE("x-ratelimit-", which, "limit-" suffix, limit),                   \
	    RATE("x-ratelimit-", which, "remaining-" suffix, left),            \
	    RATE("x-ratelimit-", which, "reset-" suffix, reset)
#define ANTHROPIC(which, prefix)                                               \
	RATE("anthropic-ratelimit-", which, prefix "-limit", limit),           \
	    RATE("anthropic-ratelimit-", which, prefix "-remaining", left),    \
	    RATE("anthropic-ratelimit-", which, prefix "-reset", reset)

static const struct {
	const char *name;
	enum net_rates which;
	size_t at, size;
} rates[] = {
	OPENAI(REQUESTS, "requests"),
	OPENAI(TOKENS, "tokens"),
	ANTHROPIC(REQUESTS, "requests"),
	ANTHROPIC(TOKENS, "tokens"),
	ANTHROPIC(INPUT, "input-tokens"),
	ANTHROPIC(OUTPUT, "output-tokens"),
};

/* Is the line about a limit?  Most are not, and are seen by their length. */
static bool
head_rate(
    struct net_reply *r, const char *line, size_t n, const char *v, size_t vn)
{
	for (size_t i = 0; n >= sizeof("x-ratelimit-") &&
			   i < sizeof(rates) / sizeof(rates[0]);
	     i++)
		if (name_is(line, n, rates[i].name)) {
			copy_value(
			    (char *)&r->rate[rates[i].which] + rates[i].at,
			    rates[i].size, v, vn);
			return true;
		}
	return false;
}

static void
head_field(struct net_reply *r, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	char coding[32] = "";

	if (!colon)
		return;
	size_t n = (size_t)(colon - line);
	const char *v = colon + 1;
	size_t vn = len - n - 1;
#define KEEP(name, field)                                                      \
	if (name_is(line, n, name)) {                                          \
		copy_value(r->field, sizeof(r->field), v, vn);                 \
		return;                                                        \
	}
	KEEP("content-type", content_type)
	KEEP("retry-after", retry_after)
	KEEP("retry-after-ms", retry_after_ms)
	KEEP("x-should-retry", should_retry)
	KEEP("date", date)
	KEEP("x-request-id", upstream_id)
	KEEP("request-id", upstream_id)
	KEEP("etag", etag)
	KEEP("cache-control", cache_control)
#undef KEEP
	if (head_rate(r, line, n, v, vn))
		return;
	if (name_is(line, n, "content-encoding")) {
		copy_value(coding, sizeof(coding), v, vn);
		r->encoded = coding[0] && strcasecmp(coding, "identity") != 0;
	}
}

/* "HTTP/1.1 200 OK" */
static int
head_status(const char *line, size_t len)
{
	const char *sp = memchr(line, ' ', len);
	int status = 0;

	if (!sp)
		return 0;
	size_t left = len - (size_t)(sp - line);
	if (left < 4)
		return 0;
	for (int i = 1; i <= 3; i++) {
		if (sp[i] < '0' || sp[i] > '9')
			return 0;
		status = status * 10 + (sp[i] - '0');
	}
	return status;
}

int
head_line(struct head *h, struct net_reply *r, const char *line, size_t len)
{
	h->bytes += len;
	h->lines++;
	if (h->bytes > HEAD_BYTES || h->lines > HEAD_LINES)
		return -1;
	if (h->done)
		return 0; /* trailers: counted, not believed */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		h->status = head_status(line, len);
	} else if (line[0] == '\r' || line[0] == '\n') {
		if (h->status >= 200) {
			h->done = true;
			r->status = h->status;
		}
	} else if (h->status >= 200) {
		head_field(r, line, len);
	}
	return 0;
}
