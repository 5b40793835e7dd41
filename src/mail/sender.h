/*
 * The thread that hands queued mail to the mail server.  Several of them, of
 * job workers that take turns, share a queue: a message is locked while it is
 * sent.  What the server refuses for good (5xx) is dropped and logged, anything
 * else is tried again, after as long as it has waited already, from retry_ms to
 * ten minutes, until give_up_s.  A server that breaks off after it had a
 * message gets it twice: better than never.
 */
#ifndef MAIL_SENDER_H
#define MAIL_SENDER_H

#include "mail/queue.h"

struct mail_sender;

/* Before other threads; the configuration must live until the end.  NULL with
 * e: no thread. */
struct mail_sender *mail_sender_start(const struct mail_conf *, struct err *e);
/* Ends the thread, after the message in its hands, for which it has two
 * seconds: then that is broken off and will be tried again.  NULL does nothing.
 */
void mail_sender_stop(struct mail_sender *);

#endif
