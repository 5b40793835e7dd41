/* A keyed hash for tables whose keys strangers choose. */
#ifndef UTIL_HASH_H
#define UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 (Aumasson, Bernstein 2012); who does not know ${key}, random
 * bytes of id_random(), cannot aim at a place. */
uint64_t hash_keyed(const uint64_t key[2], const void *p, size_t n);

#endif
