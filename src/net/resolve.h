/*
 * Names to addresses, outside the threads that want them: getaddrinfo(3) has
 * no deadline, so a few threads of our own wait for it, and a caller waits
 * for them as long as it likes.  Answers are remembered, failures briefly.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <netinet/in.h>
#include <stdbool.h>

#define RESOLVE_ADDRS 8
#define RESOLVE_NAME 256

struct resolved {
	int n;
	char addr[RESOLVE_ADDRS][INET6_ADDRSTRLEN]; /* numeric, no scope */
};

struct resolver;

struct resolve_opts {
	unsigned threads; /* at most; started when there is work */
	int ttl_ms, negative_ms;
	/* 0 or -1; NULL: getaddrinfo.  For tests. */
	int (*lookup)(const char *host, struct resolved *out);
};

struct resolver *resolve_new(const struct resolve_opts *);
/* Nobody may be waiting.  A thread that hangs in getaddrinfo is left to free
 * the rest when it comes back. */
void resolve_free(struct resolver *);

enum resolve_state { RESOLVE_DONE, RESOLVE_WAIT, RESOLVE_FAILED };

/*
 * A caller that waits; its memory belongs to the caller.  ready() is called
 * once from another thread, with the resolver locked: it must not block, nor
 * call the resolver.
 */
struct resolve_ask {
	void (*ready)(void *arg);
	void *arg;
	/* The resolver's: */
	struct resolve_name *name;
	struct resolve_ask *next;
	enum resolve_state state;
	struct resolved got;
};

/*
 * The addresses of ${host} into *out; RESOLVE_WAIT: not known yet, ready()
 * will be called and resolve_take() then tells, until resolve_stop() ends the
 * asking (after RESOLVE_WAIT only).  A numeric ${host} is its own answer.
 */
enum resolve_state resolve_start(struct resolver *, const char *host,
    struct resolve_ask *, struct resolved *out);
enum resolve_state resolve_take(
    struct resolver *, struct resolve_ask *, struct resolved *out);
void resolve_stop(struct resolver *, struct resolve_ask *);

/* Is ${host} an address, with or without brackets? */
bool resolve_literal(const char *host, struct resolved *out);

#endif
