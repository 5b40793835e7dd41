/* SHA-256, HMAC, HKDF, password hashes: OpenSSL and libsodium are included in
 * this folder only. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

/* Initialise the libraries; once a process, before threads. */
int crypto_setup(struct err *e);
void crypto_sha256(const void *p, size_t n, unsigned char out[32]);
/* The same piece by piece: begun, added to, and ended by ${out}. */
struct hash_run;
struct hash_run *crypto_sha256_begin(void);
void crypto_sha256_add(struct hash_run *, const void *p, size_t n);
void crypto_sha256_end(struct hash_run *, unsigned char out[32]);
void crypto_hmac_sha256(const unsigned char *key, size_t key_len, const void *p,
    size_t n, unsigned char out[32]);
/* One derived key per purpose (RFC 5869, SHA-256). */
void crypto_derive(const unsigned char *master, size_t len, const char *purpose,
    unsigned char out[32]);
/* Argon2id, 19 MiB, t=2: "$argon2id$..." talloc'd below ctx. */
int crypto_password_hash(
    const void *ctx, const char *password, char **ret, struct err *e);
bool crypto_password_ok(const char *hash, const char *password);
/* Is ${hash} one of crypto_password_hash, of whatever parameters?  Is it one
 * of other parameters than today's, or none at all? */
bool crypto_password_known(const char *hash);
bool crypto_password_stale(const char *hash);
/* Overwrite and forget. */
void crypto_wipe(void *p, size_t n);

#endif
