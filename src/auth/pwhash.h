/*
 * Password hashes for those who serve: Argon2id takes 20 ms of a core and 19
 * MiB, so that a flood of sign-ins would take the whole machine.  All processes
 * of the host share a number of places to compute in and a number of places to
 * wait for one; who finds neither is told at once to come again.
 *
 * Places are robust mutexes in shared memory: the kernel gives back what a
 * process held when it died, at whatever instruction.
 */
#ifndef AUTH_PWHASH_H
#define AUTH_PWHASH_H

#include <stdbool.h>

#include "util/err.h"

#define PWHASH_AT_ONCE_MAX 256
#define PWHASH_WAITING_MAX 4096

/*
 * In the master, before the fork.  ${at_once} 0: one a core, and one in all
 * where there are no more than two.  ${wait_ms}: how long a computation is
 * waited for.  Without a map (a command of the operator) nobody is counted and
 * nobody waits.
 */
void pwhash_map(unsigned at_once, unsigned waiting, int wait_ms);

/* As crypto_password_hash; -1 with ERR_LIMIT (429, Retry-After 1) when there
 * is no place. */
int pwhash_make(
    const void *ctx, const char *password, char **ret, struct err *e);

struct pwhash_answer {
	bool ok;
	bool stale; /* ok, and to be hashed again with today's parameters */
};
/*
 * Is ${password} the one of ${hash}?  A NULL hash, of somebody who does not
 * exist or has no password, or one that is none, takes the same time and is
 * never ok.  0, or -1 as above.
 */
int pwhash_check(const char *hash, const char *password,
    struct pwhash_answer *out, struct err *e);

#endif
