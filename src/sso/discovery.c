/* A document that is wrong in one needed place is wrong: nobody signs in by
 * half a provider. */
#include "sso/discovery.h"

#include <jansson.h>
#include <string.h>

#include "crypto/jwk.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define LIMITS ((struct json_limits){ 16, 10000 })

int
discovery_issuer_ok(const struct fetcher *f, const char *issuer, struct err *e)
{
	if (strlen(issuer) > ISSUER_MAX)
		return err_set(e, ERR_INVALID,
		    "the address is longer than 500 characters");
	return fetch_url_ok(f, issuer, false, e);
}

char *
discovery_url(const void *ctx, const char *issuer)
{
	size_t n = strlen(issuer);

	if (n > 0 && issuer[n - 1] == '/')
		n--;
	return mem_printf(
	    ctx, "%.*s/.well-known/openid-configuration", (int)n, issuer);
}

struct reading {
	const struct fetcher *f;
	const void *ctx;
	const json_t *doc;
	struct err *e;
};

static int
wrong(struct reading *r, const char *name, const char *what)
{
	return err_set(
	    r->e, ERR_UPSTREAM, "the discovery document's %s %s", name, what);
}

static int
endpoint(struct reading *r, const char *name, bool needed, const char **out)
{
	const json_t *v = json_object_get(r->doc, name);

	if (v == NULL || json_is_null(v))
		return needed ? wrong(r, name, "is missing") : 0;
	if (!json_is_string(v))
		return wrong(r, name, "is no text");
	if (fetch_url_ok(r->f, json_string_value(v), true, r->e) != 0) {
		r->e->code = ERR_UPSTREAM;
		return err_prefix(r->e, "the discovery document's %s", name);
	}
	*out = mem_strdup(r->ctx, json_string_value(v));
	return 0;
}

/* Does the list name ${what}?  ${absent} where there is none. */
static bool
lists(const json_t *doc, const char *name, const char *what, bool absent)
{
	const json_t *list = json_object_get(doc, name), *v;
	size_t i;

	if (list == NULL || json_is_null(list))
		return absent;
	json_array_foreach(list, i, v)
	{
		if (json_is_string(v) &&
		    strcmp(json_string_value(v), what) == 0)
			return true;
	}
	return false;
}

static unsigned
algs(const json_t *doc)
{
	static const char name[] = "id_token_signing_alg_values_supported";
	unsigned found = 0;

	for (int a = JWS_RS256; a < JWS_ALGS; a++)
		if (lists(doc, name, jws_alg_name(a), true))
			found |= JWS_BIT(a);
	return found;
}

static bool
says(const json_t *doc, const char *name)
{
	return json_is_true(json_object_get(doc, name));
}

static int
read_issuer(struct reading *r, const char *issuer, struct discovery *out)
{
	const char *said = json_string_value(json_object_get(r->doc, "issuer"));

	if (said == NULL)
		return wrong(r, "issuer", "is missing");
	if (strcmp(said, issuer) != 0)
		return err_set(r->e, ERR_UPSTREAM,
		    "the discovery document is of another issuer: %.150s",
		    said);
	out->issuer = mem_strdup(r->ctx, said);
	return 0;
}

static int
read_abilities(struct reading *r, struct discovery *out)
{
	static const char auth[] = "token_endpoint_auth_methods_supported";

	if (!lists(r->doc, "response_types_supported", "code", true))
		return wrong(r, "response_types_supported", "lacks code");
	out->algs = algs(r->doc);
	if (out->algs == 0)
		return wrong(r, "id_token_signing_alg_values_supported",
		    "has none that is taken (RS, PS, ES, EdDSA)");
	out->s256 =
	    lists(r->doc, "code_challenge_methods_supported", "S256", true);
	if (!out->s256)
		return wrong(
		    r, "code_challenge_methods_supported", "lacks S256");
	out->basic = lists(r->doc, auth, "client_secret_basic", true);
	out->post = lists(r->doc, auth, "client_secret_post", false);
	out->says_iss =
	    says(r->doc, "authorization_response_iss_parameter_supported");
	out->backchannel = says(r->doc, "backchannel_logout_supported");
	out->backchannel_sid =
	    says(r->doc, "backchannel_logout_session_supported");
	return 0;
}

int
discovery_parse(const struct fetcher *f, const void *ctx, const char *issuer,
    const char *text, size_t n, struct discovery *out, struct err *e)
{
	json_auto_t *doc = NULL;
	struct reading r = { f, ctx, NULL, e };

	memset(out, 0, sizeof(*out));
	if (json_parse(text, n, &LIMITS, &doc, e) != 0 || !json_is_object(doc))
		return err_set(e, ERR_UPSTREAM,
		    "the discovery document is no JSON object");
	r.doc = doc;
	if (read_issuer(&r, issuer, out) != 0 ||
	    endpoint(&r, "authorization_endpoint", true,
		&out->authorization_endpoint) != 0 ||
	    endpoint(&r, "token_endpoint", true, &out->token_endpoint) != 0 ||
	    endpoint(&r, "jwks_uri", true, &out->jwks_uri) != 0 ||
	    endpoint(&r, "userinfo_endpoint", false, &out->userinfo_endpoint) !=
		0 ||
	    endpoint(&r, "end_session_endpoint", false,
		&out->end_session_endpoint) != 0)
		return -1;
	return read_abilities(&r, out);
}
