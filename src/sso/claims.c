/* One check after the other, each with a name of its own, so that whoever sets
 * up a provider reads what it sends wrongly. */
#include "sso/claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypto/jws.h"

#include "util/banned.h"

#define EVENT "http://schemas.openid.net/event/backchannel-logout"
#define PATH_PARTS 8

static int
wrong(struct err *e, const char *claim, const char *what)
{
	return err_set(e, ERR_UNKNOWN,
	    "The identity provider's token is not valid: %s %s.", claim, what);
}

const char *
claims_subject(const json_t *claims)
{
	const json_t *v = json_object_get(claims, "sub");
	size_t n = json_string_length(v);

	if (!json_is_string(v) || n < 1 || n > SUBJECT_MAX)
		return NULL;
	for (const char *p = json_string_value(v); *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return NULL;
	return json_string_value(v);
}

/* Who it is from, whom it is for, and when. */
static int
common(const struct claims_wanted *w, const json_t *c, struct err *e)
{
	const json_t *aud = json_object_get(c, "aud");
	const json_t *azp = json_object_get(c, "azp");

	if (!jws_says(c, "iss", w->issuer))
		return wrong(e, "iss", "is not the issuer");
	if (!jws_audience(c, w->client_id))
		return wrong(e, "aud", "does not name this client");
	if (azp == NULL && json_is_array(aud) && json_array_size(aud) > 1)
		return wrong(e, "azp", "is missing beside several audiences");
	if (azp != NULL && !jws_says(c, "azp", w->client_id))
		return wrong(e, "azp", "is not this client");
	if (json_object_get(c, "iat") == NULL)
		return wrong(e, "iat", "is missing");
	if (!jws_times(c, w->now))
		return wrong(
		    e, "exp, nbf or iat", "does not hold now, or is no time");
	return 0;
}

int
claims_id_token(const struct claims_wanted *w, const json_t *c, struct err *e)
{
	const json_t *hash = json_object_get(c, "at_hash");

	if (common(w, c, e) != 0)
		return -1;
	if (claims_subject(c) == NULL)
		return wrong(e, "sub", "is missing, or none that is taken");
	if (!jws_says(c, "nonce", w->nonce))
		return wrong(e, "nonce", "is not the one that was sent");
	if (hash != NULL && (!json_is_string(hash) || w->access_token == NULL ||
				!jws_half_hash(w->alg, w->access_token,
				    json_string_value(hash))))
		return wrong(e, "at_hash", "does not fit the access token");
	return 0;
}

static bool
has_text(const json_t *c, const char *name)
{
	return json_string_length(json_object_get(c, name)) > 0;
}

int
claims_logout_token(
    const struct claims_wanted *w, const json_t *c, struct err *e)
{
	const json_t *events = json_object_get(c, "events");

	if (common(w, c, e) != 0)
		return -1;
	if (!json_is_object(json_object_get(events, EVENT)))
		return wrong(e, "events", "is not that of a logout");
	if (json_object_get(c, "nonce") != NULL)
		return wrong(e, "nonce", "may not stand in a logout token");
	if (!has_text(c, "jti"))
		return wrong(e, "jti", "is missing");
	if (json_object_get(c, "sub") != NULL && claims_subject(c) == NULL)
		return wrong(e, "sub", "is none that is taken");
	if (json_object_get(c, "sid") != NULL && !has_text(c, "sid"))
		return wrong(e, "sid", "is no text");
	if (!has_text(c, "sub") && !has_text(c, "sid"))
		return wrong(e, "sub or sid", "must be there");
	return 0;
}

const json_t *
claims_at(const json_t *claims, const char *path)
{
	const json_t *v = json_object_get(claims, path);

	if (v != NULL)
		return v;
	v = claims;
	for (int i = 0; i < PATH_PARTS && v != NULL; i++) {
		size_t n = strcspn(path, ".");

		v = json_object_getn(v, path, n);
		if (path[n] == '\0')
			return v;
		path += n + 1;
	}
	return NULL;
}

static bool
one_says(const json_t *v, const char *value)
{
	char number[32];

	if (json_is_string(v))
		return strcmp(json_string_value(v), value) == 0;
	if (json_is_true(v))
		return strcmp(value, "true") == 0;
	if (!json_is_integer(v))
		return false;
	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
	    json_integer_value(v));
	return strcmp(number, value) == 0;
}

bool
claims_say(const json_t *claim, const char *value)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(claim))
		return one_says(claim, value);
	json_array_foreach(claim, i, v)
	{
		if (one_says(v, value))
			return true;
	}
	return false;
}
