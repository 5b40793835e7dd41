/*
 * What a browser and its authenticator say (WebAuthn level 3, sections 7.1 and
 * 7.2), checked: no state and no database.  Any thread.
 */
#ifndef AUTH_WEBAUTHN_H
#define AUTH_WEBAUTHN_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define WEBAUTHN_CHALLENGE 32
#define WEBAUTHN_ID_MAX 1023
#define WEBAUTHN_KEY_MAX 259 /* of RS256: modulus and exponent */

/* Algorithms, by their numbers in COSE. */
#define WEBAUTHN_ES256 (-7)
#define WEBAUTHN_EDDSA (-8)
#define WEBAUTHN_RS256 (-257)

/* What was asked for, and where. */
struct webauthn_asked {
	unsigned char challenge[WEBAUTHN_CHALLENGE];
	const char *origin; /* "https://chat.example.com" */
	const char *rp_id;  /* "chat.example.com" */
};

struct webauthn_bytes {
	const unsigned char *p;
	size_t n;
};

/* A credential's public part; the key as libfido2 has it. */
struct webauthn_key {
	int algorithm;
	uint32_t counter;
	size_t id_len, key_len;
	unsigned char id[WEBAUTHN_ID_MAX];
	unsigned char key[WEBAUTHN_KEY_MAX];
};

/*
 * The name that passkeys of ${origin} belong to, in ${out}.  0; -1 with
 * ERR_DENIED where there are none: on an IP address, and on plain http
 * anywhere but on localhost.
 */
#define WEBAUTHN_RP_TEXT 254
int webauthn_rp_id(
    const char *origin, char out[WEBAUTHN_RP_TEXT], struct err *e);

/*
 * Is ${text} the client data of ${type} ("webauthn.create", "webauthn.get")
 * that was asked for?  ERR_INVALID: what is wrong with it.
 */
int webauthn_client(const struct webauthn_asked *, const char *type,
    struct webauthn_bytes text, struct err *e);
/* A new credential: 0 with *out.  The person was there and has been verified;
 * its attestation is nobody's business.  ERR_INVALID: what is wrong. */
int webauthn_made(const struct webauthn_asked *, struct webauthn_bytes client,
    struct webauthn_bytes authdata, struct webauthn_key *out, struct err *e);
/*
 * Has ${key} signed what was asked for, by a person who was there and has been
 * verified?  0 with its next counter; ERR_INVALID: what is wrong.  A counter
 * that has not grown (other than from 0 to 0) is.
 */
int webauthn_signed(const struct webauthn_asked *, const struct webauthn_key *,
    struct webauthn_bytes client, struct webauthn_bytes authdata,
    struct webauthn_bytes signature, uint32_t *counter, struct err *e);

#endif
