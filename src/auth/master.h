/* Keys that derive from the master keys (secret/keyring.h), one a purpose. */
#ifndef AUTH_MASTER_H
#define AUTH_MASTER_H

#include "util/err.h"

/*
 * Read ${file} and derive the key of ${purpose} (a label of secret/purpose.h)
 * from the master key in use.  0, or -1: the file is missing, others can read
 * it, it is no hexadecimal, or a key has fewer than 32 bytes.
 */
int master_derive(const char *file, const char *purpose, unsigned char out[32],
    struct err *e);

#define MASTER_MOST 4
/* The same from each master key, the one in use first; how many, or -1.  For
 * what was made before the master key was changed. */
int master_derive_all(const char *file, const char *purpose,
    unsigned char out[MASTER_MOST][32], struct err *e);

#endif
