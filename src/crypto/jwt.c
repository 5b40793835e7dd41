/*
 * Signing is one HMAC, and so is checking: a library for it would bring its own
 * notion of which algorithm counts.  What comes first is what costs least, so
 * that a forged token is turned away before any key is looked up.
 */
#include "crypto/jwt.h"

#include <math.h>
#include <string.h>

#include "crypto/hash.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ALG "HS256"
#define MAC 32
#define MAC_TEXT 43 /* base64url of it */
/* Beyond this a double has no whole seconds. */
#define TIME_MAX 9007199254740992.0

static const struct json_limits limits = { 8, 256 };

/* Where the three parts of a token are. */
struct parts {
	const char *head, *body, *mac;
	size_t head_len, body_len, signed_len;
};

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

/* Three parts of base64url, none of them empty, the last as long as a MAC. */
static int
split(const char *token, struct parts *p)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	size_t n = strnlen(token, JWT_MAX + 1);

	if (n > JWT_MAX)
		return -1;
	p->head = token;
	p->head_len = strspn(p->head, alphabet);
	if (p->head_len == 0 || p->head[p->head_len] != '.')
		return -1;
	p->body = p->head + p->head_len + 1;
	p->body_len = strspn(p->body, alphabet);
	if (p->body_len == 0 || p->body[p->body_len] != '.')
		return -1;
	p->signed_len = p->head_len + 1 + p->body_len;
	p->mac = token + p->signed_len + 1;
	return strspn(p->mac, alphabet) == MAC_TEXT && p->mac[MAC_TEXT] == '\0'
	           ? 0
	           : -1;
}

/* The JSON object that ${text} encodes, or NULL. */
static json_t *
decode(const char *text, size_t len)
{
	char raw[JWT_MAX];
	json_t *v = NULL;
	int n = str_b64url_decode(text, len, raw, sizeof(raw));

	if (n < 0 || json_parse(raw, (size_t)n, &limits, &v, NULL) != 0)
		return NULL;
	if (json_is_object(v))
		return v;
	json_decref(v);
	return NULL;
}

static bool
says(const json_t *object, const char *name, const char *value)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) && json_string_length(v) == strlen(value) &&
	       strcmp(json_string_value(v), value) == 0;
}

/* The header: alg and typ as the policy has them, a kid, and nothing else. */
static bool
head_good(const struct jwt_policy *p, const json_t *head)
{
	const json_t *kid = json_object_get(head, "kid");

	return json_object_size(head) == 3 && says(head, "alg", ALG) &&
	       says(head, "typ", p->typ) && json_is_string(kid) &&
	       json_string_length(kid) <= JWT_KID_MAX &&
	       strlen(json_string_value(kid)) == json_string_length(kid);
}

static bool
signature_good(
    const struct jwt_policy *p, const struct parts *t, const char *kid)
{
	unsigned char key[JWT_KEY], want[MAC], got[MAC];
	bool good;

	if (!p->key(p->arg, kid, key))
		return false;
	crypto_hmac_sha256(key, sizeof(key), t->head, t->signed_len, want);
	crypto_wipe(key, sizeof(key));
	good = str_b64url_decode(t->mac, MAC_TEXT, got, sizeof(got)) == MAC &&
	       str_eq_const(got, want, MAC);
	crypto_wipe(want, sizeof(want));
	return good;
}

/* aud is a text, or a list of them that holds ours. */
static bool
audience_good(const json_t *claims, const char *aud)
{
	const json_t *v = json_object_get(claims, "aud"), *one;
	size_t i;

	if (!json_is_array(v))
		return says(claims, "aud", aud);
	json_array_foreach(v, i, one)
	{
		if (json_is_string(one) &&
		    strcmp(json_string_value(one), aud) == 0)
			return true;
	}
	return false;
}

/* A NumericDate: a number, of which we have a sensible range. */
static bool
time_of(const json_t *claims, const char *name, bool needed, double *out)
{
	const json_t *v = json_object_get(claims, name);

	if (v == NULL)
		return !needed;
	if (!json_is_number(v))
		return false;
	*out = json_number_value(v);
	return isfinite(*out) && *out >= 0 && *out <= TIME_MAX;
}

static bool
times_good(const struct jwt_policy *p, const json_t *claims)
{
	double exp = 0, nbf = 0, iat = 0, now = (double)p->now;

	return time_of(claims, "exp", true, &exp) &&
	       time_of(claims, "nbf", false, &nbf) &&
	       time_of(claims, "iat", false, &iat) && now < exp + JWT_LEEWAY &&
	       nbf <= now + JWT_LEEWAY && iat <= now + JWT_LEEWAY;
}

static bool
claims_good(const struct jwt_policy *p, const json_t *claims)
{
	return says(claims, "iss", p->iss) && audience_good(claims, p->aud) &&
	       times_good(p, claims);
}

int
jwt_verify(const struct jwt_policy *p, const char *token, json_t **claims,
    struct err *e)
{
	json_auto_t *head = NULL, *body = NULL;
	struct parts t;

	if (split(token, &t) != 0)
		return refuse(e);
	head = decode(t.head, t.head_len);
	if (head == NULL || !head_good(p, head) ||
	    !signature_good(
		p, &t, json_string_value(json_object_get(head, "kid"))))
		return refuse(e);
	body = decode(t.body, t.body_len);
	if (body == NULL || !claims_good(p, body))
		return refuse(e);
	*claims = json_incref(body);
	return 0;
}
