/* The authenticator's part is read and verified by libfido2; the browser's, the
 * client data, here. */
#include "auth/webauthn.h"

#include <ctype.h>
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "crypto/hash.h"
#include "util/json.h"
#include "util/str.h"

#include "util/banned.h"

#define HASH 32
#define CLIENT_LIMITS ((struct json_limits){ 8, 200 })
/* Of authenticator data: rpIdHash, flags, counter (section 6.1). */
#define AUTHDATA_MIN 37
#define FLAGS 32
#define FLAG_PRESENT 0x01
#define FLAG_VERIFIED 0x04
#define FLAG_BACKUP_ELIGIBLE 0x08
#define FLAG_BACKED_UP 0x10
#define FLAG_CREDENTIAL 0x40
#define FLAG_EXTENSIONS 0x80
/* Before its key: AAGUID, length of the id. */
#define CREDENTIAL_MIN 18

static int
wrong(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "%s", what);
}

/* --- where --------------------------------------------------------------- */

static bool
is_address(const char *host)
{
	const char *last = strrchr(host, '.');

	/* No name ends in a label of digits; "[" begins an IPv6 address. */
	last = last != NULL ? last + 1 : host;
	return host[0] == '[' || strspn(last, "0123456789") == strlen(last) ||
	       strncmp(last, "0x", 2) == 0;
}

int
webauthn_rp_id(const char *origin, char out[WEBAUTHN_RP_TEXT], struct err *e)
{
	bool secure = str_starts(origin, "https://");
	const char *host = strstr(origin, "://");
	size_t n;

	host = host != NULL ? host + 3 : "";
	n = host[0] == '[' ? strlen(host) : strcspn(host, ":/");
	if (n == 0 || n >= WEBAUTHN_RP_TEXT)
		return err_set(
		    e, ERR_DENIED, "passkeys need an address with a name");
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)host[i]);
	out[n] = '\0';
	if (is_address(out))
		return err_set(e, ERR_DENIED,
		    "passkeys work on names only, not on an IP address such "
		    "as %.60s: use the name of this server",
		    out);
	if (!secure && strcmp(out, "localhost") != 0)
		return err_set(e, ERR_DENIED, "passkeys need HTTPS");
	return 0;
}

/* --- client data --------------------------------------------------------- */

/* Is it the text that stands for those bytes, and no other? */
static bool
is_challenge(const char *text, const unsigned char *challenge)
{
	unsigned char got[WEBAUTHN_CHALLENGE];

	return text != NULL &&
	       str_b64url_decode(text, strlen(text), got, sizeof(got)) ==
	           WEBAUTHN_CHALLENGE &&
	       str_eq_const(got, challenge, WEBAUTHN_CHALLENGE);
}

int
webauthn_client(const struct webauthn_asked *asked, const char *type,
    struct webauthn_bytes text, struct err *e)
{
	json_auto_t *client = NULL;
	const char *got;

	if (json_parse((const char *)text.p, text.n, &CLIENT_LIMITS, &client,
		e) != 0) {
		(void)err_prefix(e, "clientDataJSON");
		if (e != NULL)
			e->code = ERR_INVALID;
		return -1;
	}
	got = json_string_value(json_object_get(client, "type"));
	if (got == NULL || strcmp(got, type) != 0)
		return err_set(
		    e, ERR_INVALID, "clientDataJSON: type is not %s", type);
	if (!is_challenge(
		json_string_value(json_object_get(client, "challenge")),
		asked->challenge))
		return wrong(e, "clientDataJSON: the challenge is not the one "
				"that was asked");
	got = json_string_value(json_object_get(client, "origin"));
	if (got == NULL || strcmp(got, asked->origin) != 0)
		return err_set(e, ERR_INVALID,
		    "clientDataJSON: origin is not %.100s", asked->origin);
	if (json_is_true(json_object_get(client, "crossOrigin")))
		return wrong(
		    e, "clientDataJSON: it was asked from inside another page");
	return 0;
}

/* --- CBOR ---------------------------------------------------------------- */

#define CBOR_DEPTH 8

/* The head of an item (RFC 8949 section 3) of a definite length; 0 or -1. */
static int
cbor_head(struct webauthn_bytes *in, unsigned *kind, uint64_t *value)
{
	unsigned more;
	size_t n;

	if (in->n == 0)
		return -1;
	*kind = in->p[0] >> 5;
	more = in->p[0] & 31;
	n = more < 24 ? 0 : more < 28 ? (size_t)1 << (more - 24) : in->n;
	if (n >= in->n)
		return -1;
	*value = more < 24 ? more : 0;
	for (size_t i = 1; i <= n; i++)
		*value = *value << 8 | in->p[i];
	in->p += n + 1;
	in->n -= n + 1;
	return 0;
}

/*
 * Go past one item: 0, or -1 when it says that there is more in it than bytes
 * are left.  libcbor would make room for what it says before it looks.
 */
static int
cbor_skip(struct webauthn_bytes *in, int depth)
{
	unsigned kind;
	uint64_t n;

	if (depth > CBOR_DEPTH || cbor_head(in, &kind, &n) != 0)
		return -1;
	if (kind == 0 || kind == 1 || kind == 7)
		return 0;
	if (n > in->n)
		return -1;
	if (kind == 2 || kind == 3) {
		in->p += n;
		in->n -= n;
		return 0;
	}
	n *= kind == 5 ? 2 : 1;
	for (n = kind == 6 ? 1 : n; n > 0; n--)
		if (cbor_skip(in, depth + 1) != 0)
			return -1;
	return 0;
}

/* --- authenticator data -------------------------------------------------- */

/* Is it as long as it says? */
static bool
well_formed(struct webauthn_bytes authdata)
{
	unsigned flags = authdata.p[FLAGS];
	struct webauthn_bytes in = { authdata.p + AUTHDATA_MIN,
		authdata.n - AUTHDATA_MIN };
	size_t n;

	if ((flags & FLAG_CREDENTIAL) != 0) {
		if (in.n < CREDENTIAL_MIN)
			return false;
		n = (size_t)in.p[16] << 8 | in.p[17];
		if (n > in.n - CREDENTIAL_MIN)
			return false;
		in.p += CREDENTIAL_MIN + n;
		in.n -= CREDENTIAL_MIN + n;
		if (cbor_skip(&in, 0) != 0)
			return false;
	}
	if ((flags & FLAG_EXTENSIONS) != 0 && cbor_skip(&in, 0) != 0)
		return false;
	return in.n == 0;
}

/* What both kinds have: for us, by a person who was there and is known. */
static int
check_authdata(const char *rp_id, struct webauthn_bytes authdata, struct err *e)
{
	unsigned char hash[HASH];
	unsigned flags;

	if (authdata.n < AUTHDATA_MIN)
		return wrong(e, "authenticatorData is too short");
	crypto_sha256(rp_id, strlen(rp_id), hash);
	if (!well_formed(authdata))
		return wrong(e, "authenticatorData is cut off, or not CBOR");
	if (memcmp(authdata.p, hash, HASH) != 0)
		return err_set(e, ERR_INVALID,
		    "authenticatorData is not for %.100s", rp_id);
	flags = authdata.p[FLAGS];
	if ((flags & FLAG_PRESENT) == 0)
		return wrong(e, "the authenticator saw nobody");
	if ((flags & FLAG_VERIFIED) == 0)
		return wrong(e,
		    "the authenticator has not verified who it is: set up a "
		    "PIN, fingerprint or face for it");
	if ((flags & FLAG_BACKED_UP) != 0 &&
	    (flags & FLAG_BACKUP_ELIGIBLE) == 0)
		return wrong(e, "the flags of authenticatorData contradict "
				"each other");
	return 0;
}

/* Can the key be used at all?  Off its curve, say, it cannot. */
static bool
key_good(int algorithm, const unsigned char *p, size_t n)
{
	es256_pk_t *ec = NULL;
	eddsa_pk_t *ed = NULL;
	rs256_pk_t *rsa = NULL;
	bool good = false;

	if (algorithm == WEBAUTHN_ES256) {
		ec = es256_pk_new();
		good = ec != NULL && es256_pk_from_ptr(ec, p, n) == FIDO_OK;
	} else if (algorithm == WEBAUTHN_EDDSA) {
		ed = eddsa_pk_new();
		good = ed != NULL && eddsa_pk_from_ptr(ed, p, n) == FIDO_OK;
	} else if (algorithm == WEBAUTHN_RS256) {
		rsa = rs256_pk_new();
		good = rsa != NULL && rs256_pk_from_ptr(rsa, p, n) == FIDO_OK;
	}
	es256_pk_free(&ec);
	eddsa_pk_free(&ed);
	rs256_pk_free(&rsa);
	return good;
}

static int
take_key(const fido_cred_t *cred, int algorithm, struct webauthn_key *out,
    struct err *e)
{
	const unsigned char *id = fido_cred_id_ptr(cred);
	const unsigned char *key = fido_cred_pubkey_ptr(cred);
	size_t id_len = fido_cred_id_len(cred);
	size_t key_len = fido_cred_pubkey_len(cred);

	if (id == NULL || id_len == 0 || id_len > WEBAUTHN_ID_MAX)
		return err_set(e, ERR_INVALID,
		    "the credential's id must have 1 to %d bytes",
		    WEBAUTHN_ID_MAX);
	if (key == NULL || key_len == 0 || key_len > WEBAUTHN_KEY_MAX ||
	    !key_good(algorithm, key, key_len))
		return wrong(e, "the credential's public key is none");
	memset(out, 0, sizeof(*out));
	out->algorithm = algorithm;
	out->counter = fido_cred_sigcount(cred);
	memcpy(out->id, id, id_len);
	memcpy(out->key, key, key_len);
	out->id_len = id_len;
	out->key_len = key_len;
	return 0;
}

int
webauthn_made(const struct webauthn_asked *asked, struct webauthn_bytes client,
    struct webauthn_bytes authdata, struct webauthn_key *out, struct err *e)
{
	static const int known[] = { WEBAUTHN_ES256, WEBAUTHN_EDDSA,
		WEBAUTHN_RS256 };
	int rc = -1;

	if (webauthn_client(asked, "webauthn.create", client, e) != 0 ||
	    check_authdata(asked->rp_id, authdata, e) != 0)
		return -1;
	(void)wrong(e,
	    "authenticatorData holds no credential of ES256, EdDSA or RS256 "
	    "(2048 bits)");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		fido_cred_t *cred = fido_cred_new();
		bool read = cred != NULL &&
		            fido_cred_set_type(cred, known[i]) == FIDO_OK &&
		            fido_cred_set_authdata_raw(
				cred, authdata.p, authdata.n) == FIDO_OK;

		if (read)
			rc = take_key(cred, known[i], out, e);
		fido_cred_free(&cred);
		if (read)
			break;
	}
	return rc;
}

/* The signature, by the key as its algorithm has it. */
static int
verify(const fido_assert_t *a, const struct webauthn_key *key)
{
	es256_pk_t *ec = NULL;
	eddsa_pk_t *ed = NULL;
	rs256_pk_t *rsa = NULL;
	int rc = FIDO_ERR_INVALID_ARGUMENT;

	if (key->algorithm == WEBAUTHN_ES256 && (ec = es256_pk_new()) != NULL &&
	    es256_pk_from_ptr(ec, key->key, key->key_len) == FIDO_OK)
		rc = fido_assert_verify(a, 0, COSE_ES256, ec);
	else if (key->algorithm == WEBAUTHN_EDDSA &&
		 (ed = eddsa_pk_new()) != NULL &&
		 eddsa_pk_from_ptr(ed, key->key, key->key_len) == FIDO_OK)
		rc = fido_assert_verify(a, 0, COSE_EDDSA, ed);
	else if (key->algorithm == WEBAUTHN_RS256 &&
		 (rsa = rs256_pk_new()) != NULL &&
		 rs256_pk_from_ptr(rsa, key->key, key->key_len) == FIDO_OK)
		rc = fido_assert_verify(a, 0, COSE_RS256, rsa);
	es256_pk_free(&ec);
	eddsa_pk_free(&ed);
	rs256_pk_free(&rsa);
	return rc;
}

/* Filled in with what is to be verified; NULL: it cannot be read. */
static fido_assert_t *
assertion(const char *rp_id, struct webauthn_bytes client,
    struct webauthn_bytes authdata, struct webauthn_bytes signature)
{
	fido_assert_t *a = fido_assert_new();
	unsigned char hash[HASH];

	crypto_sha256(client.p, client.n, hash);
	if (a == NULL || fido_assert_set_rp(a, rp_id) != FIDO_OK ||
	    fido_assert_set_clientdata_hash(a, hash, sizeof(hash)) != FIDO_OK ||
	    fido_assert_set_count(a, 1) != FIDO_OK ||
	    fido_assert_set_up(a, FIDO_OPT_TRUE) != FIDO_OK ||
	    fido_assert_set_uv(a, FIDO_OPT_TRUE) != FIDO_OK ||
	    fido_assert_set_authdata_raw(a, 0, authdata.p, authdata.n) !=
		FIDO_OK ||
	    fido_assert_set_sig(a, 0, signature.p, signature.n) != FIDO_OK)
		fido_assert_free(&a);
	return a;
}

int
webauthn_signed(const struct webauthn_asked *asked,
    const struct webauthn_key *key, struct webauthn_bytes client,
    struct webauthn_bytes authdata, struct webauthn_bytes signature,
    uint32_t *counter, struct err *e)
{
	fido_assert_t *a;
	int rc;

	if (webauthn_client(asked, "webauthn.get", client, e) != 0 ||
	    check_authdata(asked->rp_id, authdata, e) != 0)
		return -1;
	a = assertion(asked->rp_id, client, authdata, signature);
	if (a == NULL)
		return wrong(e, "authenticatorData cannot be read");
	rc = verify(a, key);
	*counter = fido_assert_sigcount(a, 0);
	fido_assert_free(&a);
	if (rc != FIDO_OK)
		return wrong(e, "the signature is not the passkey's");
	if (*counter <= key->counter && (*counter | key->counter) != 0)
		return wrong(e, "the authenticator's counter went back: there "
				"may be a copy of it");
	return 0;
}
