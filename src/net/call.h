/*
 * Calls to the outside, one at a time, with every limit there is: the one
 * place that waits for bytes, the caller's hang-up, heartbeats and the
 * deadline together.  libcurl's multi handles with warm connections are pooled
 * per process by origin.  TLS is verified, redirects are not followed, proxies
 * are off, names are resolved by net/resolve.
 */
#ifndef NET_CALL_H
#define NET_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct net;

/* Before threads start (curl_global_init). */
struct net *net_new(unsigned warm_connections);
void net_free(struct net *);

struct net_wait;

struct net_call {
	const char *method; /* "POST" */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated */
	const char *body;
	size_t body_len;
	int connect_ms, first_byte_ms, idle_ms;
	int64_t deadline; /* absolute, monotonic */
	size_t response_max;

	/* Called with each piece of a body; non-zero stops the call. */
	int (*on_body)(void *arg, const char *p, size_t n);
	/* Called once, when the status and headers are known. */
	void (*on_head)(void *arg, int status);
	void *arg;

	/* While waiting: */
	int gone_fd;	   /* readable at EOF when the reader has left; -1 none */
	bool ignore_gone;  /* run to the end though the reader left */
	int beat_ms;	   /* call on_beat this often while silent; 0 never */
	int (*on_beat)(void *arg); /* -1: the reader is gone */
	atomic_bool *cancel; /* set from outside: stop (see net_wake) */
	struct net_wait **wait; /* out, while the call runs: for net_wake */
};

enum net_end {
	NET_OK,		/* an answer with any status */
	NET_CONNECT,	/* no connection, TLS refused, name unknown */
	NET_TIMEOUT,	/* connect, first byte, idle or total: see text */
	NET_BROKEN,	/* cut before its end */
	NET_TOO_LARGE,
	NET_STOPPED,	/* on_body said so */
	NET_GONE,	/* the reader left */
	NET_CANCELLED,
};

struct net_reply {
	enum net_end end;
	int status; /* 0 before one came */
	char content_type[96];
	char retry_after[64];	 /* header as sent, "" when absent */
	char retry_after_ms[32]; /* OpenAI's header */
	char upstream_id[96];	 /* x-request-id or request-id */
	int64_t first_byte_ns;	 /* after the start; 0 none */
	size_t bytes;
};

/* Make the call.  0 when the end is NET_OK; else -1 with e (ERR_UPSTREAM,
 * ERR_TIMEOUT, ERR_GONE, ERR_CANCELLED) and *reply filled as far as known. */
int net_call(struct net *, const struct net_call *, struct net_reply *,
    struct err *e);

/* From another thread: make a running call look at its cancel flag. */
void net_wake(struct net_wait *);

/* Is the peer of the socket gone?  Never blocks; reads nothing.  Returns 1
 * gone, 0 there, -1 it sent bytes (stop asking). */
int net_peer_gone(int fd);

#endif
