/* Key sets and tokens of others: a set on the first line, a token on the
 * second.  Nobody here has a private key of the fixed set, so no token is ever
 * good by it but the one that it came with. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/jws.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

/* The key of RFC 8037 appendix A.2, and its token (A.4). */
static const char fixed[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
static const char payload[] = "Example of Ed25519 signing";

static struct jwks *own;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_setup();
	if (crypto_setup(NULL) != 0)
		return -1;
	return jwks_parse(fixed, sizeof(fixed) - 1, &own, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	const char *line = memchr(p, '\n', size);
	size_t head = line != NULL ? (size_t)(line - p) : size;
	void *ctx = mem_root("fuzz");
	char *token =
	    mem_strndup(ctx, p + size - (line != NULL ? size - head - 1 : 0),
		line != NULL ? size - head - 1 : 0);
	struct jwks *set = NULL;
	json_t *claims = NULL;
	enum jws_alg alg;
	struct jws out;

	if (jwks_parse(p, head, &set, NULL) == 0) {
		if (jwks_count(set) > JWKS_KEYS_MAX)
			abort();
		if (jws_verify_claims(
			set, token, JWS_ALL, NULL, &claims, &alg) == JWS_GOOD) {
			if (jwks_count(set) == 0 || !json_is_object(claims))
				abort();
			json_decref(claims);
		}
		jwks_free(set);
	}
	if (jws_verify(ctx, own, token, JWS_ALL, NULL, &out) == JWS_GOOD &&
	    (out.alg != JWS_EDDSA || out.len != strlen(payload) ||
		memcmp(out.payload, payload, out.len) != 0))
		abort();
	mem_free(ctx);
	return 0;
}
