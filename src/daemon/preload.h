/* Agents that will be asked for, read before they are. */
#ifndef DAEMON_PRELOAD_H
#define DAEMON_PRELOAD_H

#include "util/err.h"

struct parts;

/* Put the most used agent instances of the last day, and their accounts, into
 * this process's cache.  0 or -1 (ERR_UNAVAILABLE ...). */
int preload_agents(struct parts *, struct err *e);

#endif
