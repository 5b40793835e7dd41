/*
 * Failed sign-ins are slowed down: by person and address, five are free, then
 * each must wait 1, 2, 4 ... 60 seconds after the one before; and an address
 * may fail a hundred times in an hour, whomever it tries.
 *
 * What is throttled is the pair, so that nobody shuts out somebody who signs in
 * from elsewhere; and only signing in asks here, so that a session that lives
 * goes on.  The caller refuses a throttled attempt, whatever its password, with
 * the words of a wrong password, and does not hash it.
 *
 * The state lies in shared memory and begins anew with the server.  Each entry
 * is one 64-bit word, changed by one compare-and-swap: a process may die at any
 * instruction and leaves nothing half done.  The tables are of fixed size;
 * where a set is full, what failed longest ago makes way.
 */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_FREE 5       /* failures of a pair without a delay */
#define THROTTLE_DELAY_MAX 60 /* seconds */
#define THROTTLE_FORGET 3600  /* s after which a pair's failures are over */
#define THROTTLE_ADDRESS 100  /* failures of an address in any hour */

/* In the master, before the fork. */
void throttle_map(void);

/*
 * May ${email} try from ${address} at ${now} (clock_mono())?  0, or -1 with the
 * seconds to wait in *retry_after_s.  ${address} is what counts as one client
 * (http/address.h, address_client()); case and spelling of ${email} make no
 * difference.  A refused attempt is no failure.  Any thread and process.
 */
int throttle_check(
    const char *email, const char *address, int64_t now, int *retry_after_s);

/*
 * The password, the code or the person was wrong.  How many failures make a
 * burst, when this is the one that did: THROTTLE_FREE of the pair,
 * THROTTLE_ADDRESS of the address; else 0.
 */
int throttle_failed(const char *email, const char *address, int64_t now);

/*
 * It was right: the pair's failures are forgotten.  -1: others have failed in
 * the meantime, beside this attempt, so that it is to be refused like the
 * checked ones: trying many at once wins nothing.
 */
int throttle_succeeded(const char *email, const char *address, int64_t now);

/* How often ${name}, of something that lives for minutes, has been tried, this
 * time among them (THROTTLE_FORGET after the last one: anew).  Tries are
 * no failures of any address. */
unsigned throttle_tries(const char *name, int64_t now);

#endif
