/* The Unix sockets that the web server talks to, bound by the master. */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include "util/err.h"

struct conf;

enum { SOCKET_CHAT, SOCKET_ADMIN, SOCKET_HEALTH, SOCKET_COUNT };

/* The file of a socket below run_dir: "chat.sock". */
extern const char *const socket_names[SOCKET_COUNT];

struct sockets {
	int fd[SOCKET_COUNT];
	/* Connections that one process hands to the others of its kind:
	 * received from [0], sent to [1] (conns.h). */
	int hand[SOCKET_COUNT][2];
	int lock; /* held by the one master of this run_dir */
};

/* Are the paths short enough, do user and group exist?  No side effects. */
int sockets_check(const struct conf *, struct err *e);

/*
 * Make run_dir (0750) and state_dir (0700), become its one master (ERR_CONFLICT
 * when there is another), bind and listen.  What a killed master left is
 * replaced: a socket is bound beside its path and moved over it, so that the
 * path never lacks one. As root with a user set, directory and sockets go to
 * that user.
 */
int sockets_open(const struct conf *, struct sockets *, struct err *e);
/* Nobody can connect any more; what is connected goes on. */
void sockets_unlink(const struct conf *);
/* In a process that serves only ${keep} (-1: none): close the others. */
void sockets_close(struct sockets *, int keep);

/* As root with a user set: give it the file, so that it can go on with it
 * ("" and "-" are no files). */
int sockets_give(const struct conf *, const char *file, struct err *e);
/* As root with a user set: become it, for good. */
int sockets_become_user(const struct conf *, struct err *e);

#endif
