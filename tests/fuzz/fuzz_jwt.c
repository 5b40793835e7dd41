/* Tokens, as they come ("r") and rightly signed over any header and claims
 * ("s", a line each): only a signed one is ever taken, and then its claims are
 * what they must be. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define NOW 1800000000

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char key[JWT_KEY] = "a key of no one but this fuzzer";

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_setup();
	return crypto_setup(NULL);
}

static bool
find(void *arg, const char *kid, unsigned char out[JWT_KEY])
{
	(void)arg;
	memcpy(out, key, JWT_KEY);
	return strcmp(kid, "k1") == 0;
}

static char *
part(const void *ctx, const char *p, size_t n)
{
	char *out = mem_zalloc(ctx, n * 2 + 4, "part");

	str_b64url(p, n, out);
	return out;
}

static char *
signed_over(const void *ctx, const char *p, size_t n)
{
	const char *line = memchr(p, '\n', n);
	size_t head = line != NULL ? (size_t)(line - p) : n;
	size_t body = line != NULL ? n - head - 1 : 0;
	char *in = mem_printf(
	    ctx, "%s.%s", part(ctx, p, head), part(ctx, p + n - body, body));
	unsigned char mac[32];

	crypto_hmac_sha256(key, sizeof(key), in, strlen(in), mac);
	return mem_printf(
	    ctx, "%s.%s", in, part(ctx, (const char *)mac, sizeof(mac)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jwt_policy p = { .typ = "at+jwt",
		.iss = "us",
		.aud = "them",
		.now = NOW,
		.key = find };
	void *ctx = mem_root("fuzz");
	json_t *claims = NULL;
	/* signed with the key: a token of ours, or of a stranger's library */
	bool foreign = size > 0 && data[0] == 'f';
	bool ours = foreign || (size > 0 && data[0] == 's');
	char kid[JWT_KID_MAX + 1], *token;

	if (size == 0) {
		mem_free(ctx);
		return 0;
	}
	token = ours ? signed_over(ctx, (const char *)data + 1, size - 1)
	             : mem_strndup(ctx, (const char *)data + 1, size - 1);
	p.foreign = foreign;
	if (foreign)
		p.typ = p.iss = NULL;
	if (jwt_head(&p, token, kid, NULL) == 0 && strlen(kid) > JWT_KID_MAX)
		abort();
	if (jwt_verify(&p, token, &claims, NULL) == 0) {
		const json_t *exp = json_object_get(claims, "exp");

		if (!ours || !json_is_number(exp) ||
		    json_number_value(exp) <= NOW - JWT_LEEWAY ||
		    (!foreign && (!jwt_typ(token, "at+jwt") ||
				     strcmp(json_string_value(
						json_object_get(claims, "iss")),
					 "us") != 0)))
			abort();
		json_decref(claims);
	}
	mem_free(ctx);
	return 0;
}
