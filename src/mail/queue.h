/*
 * Mail on its way: who wants to write puts a file into a directory and goes on,
 * a thread of the job worker (sender.h) hands it to the mail server.  So an
 * answer takes the same time whether a mail follows from it or not, a mail
 * server that is slow or away holds up no request, and what is queued outlives
 * a restart.  A table would do as well, and would put the links, which are as
 * good as passwords, into the database and its backups.
 *
 * Without a mail server each message is a file for the operator to read.
 */
#ifndef MAIL_QUEUE_H
#define MAIL_QUEUE_H

#include "mail/message.h"
#include "util/err.h"

#define MAIL_QUEUE_MAX 10000 /* messages that may wait */

struct mail_conf {
	const char *url; /* "": no server */
	const char *user, *password_file;
	const char *from;
	int timeout_ms;        /* of one try to hand a message over */
	const char *queue_dir; /* below state_dir */
	const char *sink_dir;  /* below run_dir: what there is no server for */
	int retry_ms;          /* least pause before a second try */
	int give_up_s;         /* after which there is no further one */
	/* For tests: as in net/smtp.h */
	const char *via, *ca_file;
};

/*
 * Can mail be sent like this, as far as one can tell without a connection?  0,
 * or -1 naming the parameter: a URL that is none, a sender without a server's
 * address, a password file that is not there or that others can read.
 */
int mail_check(const struct mail_conf *, struct err *e);

/*
 * Put a message (its from is NULL: that of the configuration) into the queue,
 * or into a file "ID.eml", mode 0600, where there is no server.  It is there
 * whole or not at all.  0 or -1: the message is none, or ERR_UNAVAILABLE when
 * the queue is full or the disk refuses.  Any thread and process.
 */
int mail_put(const struct mail_conf *, const struct mail *, struct err *e);

#endif
