/* What call.c, pool.c and their tests share. */
#ifndef NET_NET_PRIV_H
#define NET_NET_PRIV_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdint.h>

#include "net/resolve.h"

#define ORIGIN_SIZE 320

struct net;

/* One handle with at most one connection, for one origin. */
struct line {
	CURLM *multi;
	CURL *easy;
	char origin[ORIGIN_SIZE]; /* scheme://host:port */
	int64_t idle_since;
};

/*
 * What net_wake() finds.  The lock is held while the multi handle is woken and
 * while it is taken away, so that a wake never meets a freed one; the struct
 * itself is used again and again until net_free().
 */
struct net_wait {
	pthread_mutex_t lock;
	CURLM *multi;
	struct net_wait *next;
};

struct net_opts {
	unsigned warm;
	struct resolve_opts resolve;
	const char *ca_file; /* NULL: the system's */
};

struct net *net_new_opts(const struct net_opts *);
struct resolver *net_resolver(struct net *);
/* Idle lines kept now. */
unsigned net_warm(struct net *);

/* The warmest idle line of ${origin}, or a new one; NULL: no memory. */
struct line *line_take(struct net *, const char *origin);
/* Back to the pool; ${keep} false: its connection is of no use, close it. */
void line_give(struct net *, struct line *, bool keep);

struct net_wait *wait_take(struct net *, CURLM *multi);
void wait_give(struct net *, struct net_wait *);

#endif
