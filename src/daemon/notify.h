/*
 * Telling the service manager how the master is: the datagrams of
 * sd_notify(3), written by ourselves, since the protocol is a line of text and
 * a library would come into every worker with it.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/*
 * Take NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment:
 * no child is to speak for the master.  Without them the calls below do
 * nothing.  Once, in the master, before it forks.
 */
void notify_setup(void);
/* Send lines "NAME=value" joined by \n.  Never waits: a manager that does not
 * read is not worth a pause. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Say that the master is alive when that is due.  When to call next; 0: never.
 */
int64_t notify_watchdog(void);

#endif
