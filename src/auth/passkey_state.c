/* Bytes of fixed length as base64url; a dot; a token (auth/form_token.h) that
 * is bound to their hash.  As auth/challenge.c. */
#include "auth/passkey_state.h"

#include <string.h>

#include "auth/form_token.h"
#include "crypto/hash.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define BOUND 'p' /* apart from what forms and codes are bound to */
#define SECOND_US INT64_C(1000000)

struct packed {
	int64_t until;
	int64_t kind;
	struct uuid user;
	unsigned char challenge[WEBAUTHN_CHALLENGE];
};

#define ENCODED ((sizeof(struct packed) * 4 + 2) / 3)

static void
bind_to(const char *encoded, size_t n, unsigned char out[33])
{
	out[0] = BOUND;
	crypto_sha256(encoded, n, out + 1);
}

char *
passkey_state_make(const void *ctx, enum passkey_kind kind,
    const struct uuid *user, unsigned char challenge[WEBAUTHN_CHALLENGE])
{
	struct packed p = { .until =
				clock_wall_us() / SECOND_US + PASSKEY_SECONDS,
		.kind = kind };
	char encoded[ENCODED + 1], mac[FORM_TOKEN_TEXT];
	unsigned char bound[33];

	if (user != NULL)
		p.user = *user;
	id_random(p.challenge, sizeof(p.challenge));
	memcpy(challenge, p.challenge, WEBAUTHN_CHALLENGE);
	str_b64url(&p, sizeof(p), encoded);
	bind_to(encoded, strlen(encoded), bound);
	form_token_make(bound, sizeof(bound), mac);
	return mem_printf(ctx, "%s.%s", encoded, mac);
}

int
passkey_state_read(const char *text, enum passkey_kind kind,
    const struct uuid *user, unsigned char challenge[WEBAUTHN_CHALLENGE])
{
	const char *dot = text != NULL ? strchr(text, '.') : NULL;
	const struct uuid nobody = { 0 };
	unsigned char bound[33];
	struct packed p;

	if (dot == NULL || (size_t)(dot - text) != ENCODED)
		return -1;
	bind_to(text, ENCODED, bound);
	if (!form_token_check(dot + 1, bound, sizeof(bound)) ||
	    str_b64url_decode(text, ENCODED, &p, sizeof(p)) != sizeof(p) ||
	    p.until < clock_wall_us() / SECOND_US || p.kind != (int64_t)kind ||
	    !id_eq(&p.user, user != NULL ? user : &nobody))
		return -1;
	memcpy(challenge, p.challenge, WEBAUTHN_CHALLENGE);
	return 0;
}
