/* The secret is opened here, for the one request that shows it. */
#include "sso/exchange.h"

#include <string.h>
#include <strings.h>

#include "crypto/hash.h"
#include "secret/secret.h"
#include "sso/claims.h"
#include "sso/sso_priv.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define FORM_MAX ((size_t)32 * 1024)
#define LIMITS ((struct json_limits){ 16, 4096 })
#define TOKEN_MAX ((size_t)16 * 1024)
#define CODE_MAX 4096

/* RFC 3986's unreserved characters stay; the rest is escaped. */
static void
add_encoded(struct buf *b, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr("-._~", c) != NULL) {
			buf_addc(b, (char)c);
		} else {
			buf_addc(b, '%');
			buf_addc(b, hex[c >> 4]);
			buf_addc(b, hex[c & 15]);
		}
	}
}

void
exchange_pair(struct buf *b, const char *name, const char *value)
{
	if (b->len > 0 && b->data[b->len - 1] != '?')
		buf_addc(b, '&');
	add_encoded(b, name);
	buf_addc(b, '=');
	add_encoded(b, value);
}

/* "Authorization: Basic ..." (RFC 6749 section 2.3.1), below ctx. */
static char *
basic(const void *ctx, const char *id, const char *secret)
{
	struct buf b;
	char *text, *p;
	size_t n;

	buf_init(&b, ctx, FORM_MAX);
	add_encoded(&b, id);
	buf_addc(&b, ':');
	add_encoded(&b, secret);
	n = (b.len * 4 + 2) / 3;
	text = mem_array(ctx, char, n + 4);
	str_b64url(b.data, b.len, text);
	for (p = text; *p != '\0'; p++)
		*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
	for (; n % 4 != 0; n++)
		text[n] = '=';
	crypto_wipe(b.data, b.len);
	return mem_printf(ctx, "Authorization: Basic %s", text);
}

/* The client's secret, below ctx; "" where there is none. */
static int
open_secret(struct sso *s, const struct sso_connection *c, int64_t deadline,
    const void *ctx, char **ret, struct err *e)
{
	struct secret_place place = { .account = c->account,
		.row = c->account,
		.purpose = SSO_PURPOSE_SECRET,
		.version = c->secret_version };
	struct secret *secret;

	*ret = mem_strdup(ctx, "");
	if (c->sealed == NULL)
		return 0;
	if (secret_open(s->vault, &place, c->sealed, c->sealed_len, deadline,
		&secret, e) != 0)
		return -1;
	*ret = mem_strndup(
	    ctx, (const char *)secret_bytes(secret), secret_len(secret));
	secret_free(secret);
	return 0;
}

/* An OAuth error's name, of few characters. */
static const char *
error_name(const json_t *answer)
{
	const char *name = json_string_value(json_object_get(answer, "error"));

	if (name == NULL || strlen(name) > 60)
		return "no reason";
	for (const char *p = name; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return "no reason";
	return name;
}

static const char *
token_of(const void *ctx, const json_t *answer, const char *name)
{
	const json_t *v = json_object_get(answer, name);
	size_t n = json_string_length(v);

	return n > 0 && n <= TOKEN_MAX ? mem_strdup(ctx, json_string_value(v))
	                               : NULL;
}

static int
read_tokens(const void *ctx, const struct fetched *got, struct exchange *out,
    struct err *e)
{
	const struct json_limits limits = LIMITS;
	json_auto_t *answer = NULL;
	const char *type;

	if (json_parse(got->body, got->len, &limits, &answer, NULL) != 0)
		answer = NULL;
	if (got->status >= 400 && got->status < 500)
		return err_set(e, ERR_UNKNOWN,
		    "The identity provider refused the sign-in: %s.",
		    error_name(answer));
	type = json_string_value(json_object_get(answer, "token_type"));
	out->id_token = token_of(ctx, answer, "id_token");
	out->access_token = token_of(ctx, answer, "access_token");
	if (got->status != 200 || out->id_token == NULL)
		return err_set(e, ERR_UPSTREAM,
		    "the identity provider gave no ID token (status %d)",
		    got->status);
	if (type == NULL || strcasecmp(type, "Bearer") != 0)
		return err_set(e, ERR_UPSTREAM,
		    "the identity provider's token_type is not Bearer");
	return 0;
}

int
exchange_code(struct sso *s, const struct sso_connection *c,
    const struct discovery *d, const char *code, const char *verifier,
    const char *redirect_uri, int64_t deadline, const void *ctx,
    struct exchange *out, struct err *e)
{
	const char *headers[] = { "Accept: application/json",
		"Content-Type: application/x-www-form-urlencoded", NULL, NULL };
	bool post = strcmp(c->client_auth, "client_secret_post") == 0;
	struct fetched got;
	char *secret;
	struct buf form;
	int rc;

	memset(out, 0, sizeof(*out));
	if (strlen(code) > CODE_MAX)
		return err_set(e, ERR_UNKNOWN, "The code is too long.");
	if (open_secret(s, c, deadline, ctx, &secret, e) != 0)
		return -1;
	buf_init(&form, ctx, FORM_MAX);
	exchange_pair(&form, "grant_type", "authorization_code");
	exchange_pair(&form, "code", code);
	exchange_pair(&form, "redirect_uri", redirect_uri);
	exchange_pair(&form, "code_verifier", verifier);
	if (strcmp(c->client_auth, "client_secret_basic") == 0)
		headers[2] = basic(ctx, c->client_id, secret);
	else
		exchange_pair(&form, "client_id", c->client_id);
	if (post)
		exchange_pair(&form, "client_secret", secret);
	crypto_wipe(secret, strlen(secret));
	rc = buf_failed(&form)
	         ? err_set(e, ERR_INTERNAL, "a request that is too long")
	         : fetch(&s->fetcher, ctx, d->token_endpoint, headers,
		       form.data, deadline, &got, e);
	if (form.len > 0)
		crypto_wipe(form.data, form.len);
	return rc == 0 ? read_tokens(ctx, &got, out, e) : -1;
}

int
exchange_userinfo(struct sso *s, const struct discovery *d,
    const char *access_token, const char *subject, int64_t deadline,
    const void *ctx, json_t **ret, struct err *e)
{
	const struct json_limits limits = LIMITS;
	const char *headers[] = { "Accept: application/json",
		mem_printf(ctx, "Authorization: Bearer %s", access_token),
		NULL };
	json_t *claims = NULL;
	struct fetched got;

	for (const char *p = access_token; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return err_set(e, ERR_UPSTREAM,
			    "the identity provider's access token is none");
	if (fetch(&s->fetcher, ctx, d->userinfo_endpoint, headers, NULL,
		deadline, &got, e) != 0)
		return -1;
	if (got.status != 200 ||
	    json_parse(got.body, got.len, &limits, &claims, NULL) != 0)
		return err_set(e, ERR_UPSTREAM,
		    "the identity provider's userinfo is none (status %d)",
		    got.status);
	if (claims_subject(claims) == NULL ||
	    strcmp(claims_subject(claims), subject) != 0) {
		json_decref(claims);
		return err_set(e, ERR_UNKNOWN,
		    "The identity provider's userinfo is of another person.");
	}
	*ret = claims;
	return 0;
}
