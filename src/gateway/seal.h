/*
 * Keys for model providers at rest: sealed for the account (nil: the platform),
 * the row and the moment they were set at, so that none opens in the place of
 * another.
 */
#ifndef GATEWAY_SEAL_H
#define GATEWAY_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct secret;
struct vault;

#define SEAL_HINT 5     /* room for a hint: four characters */
#define SEAL_VERSION 24 /* room for a version as text */
#define CREDENTIAL_KEY_MAX 1000

struct sealed_key {
	unsigned char *bytes; /* below the ctx given */
	size_t len;
	char version[SEAL_VERSION];
	char hint[SEAL_HINT]; /* what may be shown: its end; "" of a short one
	                       */
};

/* Seal ${key}; 0, or -1 as secret_seal(). */
int seal_key(struct vault *, const struct uuid *account, const struct uuid *id,
    const char *key, int64_t deadline, const void *ctx, struct sealed_key *out,
    struct err *e);
/* Open what the database holds as ${hex}; the caller frees *${ret}, whose bytes
 * end in a NUL.  0, or -1 as secret_open(). */
int seal_open(struct vault *, const struct uuid *account, const struct uuid *id,
    const char *hex, size_t len, int64_t version, int64_t deadline,
    struct secret **ret, struct err *e);

#endif
