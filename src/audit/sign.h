/*
 * Signed words about a chain.  A checkpoint says what the chain's hash was at a
 * place; the seal of an export says from where to where it reaches.  Signing
 * wants the vault, checking only the public key.
 */
#ifndef AUDIT_SIGN_H
#define AUDIT_SIGN_H

#include "audit/chain.h"
#include "crypto/sign.h"
#include "db/db.h"
#include "util/err.h"

struct vault;

/* The installation's signing key. */
struct audit_key {
	struct uuid id;
	unsigned char public_key[SIGN_PUBLIC];
};

struct audit_checkpoint {
	int64_t seq, at_us;
	unsigned char hash[CHAIN_HASH];
	struct uuid key;
	unsigned char signature[SIGN_SIZE];
};

/* From the entry ${first}, which follows ${start}, to ${last} with ${hash};
 * first 0 and last 0: nothing. */
struct audit_seal {
	int64_t first, last, at_us;
	unsigned char start[CHAIN_HASH], hash[CHAIN_HASH];
	struct uuid key;
	unsigned char signature[SIGN_SIZE];
};

/* The newest key, made when there is none.  The role is sb_admin. */
int audit_key_get(
    struct db_pool *, struct vault *, struct audit_key *, struct err *e);
/* Store a checkpoint where the chain of ${account} ends now, if there is none
 * yet.  The role is sb_admin or sb_job. */
int audit_checkpoint_make(struct db_pool *, struct vault *,
    const struct uuid *account, struct err *e);
/* The same for the chains of all accounts that have grown since their last
 * checkpoint, a hundred at the most.  *${n}: how many.  The role is sb_job. */
int audit_checkpoints_due(
    struct db_pool *, struct vault *, int64_t *n, struct err *e);
/* Sign: all but key and signature is set. */
int audit_seal_make(struct db_pool *, struct vault *,
    const struct uuid *account, struct audit_seal *, struct err *e);

bool audit_checkpoint_ok(const struct audit_key *, const struct uuid *account,
    const struct audit_checkpoint *);
bool audit_seal_ok(const struct audit_key *, const struct uuid *account,
    const struct audit_seal *);

/* The stored checkpoints of a chain from ${first} to ${last}, oldest first, and
 * the public keys of all times; below ctx. */
int audit_checkpoints(struct db_pool *, const struct uuid *account,
    int64_t first, int64_t last, const void *ctx, struct audit_checkpoint **ret,
    int *n, struct err *e);
int audit_keys(struct db_pool *, const void *ctx, struct audit_key **ret,
    int *n, struct err *e);

#endif
