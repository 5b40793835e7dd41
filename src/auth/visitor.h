/*
 * Visitors whom their account's own server names.  It signs a short-lived token
 * (a JWT, HS256) with a secret that we made for it: sub is what it calls her,
 * aud the account's slug, exp within the hour; name and email may be there.
 * The secret's text is the key as it stands; it lies sealed in its row.
 */
#ifndef AUTH_VISITOR_H
#define AUTH_VISITOR_H

#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;
struct vault;

#define VISITOR_SECRET_TEXT 56
#define VISITOR_SECRET_PREFIX 16

/* A new secret: "sb_vis_" and base64url of 32 random bytes, and what is shown
 * of it later. */
void visitor_secret_make(
    char text[VISITOR_SECRET_TEXT], char prefix[VISITOR_SECRET_PREFIX]);
/* Seal ${text} for the row ${id}: *${sealed} below ctx, *${n} bytes. */
int visitor_secret_seal(struct vault *, const struct uuid *account,
    const struct uuid *id, const char *text, int64_t deadline, const void *ctx,
    unsigned char **sealed, size_t *n, struct err *e);

struct visitor {
	struct uuid id;     /* follows from the account and her name there */
	struct uuid secret; /* by which she was named */
};

/*
 * Who is named by ${token} in ${account}, whose slug is ${slug}; she is written
 * down as seen.  ERR_UNKNOWN for whatever is wrong with the token, with one
 * text unless the account's secret has signed it; ERR_UNAVAILABLE.  A token
 * without the form of one costs no query.  Any thread.
 */
int visitor_named(struct db_pool *, struct vault *, const struct uuid *account,
    const char *slug, const char *token, int64_t deadline, struct visitor *out,
    struct err *e);

#endif
