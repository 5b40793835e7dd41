/*
 * The life of a process that serves requests (chat and admin workers, the
 * listener's health socket): come up, serve, leave or drain, end.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

struct parts;
struct process;

struct server_opts {
	int fd;           /* the socket */
	const int *hand;  /* pool.h */
	unsigned threads; /* ceiling */
	/* Called when no request runs any more, before the parts are freed;
	 * may be NULL. */
	void (*end)(void *arg);
	void *arg;
};

/* Runs until an order ends it; the exit status.  ${parts} are freed. */
int server_run(
    struct process *, struct parts *parts, const struct server_opts *);

#endif
