/* A widget key is public and its hash no secret: the token names it by that, so
 * that key and token share one entry of the cache. */
#include "auth/widget_token.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "auth/token_priv.h"
#include "crypto/jwt.h"
#include "util/str.h"

#include "util/banned.h"

#define TYP "widget+jwt"
#define HASH_TEXT 43 /* base64url of a hash */

static void
add_id(json_t *claims, const char *name, const struct uuid *id)
{
	char text[UUID_TEXT];

	id_format(id, text);
	json_object_set_new(claims, name, json_string(text));
}

int
widget_token_make(struct tokens *ts, const struct widget_token *t,
    int64_t seconds, const void *ctx, char **ret, struct err *e)
{
	json_auto_t *claims = NULL;
	char hash[HASH_TEXT + 1];

	str_b64url(t->key_hash, sizeof(t->key_hash), hash);
	claims = json_pack("{s:s, s:s}", "aud", t->origin, "wkh", hash);
	if (!id_is_nil(&t->visitor)) {
		add_id(claims, "sub", &t->visitor);
		add_id(claims, "vsc", &t->secret);
	}
	return tokens_sign(ts, TYP, seconds, claims, ctx, ret, e);
}

bool
widget_token_form(const char *text)
{
	return jwt_typ(text, TYP);
}

static int
invalid(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "The token is not valid.");
}

static const char *
text_claim(const json_t *claims, const char *name, size_t *len)
{
	const json_t *v = json_object_get(claims, name);

	*len = json_string_length(v);
	return json_string_value(v);
}

int
widget_token_check(struct tokens *ts, const char *text, int64_t deadline,
    struct widget_token *out, struct err *e)
{
	json_auto_t *claims = NULL;
	const char *hash, *origin;
	size_t hash_len, origin_len;

	if (tokens_verify(ts, TYP, NULL, text, deadline, &claims, e) != 0)
		return -1;
	memset(out, 0, sizeof(*out));
	hash = text_claim(claims, "wkh", &hash_len);
	origin = text_claim(claims, "aud", &origin_len);
	if (hash == NULL || origin == NULL || hash_len != HASH_TEXT ||
	    origin_len == 0 || origin_len >= sizeof(out->origin) ||
	    str_b64url_decode(hash, hash_len, out->key_hash,
		sizeof(out->key_hash)) != WIDGET_KEY_HASH)
		return invalid(e);
	memcpy(out->origin, origin, origin_len);
	if (json_object_get(claims, "sub") != NULL &&
	    (token_id_claim(claims, "sub", &out->visitor) != 0 ||
		token_id_claim(claims, "vsc", &out->secret) != 0))
		return invalid(e);
	return 0;
}
