/* Which addresses may be reached. */
#include "net/egress.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/call.h"
#include "net/egress_priv.h"
#include "net/net_priv.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

const char egress_refusal[] = "its host leads to an address that is not open "
			      "to accounts";

/* IPv4 as ::ffff:a.b.c.d */
struct range {
	unsigned char b[16];
	unsigned bits;
};

struct egress {
	struct range *allow;
	size_t n;
};

/*
 * What is not the public internet: IANA's registries of special-purpose
 * addresses, RFC 6890 and its successors.  Of IPv6 only 2000::/3 is global; the
 * rows say what of it is not.
 */
static const char *const forbidden[] = {
	"0.0.0.0/8",         /* this host */
	"10.0.0.0/8",        /* private */
	"100.64.0.0/10",     /* shared, behind carriers' NAT */
	"127.0.0.0/8",       /* loopback */
	"168.63.129.16/32",  /* Azure's host */
	"169.254.0.0/16",    /* link-local, metadata of clouds */
	"172.16.0.0/12",     /* private */
	"192.0.0.0/24",      /* protocol assignments */
	"192.0.2.0/24",      /* documentation */
	"192.31.196.0/24",   /* AS112 */
	"192.52.193.0/24",   /* AMT */
	"192.88.99.0/24",    /* 6to4 relays */
	"192.168.0.0/16",    /* private */
	"192.175.48.0/24",   /* AS112 */
	"198.18.0.0/15",     /* benchmarks */
	"198.51.100.0/24",   /* documentation */
	"203.0.113.0/24",    /* documentation */
	"224.0.0.0/4",       /* multicast */
	"240.0.0.0/4",       /* reserved, broadcast */
	"2001::/23",         /* protocol assignments, Teredo, ORCHID */
	"2001:db8::/32",     /* documentation */
	"2002::/16",         /* 6to4 */
	"2620:4f:8000::/48", /* AS112 */
	"3fff::/20",         /* documentation */
};
#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static struct range bad[FORBIDDEN];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const unsigned char v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* --- addresses
 * ---------------------------------------------------------------- */

static bool
read_address(const char *s, unsigned char b[16], bool *v4)
{
	*v4 = inet_pton(AF_INET, s, b + 12) == 1;
	if (*v4) {
		memcpy(b, v4_prefix, sizeof(v4_prefix));
		return true;
	}
	return inet_pton(AF_INET6, s, b) == 1;
}

/* Bits of ${b} from ${bits} on are all 0. */
static bool
rest_is_zero(const unsigned char b[16], unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if ((b[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

static bool
read_range(const char *s, struct range *r)
{
	const char *slash = strchr(s, '/');
	size_t n = slash != NULL ? (size_t)(slash - s) : strlen(s);
	char text[INET6_ADDRSTRLEN];
	int64_t bits;
	bool v4;

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (!read_address(text, r->b, &v4))
		return false;
	bits = v4 ? 32 : 128;
	if (slash != NULL && str_int(slash + 1, 0, bits, &bits) != 0)
		return false;
	r->bits = (unsigned)bits + (v4 ? 96 : 0);
	return rest_is_zero(r->b, r->bits);
}

static bool
in_range(const unsigned char b[16], const struct range *r)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;

	if (memcmp(b, r->b, whole) != 0)
		return false;
	return rest == 0 || (b[whole] ^ r->b[whole]) >> (8 - rest) == 0;
}

static void
read_forbidden(void)
{
	for (size_t i = 0; i < FORBIDDEN; i++)
		/* A row that cannot be read forbids everything. */
		if (!read_range(forbidden[i], &bad[i]))
			memset(&bad[i], 0, sizeof(bad[i]));
}

static bool
is_public(const unsigned char b[16])
{
	(void)pthread_once(&once, read_forbidden);
	if (memcmp(b, v4_prefix, sizeof(v4_prefix)) != 0 &&
	    (b[0] & 0xe0) != 0x20)
		return false;
	for (size_t i = 0; i < FORBIDDEN; i++)
		if (in_range(b, &bad[i]))
			return false;
	return true;
}

struct egress *
egress_new(const void *ctx, const char *const *allow, struct err *e)
{
	struct egress *g = mem_new(ctx, struct egress);
	size_t n = 0;

	while (allow != NULL && allow[n] != NULL)
		n++;
	g->allow = mem_array(g, struct range, n + 1);
	for (; g->n < n; g->n++) {
		if (read_range(allow[g->n], &g->allow[g->n]))
			continue;
		err_set(e, ERR_INVALID,
		    "%.80s is no address and no range of addresses "
		    "(10.0.0.0/8), or has bits beyond its length",
		    allow[g->n]);
		mem_free(g);
		return NULL;
	}
	return g;
}

static bool
is_opened(const struct egress *g, const unsigned char b[16])
{
	for (size_t i = 0; i < g->n; i++)
		if (in_range(b, &g->allow[i]))
			return true;
	return false;
}

bool
egress_opened(const struct egress *g, const char *address)
{
	unsigned char b[16];
	bool v4;

	return read_address(address, b, &v4) && is_opened(g, b);
}

bool
egress_allows(const struct egress *g, const char *address)
{
	unsigned char b[16];
	bool v4;

	return read_address(address, b, &v4) &&
	       (is_opened(g, b) || is_public(b));
}

bool
egress_allows_all(
    const struct egress *g, const char *host, const struct resolved *a)
{
	for (int i = 0; i < a->n; i++)
		if (!egress_allows(g, a->addr[i])) {
			log_event(LOG_WARN, "egress_refused", "host", host,
			    "leads_to", a->addr[i], NULL);
			return false;
		}
	return a->n > 0;
}

/* --- for saving
 * ---------------------------------------------------------------- */

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool ready;
};

static void
name_ready(void *arg)
{
	struct waiting *w = arg;

	pthread_mutex_lock(&w->lock);
	w->ready = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

static void
wait_ready(struct waiting *w, int64_t deadline)
{
	struct timespec until = { .tv_sec = deadline / CLOCK_S,
		.tv_nsec = deadline % CLOCK_S };

	pthread_mutex_lock(&w->lock);
	while (!w->ready && pthread_cond_clockwait(&w->cond, &w->lock,
				CLOCK_MONOTONIC, &until) == 0)
		continue;
	pthread_mutex_unlock(&w->lock);
}

/* Its addresses; RESOLVE_WAIT: not in time. */
static enum resolve_state
resolve_until(struct resolver *rs, const char *host, int64_t deadline,
    struct resolved *out)
{
	struct waiting w = { PTHREAD_MUTEX_INITIALIZER,
		PTHREAD_COND_INITIALIZER, false };
	struct resolve_ask ask = { .ready = name_ready, .arg = &w };
	enum resolve_state s = resolve_start(rs, host, &ask, out);

	if (s != RESOLVE_WAIT)
		return s;
	wait_ready(&w, deadline);
	s = resolve_take(rs, &ask, out);
	resolve_stop(rs, &ask);
	return s;
}

int
egress_check_url(struct net *net, const struct egress *g, const char *url,
    int64_t deadline, struct err *e)
{
	struct resolved a = { 0 };
	struct egress_url u;

	if (egress_parse(url, &u, e) != 0)
		return -1;
	switch (resolve_until(net_resolver(net), u.host, deadline, &a)) {
	case RESOLVE_WAIT:
		return err_set(e, ERR_TIMEOUT,
		    "the name %.100s could not be looked up in time", u.host);
	case RESOLVE_FAILED:
		return err_set(e, ERR_INVALID,
		    "the address cannot be used: the name %.100s is not known",
		    u.host);
	case RESOLVE_DONE:
		break;
	}
	if (egress_allows_all(g, u.host, &a))
		return 0;
	return err_set(
	    e, ERR_INVALID, "the address cannot be used: %s", egress_refusal);
}
