/*
 * Calls to the outside, one at a time, with every limit there is: the one
 * place that waits for bytes, the caller's hang-up, heartbeats and the
 * deadline together.  libcurl's multi handles with warm connections are pooled
 * per process by origin.  TLS is verified, redirects are not followed, proxies
 * are off, no encoding is asked for, names are resolved by net/resolve.
 *
 * A POST is sent once.  The one exception is libcurl's own: a warm connection
 * that turns out to have been closed before it gave a single byte is replaced
 * by a fresh one, and the request is sent there.
 */
#ifndef NET_CALL_H
#define NET_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct net;
struct egress;

/*
 * Before threads start (curl_global_init).  Keeps at most ${warm_connections}
 * idle connections, all origins together.  From here on the process ignores
 * SIGPIPE: TLS has no other way to say that the peer is gone.  Certificates
 * are checked against the system's, or against SSL_CERT_FILE / SSL_CERT_DIR
 * where the environment names them.  Starts no thread until a name has to be
 * resolved, so that it may be called before a fork.
 */
struct net *net_new(unsigned warm_connections);
/* No call may be running. */
void net_free(struct net *);

struct net_wait;

struct net_call {
	const char *method; /* "POST" */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated */
	const char *body;
	size_t body_len;
	/*
	 * Set: the address came from an account, and the call passes the guard
	 * (net/egress.h), which has limits of its own where these are 0.  NULL:
	 * the address is ours or the operator's.
	 */
	const struct egress *egress;
	/*
	 * Limits, all kept by us: the connection with its name and TLS; from
	 * then to the first byte of the body; silence inside the body; and the
	 * whole call.  0 = none.
	 */
	int connect_ms, first_byte_ms, idle_ms;
	int64_t deadline;    /* absolute, monotonic; 0 none */
	size_t response_max; /* bytes of body; 0 = 4 MiB */

	/*
	 * Called with each piece of a body.  0: go on.  NET_ENOUGH: all that
	 * matters has come; what follows is dropped and the call ends as
	 * NET_OK, after a short wait for the body's end that keeps the
	 * connection.  Anything else stops the call (NET_STOPPED).
	 */
	int (*on_body)(void *arg, const char *p, size_t n);
	/* Called once, when the status and headers are known; the reply that
	 * net_call fills holds them. */
	void (*on_head)(void *arg, int status);
	void *arg;

	/* While waiting: */
	int gone_fd; /* readable at EOF when the reader has left; -1 none */
	bool ignore_gone; /* run to the end though the reader left */
	/* The reader has left: how many ms to go on, when this is asked again;
	 * 0, or no function: the call ends as NET_GONE. */
	int (*on_gone)(void *arg);
	int beat_ms; /* call on_beat this often, whatever the peer sends;
	                0 never */
	int (*on_beat)(void *arg); /* -1: the reader is gone, as above */
	atomic_bool *cancel;       /* set from outside: stop (see net_wake) */
	/* Out: non-NULL while the call runs, for net_wake; written and to be
	 * read with __atomic builtins. */
	struct net_wait **wait;
};

#define NET_ENOUGH 1
#define NET_STOP (-1)

enum net_end {
	NET_OK,        /* an answer with any status */
	NET_CONNECT,   /* no connection, TLS refused, name unknown */
	NET_TIMEOUT,   /* connect, first byte, idle or total: see text */
	NET_BROKEN,    /* cut before its end */
	NET_TOO_LARGE, /* body or headers beyond their limits */
	NET_STOPPED,   /* on_body said so */
	NET_GONE,      /* the reader left */
	NET_CANCELLED,
};

/* A limit of the provider's: how much it is, what is left, when it is full
 * again: in so long (x-ratelimit-*: "6m0s") or at a moment
 * (anthropic-ratelimit-*: RFC 3339). */
enum net_rates { NET_REQUESTS, NET_TOKENS, NET_INPUT, NET_OUTPUT, NET_RATES };
struct net_rate {
	char limit[16], left[16], reset[40];
};

/* Header values are printable and cut to their places; "" when absent. */
struct net_reply {
	enum net_end end;
	bool sent;  /* a connection stood and the request went out */
	int status; /* 0 before one came */
	char content_type[96];
	char retry_after[64];    /* header as sent */
	char retry_after_ms[32]; /* OpenAI's header */
	char should_retry[8];    /* x-should-retry */
	char date[40];
	/* What the provider says of its limits. */
	struct net_rate rate[NET_RATES];
	char upstream_id[96]; /* x-request-id or request-id */
	char etag[128], cache_control[128];
	bool encoded; /* the body has a content-encoding nobody asked for */
	int64_t first_byte_ns; /* of the body, after the start; 0 none */
	size_t bytes;          /* of the body */
};

/*
 * Make the call.  0 when the end is NET_OK; else -1 with e (ERR_UPSTREAM,
 * ERR_TIMEOUT, ERR_GONE, ERR_CANCELLED; kinds upstream-unreachable,
 * upstream-timeout, upstream-broken, upstream-too-large) and *reply filled as
 * far as known.  e says nothing of headers and body.  Any thread.
 */
int net_call(
    struct net *, const struct net_call *, struct net_reply *, struct err *e);

/*
 * From another thread: make a running call look at its cancel flag.  A wait
 * lives as long as its struct net, so that a pointer read a moment too late
 * costs some other call a look at its own flag and nothing else.
 */
void net_wake(struct net_wait *);

/* Is the peer of the socket gone?  Never blocks; reads nothing.  Returns 1
 * gone, 0 there, -1 it sent bytes (stop asking). */
int net_peer_gone(int fd);

#endif
