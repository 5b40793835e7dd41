/*
 * Handing a finished message to a mail server, by libcurl.  TLS is required and
 * its certificate checked (smtps:// from the start, smtp:// by STARTTLS), but
 * for a server on this host's loopback.  No proxies.
 */
#ifndef NET_SMTP_H
#define NET_SMTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct smtp_call {
	const char *url;       /* "smtp://host:587", "smtps://host" */
	const char *user;      /* NULL or "": no AUTH */
	const char *password;  /* with user */
	const char *from, *to; /* bare addresses, checked by the caller */
	const char *message;   /* RFC 5322, CRLF; dots are libcurl's business */
	size_t len;
	int64_t deadline;  /* absolute, monotonic; 0: a minute from now */
	atomic_bool *stop; /* set from outside: give up; NULL: never */
	/* For tests: */
	const char *via;     /* "host:port:connect-host:connect-port" */
	const char *ca_file; /* NULL: the system's */
};

enum smtp_end {
	SMTP_SENT,  /* the server has it */
	SMTP_LATER, /* away, busy, 4xx, or not to be trusted: try again */
	SMTP_NEVER, /* 5xx: this message will not be taken */
};

/*
 * Send it; waits at most until the deadline.  *e says why not, with the
 * server's last line.  A server that breaks off after it had the message gives
 * SMTP_LATER: a message may arrive twice.  Any thread, after
 * smtp_setup().
 */
enum smtp_end smtp_send(const struct smtp_call *, struct err *e);

/*
 * Everything up to a message: connection, greeting, TLS and login as for one,
 * from ${url}, user and password.  0, or -1 with what is wrong, in the server's
 * words where it has said any.  Any thread, after smtp_setup().
 */
int smtp_look(const struct smtp_call *, struct err *e);

/* Before threads: initialises libcurl.  0 or -1. */
int smtp_setup(struct err *e);

/* Is ${url} one of the above?  0, or -1 with what is wrong. */
int smtp_check_url(const char *url, struct err *e);

#endif
