/* Passkeys, as the API and the pages use them: auth/passkey.h for the address
 * that the browser is at, with the cookie that holds its challenge. */
#ifndef API_PASSKEYS_H
#define API_PASSKEYS_H

#include <jansson.h>

#include "auth/webauthn.h"
#include "util/err.h"

struct app;
struct caller;
struct http_req;
struct http_resp;
struct token;

/* May there be passkeys at this address?  0 with origin and rp_id in *out, the
 * request's memory; ERR_DENIED: what is in the way. */
int passkeys_place(struct app *, const struct http_req *,
    struct webauthn_asked *out, struct err *e);
/* Add what was made, with the cookie's challenge, which goes: a new reference
 * that shows it. */
int passkeys_add(struct app *, struct http_req *, struct http_resp *,
    const struct caller *who, const char *name, const json_t *response,
    json_t **ret, struct err *e);
/* Who it is, by the cookie's challenge, which goes.  ${first} as for
 * passkey_prove(). */
int passkeys_prove(struct app *, struct http_req *, struct http_resp *,
    const struct token *first, const json_t *response, struct token *t,
    struct err *e);

#endif
