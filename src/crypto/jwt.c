/*
 * Signing is one HMAC, and so is checking: a library for it would bring its own
 * notion of which algorithm counts.  What comes first is what costs least, so
 * that a forged token is turned away before any key is looked up.
 */
#include "crypto/jwt.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/jose_priv.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ALG "HS256"
#define MAC 32
#define MAC_TEXT 43 /* base64url of it */
#define NODES 256

static int
refuse(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "The token is not valid.");
}

static void
encode(struct buf *b, const void *ctx, const void *p, size_t n)
{
	char *text = mem_zalloc(ctx, (n * 4 + 2) / 3 + 1, "base64url");

	str_b64url(p, n, text);
	buf_adds(b, text);
}

static void
encode_json(struct buf *b, const void *ctx, const json_t *v)
{
	struct buf text;

	buf_init(&text, ctx, JWT_MAX);
	json_write(&text, v);
	encode(b, ctx, text.data, text.len);
}

char *
jwt_sign(const void *ctx, const char *typ, const char *kid,
    const unsigned char key[JWT_KEY], const json_t *claims)
{
	json_auto_t *head =
	    json_pack("{s:s, s:s, s:s}", "alg", ALG, "typ", typ, "kid", kid);
	void *tmp = mem_root("jwt");
	unsigned char mac[MAC];
	struct buf b;
	char *token;

	buf_init(&b, tmp, (size_t)4 * JWT_MAX);
	encode_json(&b, tmp, head);
	buf_addc(&b, '.');
	encode_json(&b, tmp, claims);
	crypto_hmac_sha256(key, JWT_KEY, b.data, b.len, mac);
	buf_addc(&b, '.');
	encode(&b, tmp, mac, sizeof(mac));
	token = mem_strndup(ctx, b.data, b.len);
	mem_free(tmp);
	return token;
}

static bool
kid_good(const json_t *kid)
{
	return json_is_string(kid) && json_string_length(kid) <= JWT_KID_MAX &&
	       strlen(json_string_value(kid)) == json_string_length(kid);
}

/* The header: alg and typ as the policy has them, a kid, and nothing else. */
static bool
head_good(const struct jwt_policy *p, const json_t *head)
{
	const json_t *kid = json_object_get(head, "kid");
	const json_t *typ = json_object_get(head, "typ");
	size_t known = 1U + (kid != NULL) + (typ != NULL);

	if (json_object_size(head) != known || !jose_says(head, "alg", ALG))
		return false;
	if (p->foreign)
		return (typ == NULL || jose_says(head, "typ", "JWT")) &&
		       (kid == NULL || kid_good(kid));
	return jose_says(head, "typ", p->typ) && kid_good(kid);
}

static const char *
kid_of(const json_t *head)
{
	const char *kid = json_string_value(json_object_get(head, "kid"));

	return kid != NULL ? kid : "";
}

static bool
signature_good(
    const struct jwt_policy *p, const struct jose_parts *t, const char *kid)
{
	unsigned char key[JWT_KEY], want[MAC], got[MAC];
	bool good;

	if (!p->key(p->arg, kid, key))
		return false;
	crypto_hmac_sha256(key, sizeof(key), t->head, t->signed_len, want);
	crypto_wipe(key, sizeof(key));
	good = str_b64url_decode(t->sig, MAC_TEXT, got, sizeof(got)) == MAC &&
	       str_eq_const(got, want, MAC);
	crypto_wipe(want, sizeof(want));
	return good;
}

static bool
claims_good(const struct jwt_policy *p, const json_t *claims)
{
	return (p->foreign || jose_says(claims, "iss", p->iss)) &&
	       (p->aud == NULL || jose_audience(claims, p->aud)) &&
	       jose_times(claims, p->now);
}

int
jwt_head(const struct jwt_policy *p, const char *token,
    char kid[JWT_KID_MAX + 1], struct err *e)
{
	json_auto_t *head = NULL;
	struct jose_parts t;

	if (jose_split(token, JWT_MAX, &t) != 0)
		return refuse(e);
	head = jose_object(t.head, t.head_len, NODES);
	if (head == NULL || !head_good(p, head))
		return refuse(e);
	memcpy(kid, kid_of(head), strlen(kid_of(head)) + 1);
	return 0;
}

bool
jwt_typ(const char *token, const char *typ)
{
	json_auto_t *head = NULL;
	struct jose_parts t;

	if (jose_split(token, JWT_MAX, &t) != 0)
		return false;
	head = jose_object(t.head, t.head_len, NODES);
	return head != NULL && jose_says(head, "typ", typ);
}

int
jwt_verify(const struct jwt_policy *p, const char *token, json_t **claims,
    struct err *e)
{
	json_auto_t *head = NULL, *body = NULL;
	struct jose_parts t;

	if (jose_split(token, JWT_MAX, &t) != 0 || t.sig_len != MAC_TEXT)
		return refuse(e);
	head = jose_object(t.head, t.head_len, NODES);
	if (head == NULL || !head_good(p, head) ||
	    !signature_good(p, &t, kid_of(head)))
		return refuse(e);
	body = jose_object(t.body, t.body_len, NODES);
	if (body == NULL || !claims_good(p, body))
		return refuse(e);
	*claims = json_incref(body);
	return 0;
}
