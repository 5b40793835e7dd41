/*
 * The guard on the way out: every call to an address that an account typed (a
 * model server of its own, an identity provider, a webhook) passes here, when
 * the address is saved and again each time it is called.
 *
 * The URL is read strictly, so that nobody reads it otherwise after us.  Its
 * name is resolved once; all addresses must be on the public internet, or in a
 * range that the operator has opened (egress_allow); the connection goes to one
 * of these addresses and to no other.  Redirects are answers like others, no
 * proxy is asked, and size and time are limited.
 *
 * A call passes by setting net_call.egress (net/call.h).
 */
#ifndef NET_EGRESS_H
#define NET_EGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

/* Where a call through the guard sets no limit of its own. */
#define EGRESS_RESPONSE_MAX ((size_t)1024 * 1024)
#define EGRESS_TOTAL_MS 10000
#define EGRESS_CONNECT_MS 3000

#define EGRESS_URL_MAX 2048
#define EGRESS_HOST_MAX 253

struct net;
struct egress;

/*
 * The ranges of egress_allow ("10.1.0.0/16", "fd00:1::/32", "192.0.2.7"),
 * NULL-terminated, which may be reached besides the public internet; talloc'd
 * below ctx, never changed.  NULL with e naming the entry that is no range, or
 * has bits beyond its length.
 */
struct egress *egress_new(
    const void *ctx, const char *const *allow, struct err *e);

/*
 * May the numeric ${address} be reached?  Not: loopback, private, shared
 * (CGNAT), link-local, unique-local, multicast, documentation, benchmark and
 * reserved ranges, the metadata addresses of clouds, and whatever carries an
 * IPv4 address inside (6to4, Teredo, NAT64, compatible); a mapped one is the
 * IPv4 address it maps.  What is no address is not either.
 */
bool egress_allows(const struct egress *, const char *address);

/* Is ${address} in one of the ranges that the operator has opened? */
bool egress_opened(const struct egress *, const char *address);

struct egress_url {
	bool tls;
	char host[EGRESS_HOST_MAX + 3]; /* lower case; IPv6 in brackets */
	char port[6];
	/* The whole as it is called: scheme and host in lower case, without a
	 * port that is the usual one, without a final dot of the host. */
	char text[EGRESS_URL_MAX + 32];
};

/*
 * Read ${url}: http or https, a DNS name, four decimal numbers or an IPv6
 * address in brackets; no user, no fragment, ASCII.  What some reader takes for
 * an address in another spelling (decimal, octal, hexadecimal, short, full
 * width) is refused.  0, or -1 with ERR_INVALID and what is wrong.
 */
int egress_parse(const char *url, struct egress_url *out, struct err *e);

/*
 * May ${url} be saved: is it well-formed, does its name resolve, and may all
 * addresses be reached?  Waits for the name until ${deadline} (absolute,
 * monotonic).  0, or -1: ERR_INVALID, or ERR_TIMEOUT.  The text tells nothing
 * of what the name resolves to.  Any thread.
 */
int egress_check_url(struct net *, const struct egress *, const char *url,
    int64_t deadline, struct err *e);

#endif
