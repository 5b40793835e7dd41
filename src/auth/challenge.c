/* Bytes of fixed length and the address behind them, as base64url; a dot; a
 * token (auth/form_token.h) that is bound to their hash. */
#include "auth/challenge.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "auth/form_token.h"
#include "crypto/hash.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define BOUND 'f' /* apart from what forms are bound to */
#define SECOND_US INT64_C(1000000)
#define EMAIL_MAX 254
#define RANDOM 8

struct packed {
	struct uuid user;
	uint64_t version;
	int64_t until;
	unsigned char random[RANDOM];
	char email[EMAIL_MAX];
};

#define FIXED offsetof(struct packed, email)
#define ENCODED_MAX ((sizeof(struct packed) * 4 + 2) / 3)

static void
bind_to(const char *encoded, size_t n, unsigned char out[33])
{
	out[0] = BOUND;
	crypto_sha256(encoded, n, out + 1);
}

char *
challenge_make(const void *ctx, const struct token *t, const char *email)
{
	size_t n = strnlen(email, EMAIL_MAX);
	struct packed p = { .user = t->user,
		.version = t->version,
		.until = clock_wall_us() / SECOND_US + CHALLENGE_SECONDS };
	char encoded[ENCODED_MAX + 1], mac[FORM_TOKEN_TEXT];
	unsigned char bound[33];

	id_random(p.random, sizeof(p.random));
	memcpy(p.email, email, n);
	str_b64url(&p, FIXED + n, encoded);
	bind_to(encoded, strlen(encoded), bound);
	form_token_make(bound, sizeof(bound), mac);
	return mem_printf(ctx, "%s.%s", encoded, mac);
}

int
challenge_read(const char *text, struct challenge *out)
{
	const char *dot = strchr(text, '.');
	unsigned char bound[33];
	struct packed p;
	char hex[2 * RANDOM + 1];
	int n;

	if (dot == NULL || (size_t)(dot - text) > ENCODED_MAX)
		return -1;
	bind_to(text, (size_t)(dot - text), bound);
	if (!form_token_check(dot + 1, bound, sizeof(bound)))
		return -1;
	n = str_b64url_decode(text, (size_t)(dot - text), &p, sizeof(p));
	if (n < (int)FIXED || p.until < clock_wall_us() / SECOND_US)
		return -1;
	memset(out, 0, sizeof(*out));
	out->token.user = p.user;
	out->token.version = p.version;
	str_hex(p.random, RANDOM, hex);
	snprintf(out->name, sizeof(out->name), "step %s", hex);
	memcpy(out->email, p.email, (size_t)n - FIXED);
	return 0;
}
