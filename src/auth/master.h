/* The master key's file: what every key of ours derives from, one a purpose. */
#ifndef AUTH_MASTER_H
#define AUTH_MASTER_H

#include "util/err.h"

/*
 * Read ${file} and derive the key of ${purpose} (crypto_derive).  0, or -1: the
 * file is missing, others can read it, it is no hexadecimal, or it has fewer
 * than 32 bytes.
 */
int master_derive(const char *file, const char *purpose, unsigned char out[32],
    struct err *e);

#endif
