/*
 * Secrets at rest: a value is sealed with the data key of its account, which is
 * sealed by the master key (keyring.h).  A sealed value opens only in the place
 * it was sealed for: account, row, purpose and version of the row.
 */
#ifndef SECRET_SECRET_H
#define SECRET_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;
struct vault;

/* An opened secret: bytes in locked memory, wiped when it is freed.  There is
 * no function that prints one; open it where it is used and free it there. */
struct secret;
const unsigned char *secret_bytes(const struct secret *);
size_t secret_len(const struct secret *);
void secret_free(struct secret *);

/* Where a sealed value belongs. */
struct secret_place {
	struct uuid account; /* nil: the platform */
	struct uuid row;     /* the row's id */
	const char *purpose; /* "totp", "sso-client-secret", ... */
	int64_t version; /* raised with each new value: an old one, put back,
	                    does not open */
};

/*
 * Opens nothing yet.  The pool's role is sb_admin or sb_job, or, where nothing
 * is sealed, sb_chat.  Any thread may use a vault.
 */
struct vault *vault_new(struct db_pool *, const char *master_key_file);
void vault_free(struct vault *);

#define SECRET_MAX ((size_t)64 * 1024)
/* What a sealed value is longer by. */
#define SECRET_MORE (4 + 1 + 16 + 12 + 16)
/*
 * Seal ${n} bytes for ${place}: *${sealed} below ctx, n + SECRET_MORE bytes.
 * The account's data key is made when there is none.  0, or -1: ERR_INVALID
 * (too long), ERR_UNAVAILABLE (no database), ERR_INTERNAL (no master key fits).
 */
int secret_seal(struct vault *, const struct secret_place *place,
    const void *plain, size_t n, int64_t deadline, const void *ctx,
    unsigned char **sealed, struct err *e);
/*
 * Open what was sealed for ${place}; the caller frees *${ret}.  No query when
 * the data key is cached.  0, or -1: ERR_INVALID (not sealed for this place, or
 * changed since), ERR_UNAVAILABLE, ERR_INTERNAL.
 */
int secret_open(struct vault *, const struct secret_place *place,
    const unsigned char *sealed, size_t len, int64_t deadline,
    struct secret **ret, struct err *e);

/*
 * Does every data key open?  With ${make} the platform's is made when there is
 * none, so that a wrong master key shows from the second start on.  *${n}: how
 * many there are.  ERR_DENIED: one does not; the text says which, and what is
 * needed.  The role is sb_admin.
 */
int vault_check(
    struct vault *, bool make, int64_t deadline, int64_t *n, struct err *e);

#endif
