/* Compact tokens and their claims, read strictly: nothing here knows keys. */
#include <math.h>
#include <string.h>

#include "crypto/jose_priv.h"
#include "crypto/jwt.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define DEPTH 8
/* Beyond this a double has no whole seconds. */
#define TIME_MAX 9007199254740992.0

int
jose_split(const char *token, size_t max, struct jose_parts *p)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";

	if (strnlen(token, max + 1) > max)
		return -1;
	p->head = token;
	p->head_len = strspn(p->head, alphabet);
	if (p->head_len == 0 || p->head[p->head_len] != '.')
		return -1;
	p->body = p->head + p->head_len + 1;
	p->body_len = strspn(p->body, alphabet);
	if (p->body[p->body_len] != '.')
		return -1;
	p->signed_len = p->head_len + 1 + p->body_len;
	p->sig = token + p->signed_len + 1;
	p->sig_len = strspn(p->sig, alphabet);
	return p->sig_len > 0 && p->sig[p->sig_len] == '\0' ? 0 : -1;
}

json_t *
jose_object(const char *text, size_t len, unsigned nodes)
{
	const struct json_limits limits = { DEPTH, nodes };
	void *tmp = mem_root("jose");
	char *raw = mem_zalloc(tmp, len + 1, "part");
	int n = str_b64url_decode(text, len, raw, len);
	json_t *v = NULL;

	if (n < 0 || json_parse(raw, (size_t)n, &limits, &v, NULL) != 0)
		v = NULL;
	mem_free(tmp);
	if (v == NULL || json_is_object(v))
		return v;
	json_decref(v);
	return NULL;
}

bool
jose_says(const json_t *object, const char *name, const char *value)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) && json_string_length(v) == strlen(value) &&
	       strcmp(json_string_value(v), value) == 0;
}

bool
jose_audience(const json_t *claims, const char *aud)
{
	const json_t *v = json_object_get(claims, "aud"), *one;
	bool found = false;
	size_t i;

	if (!json_is_array(v))
		return jose_says(claims, "aud", aud);
	json_array_foreach(v, i, one)
	{
		if (!json_is_string(one))
			return false;
		found = found || strcmp(json_string_value(one), aud) == 0;
	}
	return found;
}

bool
jose_time(const json_t *claims, const char *name, bool needed, double *out)
{
	const json_t *v = json_object_get(claims, name);

	if (v == NULL)
		return !needed;
	if (!json_is_number(v))
		return false;
	*out = json_number_value(v);
	return isfinite(*out) && *out >= 0 && *out <= TIME_MAX;
}

bool
jose_times(const json_t *claims, int64_t at)
{
	double exp = 0, nbf = 0, iat = 0, now = (double)at;

	return jose_time(claims, "exp", true, &exp) &&
	       jose_time(claims, "nbf", false, &nbf) &&
	       jose_time(claims, "iat", false, &iat) &&
	       now < exp + JWT_LEEWAY && nbf <= now + JWT_LEEWAY &&
	       iat <= now + JWT_LEEWAY;
}
