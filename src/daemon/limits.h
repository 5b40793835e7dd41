/* What the machine allows: descriptors, processes, mappings. */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

struct conf;

/* Raise the soft limit of descriptors as far as it goes; no core dumps, and
 * nobody but root reads our memory. */
void limits_setup(void);
/* After the identity changed: the kernel allows dumps again. */
void limits_seal(void);

/*
 * How many of ${threads} request threads each of ${workers} processes can
 * have.  When that is fewer, *why names the limit that says so (static text).
 */
unsigned limits_threads(unsigned threads, unsigned workers, const char **why);

#endif
