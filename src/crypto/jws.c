/* What costs least comes first: a forged token is turned away by its form and
 * header before any signature is computed. */
#include "crypto/jws.h"

#include <string.h>
#include <strings.h>

#include "crypto/jose_priv.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define HEAD_NODES 256
#define CLAIM_NODES 4096
#define SIG_MAX 1024 /* bytes: RSA of 8192 bits */
#define CLAIM_LIMITS ((struct json_limits){ 16, CLAIM_NODES })

/* RFC 8725 section 3.11; media types know no case (RFC 7515 section 4.1.9). */
static bool
typ_good(const json_t *head, const char *wanted)
{
	static const char prefix[] = "application/";
	const json_t *v = json_object_get(head, "typ");
	const char *typ = json_string_value(v);

	if (v == NULL)
		return wanted == NULL;
	if (typ == NULL)
		return false;
	if (strncasecmp(typ, prefix, strlen(prefix)) == 0)
		typ += strlen(prefix);
	return strcasecmp(typ, wanted != NULL ? wanted : "JWT") == 0;
}

/* The algorithm of a header that we go by; JWS_NONE: of none. */
static enum jws_alg
head_alg(const json_t *head, unsigned algs, const char *typ)
{
	const json_t *alg = json_object_get(head, "alg");
	const json_t *kid = json_object_get(head, "kid");
	enum jws_alg a;

	if (!json_is_string(alg) || json_object_get(head, "crit") != NULL ||
	    (kid != NULL && !json_is_string(kid)) || !typ_good(head, typ))
		return JWS_NONE;
	a = jws_alg_parse(json_string_value(alg));
	return (JWS_BIT(a) & algs) != 0 ? a : JWS_NONE;
}

static bool
signature_good(
    const struct jwk *k, enum jws_alg alg, const struct jose_parts *t)
{
	unsigned char sig[SIG_MAX];
	int n = str_b64url_decode(t->sig, t->sig_len, sig, sizeof(sig));

	return n > 0 &&
	       jwk_verify(k, alg, t->head, t->signed_len, sig, (size_t)n);
}

static enum jws_answer
check(const struct jwks *set, const struct jose_parts *t, unsigned algs,
    const char *typ, enum jws_alg *alg)
{
	json_auto_t *head = jose_object(t->head, t->head_len, HEAD_NODES);
	const struct jwk *k;
	bool known;

	*alg = head != NULL ? head_alg(head, algs & ~1U, typ) : JWS_NONE;
	if (*alg == JWS_NONE)
		return JWS_BAD;
	k = jwks_find(
	    set, json_string_value(json_object_get(head, "kid")), *alg, &known);
	if (k == NULL)
		return known ? JWS_BAD : JWS_UNKNOWN_KEY;
	return signature_good(k, *alg, t) ? JWS_GOOD : JWS_BAD;
}

enum jws_answer
jws_verify(const void *ctx, const struct jwks *set, const char *token,
    unsigned algs, const char *typ, struct jws *out)
{
	struct jose_parts t;
	enum jws_answer a;
	int n;

	memset(out, 0, sizeof(*out));
	if (jose_split(token, JWS_TOKEN_MAX, &t) != 0)
		return JWS_BAD;
	a = check(set, &t, algs, typ, &out->alg);
	if (a != JWS_GOOD)
		return a;
	out->payload = mem_zalloc(ctx, t.body_len + 1, "payload");
	n = str_b64url_decode(t.body, t.body_len, out->payload, t.body_len);
	if (n < 0)
		return JWS_BAD;
	out->len = (size_t)n;
	return JWS_GOOD;
}

enum jws_answer
jws_verify_claims(const struct jwks *set, const char *token, unsigned algs,
    const char *typ, json_t **claims, enum jws_alg *alg)
{
	void *tmp = mem_root("jws");
	struct jws t;
	enum jws_answer a = jws_verify(tmp, set, token, algs, typ, &t);
	json_t *v = NULL;

	if (a == JWS_GOOD && (json_parse((const char *)t.payload, t.len,
				  &CLAIM_LIMITS, &v, NULL) != 0 ||
				 !json_is_object(v))) {
		json_decref(v);
		a = JWS_BAD;
	}
	if (a == JWS_GOOD) {
		*claims = v;
		*alg = t.alg;
	}
	mem_free(tmp);
	return a;
}

bool
jws_says(const json_t *claims, const char *name, const char *value)
{
	return jose_says(claims, name, value);
}

bool
jws_audience(const json_t *claims, const char *aud)
{
	return jose_audience(claims, aud);
}

bool
jws_times(const json_t *claims, int64_t now)
{
	return jose_times(claims, now);
}
