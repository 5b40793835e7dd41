/*
 * Client addresses.  Everything is compared as 16 bytes: a proxy on a
 * dual-stack socket is "127.0.0.1" or "::ffff:127.0.0.1" as the kernel likes,
 * and both must be trusted, or not, alike.
 */
#include "http/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "http/request.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

/* More hops than anybody has; a longer chain is somebody playing. */
#define HOPS_MAX 32

static const unsigned char v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff };

static bool
parse_bare(const char *s, size_t n, struct address *out)
{
	char text[ADDRESS_TEXT];
	struct in_addr v4;
	struct in6_addr v6;

	if (n == 0 || n >= sizeof(text) || memchr(s, '\0', n) != NULL)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1) {
		memcpy(out->b, v4_prefix, sizeof(v4_prefix));
		memcpy(out->b + 12, &v4, 4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		memcpy(out->b, &v6, 16);
		return true;
	}
	return false;
}

static bool
is_port(const char *s, size_t n)
{
	if (n == 0 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

bool
address_parse(const char *s, size_t n, struct address *out)
{
	const char *close, *colon;

	if (n > 0 && s[0] == '[') {
		close = memchr(s, ']', n);
		if (close == NULL)
			return false;
		if (close + 1 != s + n &&
		    (close[1] != ':' ||
			!is_port(close + 2, (size_t)(s + n - close - 2))))
			return false;
		return memchr(s, ':', (size_t)(close - s)) != NULL &&
		       parse_bare(s + 1, (size_t)(close - s - 1), out);
	}
	if (parse_bare(s, n, out))
		return true;
	/* exactly one colon: IPv4 with a port */
	colon = memchr(s, ':', n);
	if (colon == NULL || !is_port(colon + 1, (size_t)(s + n - colon - 1)))
		return false;
	return parse_bare(s, (size_t)(colon - s), out);
}

void
address_format(const struct address *a, char out[ADDRESS_TEXT])
{
	if (memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0)
		inet_ntop(AF_INET, a->b + 12, out, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, a->b, out, ADDRESS_TEXT);
}

void
address_client(const char *text, char out[ADDRESS_CLIENT_TEXT])
{
	struct address a;

	if (!address_parse(text, strlen(text), &a) ||
	    memcmp(a.b, v4_prefix, sizeof(v4_prefix)) == 0) {
		snprintf(out, ADDRESS_CLIENT_TEXT, "%s", text);
		return;
	}
	memset(a.b + 8, 0, 8);
	address_format(&a, out);
	snprintf(out + strlen(out), ADDRESS_CLIENT_TEXT - strlen(out), "/64");
}

/* Is it in "10.0.0.0/8" or equal to "10.0.0.1"?  False for a bad network. */
static bool
in_network(const struct address *a, const char *network)
{
	const char *slash = strchr(network, '/');
	size_t n = slash != NULL ? (size_t)(slash - network) : strlen(network);
	struct address net;
	int64_t bits = 128;
	bool v4;

	if (!parse_bare(network, n, &net))
		return false;
	v4 = memchr(network, ':', n) == NULL;
	if (slash != NULL) {
		if (str_int(slash + 1, 0, v4 ? 32 : 128, &bits) != 0)
			return false;
		if (v4)
			bits += 96;
	}
	if (memcmp(a->b, net.b, (size_t)(bits / 8)) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	return ((a->b[bits / 8] ^ net.b[bits / 8]) >> (8 - bits % 8)) == 0;
}

static bool
in_list(const struct address *a, const char *const *list)
{
	for (; list != NULL && *list != NULL; list++)
		if (in_network(a, *list))
			return true;
	return false;
}

bool
http_address_in(const char *address, const char *const *list)
{
	struct address a;

	return address != NULL && address_parse(address, strlen(address), &a) &&
	       in_list(&a, list);
}

/* Step back over ${text} from *end: the last item before it, trimmed. */
static bool
item_before(const char *text, const char **end, const char **item, size_t *n)
{
	const char *stop = *end, *start;

	if (stop == NULL)
		return false;
	for (start = stop; start > text && start[-1] != ','; start--)
		;
	*end = start > text ? start - 1 : NULL;
	while (start < stop && (*start == ' ' || *start == '\t'))
		start++;
	while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	*item = start;
	*n = (size_t)(stop - start);
	return true;
}

/*
 * Walk back through one X-Forwarded-For.  *a is the address that added its
 * last item.  True: go on with the header before it; false: *a is the client.
 */
static bool
walk_header(
    const char *text, const char *const *trusted, int *hops, struct address *a)
{
	const char *end = text + strlen(text), *item;
	size_t n;

	while (in_list(a, trusted)) {
		struct address next;

		if (!item_before(text, &end, &item, &n))
			return true;
		if (--*hops < 0 || !address_parse(item, n, &next))
			return false;
		*a = next;
	}
	return false;
}

const char *
http_client_address(struct http_req *req, const char *const *trusted)
{
	const char *remote = http_param(req, "REMOTE_ADDR");
	char text[ADDRESS_TEXT];
	struct address a;
	int hops = HOPS_MAX;

	if (remote == NULL || !address_parse(remote, strlen(remote), &a))
		return "";
	/* Header lines stand in the order of the hops, the last nearest. */
	for (int i = req->nparams; i-- > 0;) {
		const struct http_param *p = &req->params[i];

		if (strcmp(p->name, "HTTP_X_FORWARDED_FOR") == 0 &&
		    !walk_header(p->value, trusted, &hops, &a))
			break;
	}
	address_format(&a, text);
	return mem_strdup(req->ctx, text);
}
