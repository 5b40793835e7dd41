/*
 * Passes for `switchboard doctor`: whoever can read the master key may ask the
 * server for a paced stream, to see what the web server makes of it.  A pass
 * is a moment and a MAC over it, good for a minute, for anything else useless.
 */
#ifndef AUTH_PROBE_H
#define AUTH_PROBE_H

#include <stdbool.h>

#include "util/err.h"

#define PROBE_TEXT 40

/* Derive the key from the master key file.  Once, before threads. */
int probe_setup(const char *master_key_file, struct err *e);
void probe_make(char out[PROBE_TEXT]);
/* Is ${text} (NULL: no) a pass made within the last minute, or, where clocks
 * differ, the next? */
bool probe_check(const char *text);

#endif
