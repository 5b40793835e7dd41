/*
 * Identity providers as a worker knows them: what each says of itself and its
 * keys, fetched when needed and kept for a while.  Kept by account and issuer:
 * what one account makes a provider say is never another account's.
 *
 * A token signed by a key that is not known has the keys fetched anew, at most
 * every half minute, all workers of the machine together.
 */
#ifndef SSO_PROVIDER_H
#define SSO_PROVIDER_H

#include <jansson.h>
#include <stdint.h>

#include "crypto/jwk.h"
#include "sso/discovery.h"
#include "sso/fetch.h"
#include "util/err.h"
#include "util/id.h"

#define PROVIDER_REFETCH_S 30

struct providers;
struct provider;

/* Keeps at most ${n}; ${f} must live on. */
struct providers *providers_new(const struct fetcher *f, unsigned n);
void providers_free(struct providers *);

/*
 * The provider of ${issuer} for ${account}, with its document fetched, to be
 * given back.  0, or -1: ERR_UPSTREAM, ERR_TIMEOUT, ERR_INVALID,
 * ERR_UNAVAILABLE (too many wait for it).  Any thread.
 */
int providers_get(struct providers *, const struct uuid *account,
    const char *issuer, int64_t deadline, struct provider **ret, struct err *e);
void provider_unref(struct providers *, struct provider *);

/* Borrowed while the provider is held. */
const struct discovery *provider_discovery(const struct provider *);
/*
 * Check the signature of a token of its; *claims is a new reference, *alg the
 * algorithm.  0, or -1: ERR_UNKNOWN when it is not good, else as above.
 */
int provider_verify(struct providers *, struct provider *, const char *token,
    const char *typ, int64_t deadline, json_t **claims, enum jws_alg *alg,
    struct err *e);
/* Fetch document and keys now and forget them: *keys is how many are usable.
 * For whoever sets a provider up. */
int provider_probe(const struct fetcher *, const void *ctx, const char *issuer,
    int64_t deadline, struct discovery *out, size_t *keys, struct err *e);

#endif
