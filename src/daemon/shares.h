/*
 * The listener's thread that tells other hosts how credentials are and hears of
 * them (gateway/share.h).
 */
#ifndef DAEMON_SHARES_H
#define DAEMON_SHARES_H

struct parts;
struct shares;

/* NULL: no thread. */
struct shares *shares_new(struct parts *);
void shares_free(struct shares *);
/* The name by which this host is known to others. */
#define SHARES_HOST 256
void shares_host(char out[SHARES_HOST]);

#endif
