/* Each call is one fetch with a body kept whole; nothing is retried. */
#include "sso/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/call.h"
#include "net/egress.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define BODY_MAX EGRESS_RESPONSE_MAX
#define MAX_AGE_MOST 86400
#define FIRST_BYTE_MS 8000
#define IDLE_MS 3000

/* What a reader might take for another path. */
static const char *
path_fault(const char *text)
{
	const char *p = strstr(text, "://") + 3;

	p += strcspn(p, "/?");
	while (*p == '/') {
		const char *part = ++p;
		size_t n = strcspn(p, "/?");

		p += n;
		if (n == 0 && *p == '/')
			return "has an empty part in its path";
		if ((n == 1 && part[0] == '.') ||
		    (n == 2 && part[0] == '.' && part[1] == '.'))
			return "has . or .. in its path";
		if (memchr(part, '%', n) != NULL ||
		    memchr(part, ';', n) != NULL)
			return "has % or ; in its path";
	}
	return NULL;
}

/* Is it an address, and one that the operator has opened? */
static bool
host_opened(const struct fetcher *f, const char *host)
{
	char address[EGRESS_HOST_MAX + 3];
	size_t n = strlen(host);

	if (n < 2 || host[0] != '[')
		return egress_opened(f->egress, host);
	memcpy(address, host + 1, n - 2);
	address[n - 2] = '\0';
	return egress_opened(f->egress, address);
}

int
fetch_url_ok(
    const struct fetcher *f, const char *url, bool query, struct err *e)
{
	struct egress_url u;
	const char *fault;

	if (egress_parse(url, &u, e) != 0)
		return -1;
	if (!u.tls && !host_opened(f, u.host))
		return err_set(e, ERR_INVALID,
		    "the address must begin with https:// (http:// only where "
		    "the operator opened the address with egress_allow)");
	if (!query && strchr(url, '?') != NULL)
		return err_set(e, ERR_INVALID, "the address has a query");
	fault = path_fault(u.text);
	if (fault != NULL)
		return err_set(e, ERR_INVALID, "the address %s", fault);
	return 0;
}

/* max-age of a Cache-Control header; 0 for what may not be kept. */
static int
max_age(const char *header)
{
	static const char name[] = "max-age=";
	const char *p = strcasestr(header, name);
	int64_t v;
	char digits[12];
	size_t n;

	if (strcasestr(header, "no-store") != NULL ||
	    strcasestr(header, "no-cache") != NULL)
		return 0;
	if (p == NULL)
		return -1;
	p += strlen(name);
	n = strspn(p, "0123456789");
	if (n == 0 || n >= sizeof(digits))
		return n == 0 ? -1 : MAX_AGE_MOST;
	memcpy(digits, p, n);
	digits[n] = '\0';
	return str_int(digits, 0, MAX_AGE_MOST, &v) == 0 ? (int)v
	                                                 : MAX_AGE_MOST;
}

static int
keep(void *arg, const char *p, size_t n)
{
	struct buf *b = arg;

	buf_add(b, p, n);
	return buf_failed(b) ? NET_STOP : 0;
}

int
fetch(const struct fetcher *f, const void *ctx, const char *url,
    const char *const *headers, const char *form, int64_t deadline,
    struct fetched *out, struct err *e)
{
	struct buf body;
	struct net_reply reply;
	struct egress_url u;
	struct net_call call = { .method = form != NULL ? "POST" : "GET",
		.url = url,
		.headers = headers,
		.body = form,
		.body_len = form != NULL ? strlen(form) : 0,
		.egress = f->egress,
		.first_byte_ms = FIRST_BYTE_MS,
		.idle_ms = IDLE_MS,
		.deadline = deadline,
		.response_max = BODY_MAX,
		.on_body = keep,
		.arg = &body,
		.gone_fd = -1 };

	memset(out, 0, sizeof(*out));
	if (egress_parse(url, &u, e) != 0)
		return -1;
	buf_init(&body, ctx, BODY_MAX + 1);
	if (net_call(f->net, &call, &reply, e) != 0)
		return err_prefix(e, "%.100s", u.host);
	if (reply.encoded)
		return err_set(e, ERR_UPSTREAM,
		    "%.100s sent a content-encoding that was not asked for",
		    u.host);
	out->status = reply.status;
	out->body = body.data;
	out->len = body.len;
	memcpy(
	    out->content_type, reply.content_type, sizeof(out->content_type));
	memcpy(out->etag, reply.etag, sizeof(out->etag));
	out->max_age = max_age(reply.cache_control);
	return 0;
}
