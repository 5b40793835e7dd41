/* A sign-in on its way, as a cookie (flow.h). */
#ifndef SSO_TICKET_H
#define SSO_TICKET_H

#include <stdint.h>

#include "util/id.h"

#define TICKET_KEY 32
#define TICKET_PART 44 /* base64url of 32 bytes */

struct ticket {
	struct uuid account;
	int64_t until;              /* seconds since 1970 */
	char provider[TICKET_PART]; /* hash of issuer and client */
	const char *then;
	unsigned char
	    hash[32]; /* of the whole: to write down that it was used */
	char state[TICKET_PART], nonce[TICKET_PART], verifier[TICKET_PART];
	char challenge[TICKET_PART];
};

/* The hash of a provider as it is set up. */
void ticket_provider(
    const char *issuer, const char *client_id, char out[TICKET_PART]);
/* A new one's cookie, below ctx; fills in *t, whose account, until, provider
 * and then are given. */
char *ticket_make(
    const void *ctx, const unsigned char key[TICKET_KEY], struct ticket *t);
/* What ${cookie} says, below ctx; 0, or -1: it is none of ours, or too old. */
int ticket_read(const void *ctx, const unsigned char key[TICKET_KEY],
    const char *cookie, int64_t now, struct ticket *out);

/* ${n} texts (NULL: none) as a cookie that is good until then, below ctx; and
 * back: 0, or -1. */
char *ticket_pack(const void *ctx, const unsigned char key[TICKET_KEY],
    int64_t until, const char *const *texts, int n);
int ticket_unpack(const void *ctx, const unsigned char key[TICKET_KEY],
    const char *cookie, int64_t now, const char **texts, int n);

#endif
