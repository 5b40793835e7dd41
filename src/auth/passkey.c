/* What browsers say is checked by auth/webauthn.c; here is whose key it is. */
#include "auth/passkey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "auth/factor.h"
#include "auth/passkey_state.h"
#include "auth/sign_in.h"
#include "auth/store.h"
#include "auth/throttle.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "db/rows.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define NAME "Switchboard" /* of this service, to people */
#define HASH 32
#define THROTTLE_ID 48 /* characters of a credential's id */

/* Columns of auth_store_passkeys; the second is not for showing. */
static const struct rows_col columns[] = { { "id", ROW_TEXT },
	{ "credential", ROW_TEXT }, { "name", ROW_TEXT },
	{ "transports", ROW_JSON }, { "created_at", ROW_TEXT },
	{ "last_used_at", ROW_TEXT }, { NULL, ROW_END } };

/* --- helpers ------------------------------------------------------------- */

static int
read_bytes(const void *ctx, const json_t *from, const char *name,
    struct webauthn_bytes *out, struct err *e)
{
	const char *text = json_string_value(json_object_get(from, name));
	size_t len = text != NULL ? strlen(text) : 0;
	unsigned char *p = mem_array(ctx, unsigned char, len + 1);
	int n = text != NULL ? str_b64url_decode(text, len, p, len) : -1;

	if (n < 0)
		return err_set(e, ERR_INVALID, "%s is not base64url", name);
	*out = (struct webauthn_bytes){ p, (size_t)n };
	return 0;
}

/* The challenge is answered now; ERR_CONFLICT: it was before. */
static int
spend(struct db_pool *db, const struct webauthn_asked *asked, int64_t deadline,
    const void *ctx, struct err *e)
{
	unsigned char hash[HASH];
	char seconds[24];
	struct db_call call = { .stmt = &auth_store_passkey_spend,
		.param = { (const char *)hash, seconds },
		.nparams = 2,
		.binary = 1U };

	call.plen[0] = HASH;
	crypto_sha256(asked->challenge, sizeof(asked->challenge), hash);
	/* Longer than any cookie with it is good. */
	snprintf(seconds, sizeof(seconds), "%d", 2 * PASSKEY_SECONDS);
	if (db_run(db, DB_WRITE, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	return db_bool(call.result, 0, 0)
	           ? 0
	           : err_set(e, ERR_CONFLICT,
			 "this challenge was answered before; begin again");
}

static void
record(const void *ctx, const struct audit_entry *who, const char *action,
    const char *user, const char *passkey, const json_t *after,
    struct db_call *out)
{
	struct audit_entry entry = *who;

	entry.action = action;
	entry.actor_kind = "user";
	entry.actor_id = user;
	entry.object_kind = "passkey";
	entry.object_id = passkey;
	entry.after = after;
	audit_call(ctx, NULL, &entry, out);
}

/* --- adding -------------------------------------------------------------- */

static json_t *
credential_json(const json_t *passkey)
{
	return json_pack("{s:s, s:O, s:O}", "type", "public-key", "id",
	    json_object_get(passkey, "credential"), "transports",
	    json_object_get(passkey, "transports"));
}

/* All of hers, with their credentials. */
static int
read_all(struct db_pool *db, const struct uuid *user, int64_t deadline,
    const void *ctx, json_t **ret, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = {
		.stmt = &auth_store_passkeys, .param = { id }, .nparams = 1
	};

	id_format(user, id);
	if (db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	*ret = rows_array(call.result, columns);
	return 0;
}

static json_t *
create_options(const struct webauthn_asked *asked, const struct uuid *user,
    const json_t *me, const json_t *known)
{
	char challenge[2 * WEBAUTHN_CHALLENGE], handle[2 * UUID_TEXT];
	const json_t *email = json_object_get(me, "email");
	const char *name =
	    json_string_value(json_object_get(me, "display_name"));
	json_t *exclude = json_array(), *v;
	size_t i;

	str_b64url(asked->challenge, WEBAUTHN_CHALLENGE, challenge);
	str_b64url(user->b, sizeof(user->b), handle);
	json_array_foreach(known, i, v)
	    json_array_append_new(exclude, credential_json(v));
	return json_pack("{s:{s:s, s:s}, s:{s:s, s:O, s:s}, s:s,"
			 " s:[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}], s:i, s:o,"
			 " s:{s:s, s:b, s:s}, s:s}",
	    "rp", "id", asked->rp_id, "name", NAME, "user", "id", handle,
	    "name", email, "displayName",
	    name != NULL && *name != '\0' ? name : json_string_value(email),
	    "challenge", challenge, "pubKeyCredParams", "type", "public-key",
	    "alg", WEBAUTHN_ES256, "type", "public-key", "alg", WEBAUTHN_EDDSA,
	    "type", "public-key", "alg", WEBAUTHN_RS256, "timeout",
	    PASSKEY_SECONDS * 1000, "excludeCredentials", exclude,
	    "authenticatorSelection", "residentKey", "required",
	    "requireResidentKey", 1, "userVerification", "required",
	    "attestation", "none");
}

int
passkey_add_begin(struct db_pool *db, const struct uuid *user, bool factor,
    struct webauthn_asked *asked, int64_t deadline, const void *ctx,
    char **state, json_t **options, struct err *e)
{
	json_auto_t *me = NULL, *known = NULL;
	enum factor_answer has;

	if (person_show(db, user, deadline, &me, e) != 0 ||
	    factor_check(db, NULL, user, NULL, deadline, &has, e) != 0 ||
	    read_all(db, user, deadline, ctx, &known, e) != 0)
		return -1;
	/* Or it would be a way round the one there is. */
	if (has != FACTOR_NONE && !factor)
		return err_set(e, ERR_DENIED,
		    "this sign-in has not shown the second factor: sign in "
		    "with it first");
	*state = passkey_state_make(ctx, PASSKEY_ADD, user, asked->challenge);
	*options = create_options(asked, user, me, known);
	return 0;
}

/* The key, what says that its sign-in has shown one, and the record. */
static int
keep(struct db_pool *db, const struct uuid *user, const struct uuid *sign_in,
    const struct webauthn_key *key, const char *name, json_t *transports,
    const struct audit_entry *who, int64_t deadline, const void *ctx,
    json_t **ret, struct err *e)
{
	json_auto_t *after = json_pack("{s:s}", "name", name);
	char user_text[UUID_TEXT], id_text[UUID_TEXT], sign_in_text[UUID_TEXT];
	char *list = json_dumps(transports, JSON_COMPACT);
	char algorithm[16], counter[16], most[16];
	struct db_call calls[3] = { { .stmt = &auth_store_passkey_add,
					.param = { id_text, user_text,
					    (const char *)key->id, algorithm,
					    (const char *)key->key, counter,
					    name, list, most },
					.nparams = 9,
					.binary = 1U << 2 | 1U << 4 },
		{ .stmt = &auth_store_sign_in_proven,
		    .param = { user_text, sign_in_text },
		    .nparams = 2 } };
	struct uuid id;
	int rc;

	calls[0].plen[2] = (int)key->id_len;
	calls[0].plen[4] = (int)key->key_len;
	id_new(&id);
	id_format(&id, id_text);
	id_format(user, user_text);
	id_format(sign_in, sign_in_text);
	snprintf(algorithm, sizeof(algorithm), "%d", key->algorithm);
	snprintf(counter, sizeof(counter), "%u", key->counter);
	snprintf(most, sizeof(most), "%d", PASSKEYS_MOST);
	record(
	    ctx, who, "user.passkey_add", user_text, id_text, after, &calls[2]);
	rc = db_run(db, DB_WRITE, NULL, calls, 3, deadline, ctx, e);
	free(list);
	if (rc == 0)
		*ret = json_pack("{s:s, s:s, s:O, s:s, s:n}", "id", id_text,
		    "name", name, "transports", transports, "created_at",
		    db_text(calls[0].result, 0, 0), "last_used_at");
	return rc;
}

int
passkey_add(struct db_pool *db, const struct uuid *user,
    const struct uuid *sign_in, const struct webauthn_asked *asked,
    const char *name, const json_t *response, const struct audit_entry *who,
    int64_t deadline, json_t **ret, struct err *e)
{
	const json_t *said = json_object_get(response, "response");
	json_auto_t *transports =
	    json_incref(json_object_get(said, "transports"));
	struct webauthn_bytes client, authdata, id;
	void *ctx = mem_root("passkey");
	struct webauthn_key *key = mem_new(ctx, struct webauthn_key);
	int rc = -1;

	if (transports == NULL)
		transports = json_array();
	if (read_bytes(ctx, said, "clientDataJSON", &client, e) == 0 &&
	    read_bytes(ctx, said, "authenticatorData", &authdata, e) == 0 &&
	    read_bytes(ctx, response, "id", &id, e) == 0)
		rc = webauthn_made(asked, client, authdata, key, e);
	if (rc == 0 &&
	    (id.n != key->id_len || memcmp(id.p, key->id, id.n) != 0))
		rc = err_set(e, ERR_INVALID,
		    "id is not that of the credential in authenticatorData");
	if (rc == 0)
		rc = spend(db, asked, deadline, ctx, e);
	if (rc == 0)
		rc = keep(db, user, sign_in, key, name, transports, who,
		    deadline, ctx, ret, e);
	mem_free(ctx);
	return rc;
}

int
passkey_list(struct db_pool *db, const struct uuid *user, int64_t deadline,
    json_t **ret, struct err *e)
{
	void *ctx = mem_root("passkeys");
	int rc = read_all(db, user, deadline, ctx, ret, e);
	json_t *v;
	size_t i;

	if (rc == 0)
		json_array_foreach(*ret, i, v) json_object_del(v, "credential");
	mem_free(ctx);
	return rc;
}

int
passkey_end(struct db_pool *db, const struct uuid *user, const struct uuid *id,
    const struct audit_entry *who, int64_t deadline, struct err *e)
{
	char user_text[UUID_TEXT], id_text[UUID_TEXT];
	struct db_call calls[2] = { { .stmt = &auth_store_passkey_end,
	    .param = { user_text, id_text },
	    .nparams = 2 } };
	void *ctx = mem_root("passkey");
	int rc;

	id_format(user, user_text);
	id_format(id, id_text);
	record(
	    ctx, who, "user.passkey_end", user_text, id_text, NULL, &calls[1]);
	rc = db_run(db, DB_WRITE, NULL, calls, 2, deadline, ctx, e);
	mem_free(ctx);
	return rc;
}

/* --- signing in ---------------------------------------------------------- */

char *
passkey_use_begin(
    const void *ctx, struct webauthn_asked *asked, json_t **options)
{
	char challenge[2 * WEBAUTHN_CHALLENGE];
	char *state =
	    passkey_state_make(ctx, PASSKEY_USE, NULL, asked->challenge);

	str_b64url(asked->challenge, WEBAUTHN_CHALLENGE, challenge);
	*options = json_pack("{s:s, s:s, s:i, s:s, s:[]}", "challenge",
	    challenge, "rpId", asked->rp_id, "timeout", PASSKEY_SECONDS * 1000,
	    "userVerification", "required", "allowCredentials");
	return state;
}

static int
refuse(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "This passkey is not good here.");
}

/* A row that an authenticator has named. */
struct found {
	char id[UUID_TEXT];
	struct token token;
	struct webauthn_key key;
};

/* 1 with *out, 0 there is none, -1. */
static int
find(struct db_pool *db, struct webauthn_bytes id, int64_t deadline,
    const void *ctx, struct found *out, struct err *e)
{
	struct db_call call = { .stmt = &auth_store_passkey_find,
		.param = { (const char *)id.p },
		.nparams = 1,
		.binary = 1U };
	const struct db_result *r;
	const char *hex;

	call.plen[0] = (int)id.n;
	if (id.n == 0 || id.n > WEBAUTHN_ID_MAX)
		return 0;
	if (db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	r = call.result;
	if (db_rows(r) != 1 || db_uuid(r, 0, 1, &out->token.user) != 0 ||
	    db_len(r, 0, 3) / 2 > WEBAUTHN_KEY_MAX)
		return 0;
	snprintf(out->id, sizeof(out->id), "%s", db_text(r, 0, 0));
	out->key.algorithm = (int)db_int(r, 0, 2);
	hex = db_text(r, 0, 3);
	out->key.key_len = db_len(r, 0, 3) / 2;
	for (size_t i = 0; i < out->key.key_len; i++)
		out->key.key[i] =
		    (unsigned char)(str_hex_digit(hex[2 * i]) << 4 |
				    str_hex_digit(hex[2 * i + 1]));
	out->key.counter = (uint32_t)db_int(r, 0, 4);
	out->token.slot = (uint32_t)db_int(r, 0, 5);
	out->token.version = (uint64_t)db_int(r, 0, 6);
	out->token.factor = true;
	return 1;
}

/* Has the passkey that ${response} names signed what was asked?  1, 0 no, with
 * the reason in *e, -1. */
static int
look(struct db_pool *db, const struct webauthn_asked *asked,
    const json_t *response, int64_t deadline, const void *ctx,
    struct found *out, uint32_t *counter, struct err *e)
{
	const json_t *said = json_object_get(response, "response");
	struct webauthn_bytes id, client, authdata, signature, handle;
	int rc;

	if (read_bytes(ctx, response, "id", &id, e) != 0 ||
	    read_bytes(ctx, said, "clientDataJSON", &client, e) != 0 ||
	    read_bytes(ctx, said, "authenticatorData", &authdata, e) != 0 ||
	    read_bytes(ctx, said, "signature", &signature, e) != 0 ||
	    read_bytes(ctx, said, "userHandle", &handle, e) != 0)
		return 0;
	rc = find(db, id, deadline, ctx, out, e);
	if (rc == 0)
		(void)err_set(e, ERR_INVALID, "nobody has it");
	if (rc != 1)
		return rc;
	if (handle.n != sizeof(out->token.user.b) ||
	    memcmp(handle.p, out->token.user.b, handle.n) != 0) {
		(void)err_set(e, ERR_INVALID, "userHandle is somebody else's");
		return 0;
	}
	return webauthn_signed(asked, &out->key, client, authdata, signature,
		   counter, e) == 0
	           ? 1
	           : 0;
}

/* The challenge and the counter are used up, and that stands in the record. */
static int
use(struct db_pool *db, const struct webauthn_asked *asked,
    const struct found *f, uint32_t counter, const struct sign_in_from *from,
    int64_t deadline, const void *ctx, struct err *e)
{
	const struct audit_entry who = { .address = from->address,
		.request_id = from->request_id };
	char user[UUID_TEXT], counted[16];
	struct db_call calls[2] = { { .stmt = &auth_store_passkey_used,
	    .param = { f->id, counted },
	    .nparams = 2 } };

	id_format(&f->token.user, user);
	snprintf(counted, sizeof(counted), "%u", counter);
	record(ctx, &who, "user.passkey_use", user, f->id, NULL, &calls[1]);
	if (spend(db, asked, deadline, ctx, e) == 0 &&
	    db_run(db, DB_WRITE, NULL, calls, 2, deadline, ctx, e) == 0)
		return 0;
	return e->code == ERR_CONFLICT || e->code == ERR_NOT_FOUND ? refuse(e)
	                                                           : -1;
}

static int
prove(struct db_pool *db, const struct webauthn_asked *asked,
    const struct token *first, const json_t *response,
    const struct sign_in_from *from, int64_t deadline, const void *ctx,
    struct token *t, struct err *e)
{
	struct found *f = mem_new(ctx, struct found);
	int64_t now = clock_mono();
	char name[16 + THROTTLE_ID];
	uint32_t counter = 0;
	int wait, rc;

	snprintf(name, sizeof(name), "passkey %.*s", THROTTLE_ID,
	    json_string_value(json_object_get(response, "id")));
	if (throttle_check(name, from->client, now, &wait) != 0)
		return refuse(e);
	rc = look(db, asked, response, deadline, ctx, f, &counter, e);
	if (rc == 1 && first != NULL && !id_eq(&first->user, &f->token.user)) {
		(void)err_set(e, ERR_INVALID, "the password was another's");
		rc = 0;
	}
	if (rc == 0) {
		log_event(LOG_INFO, "passkey_refused", "passkey",
		    f->id[0] != '\0' ? f->id : NULL, "address", from->address,
		    "reason", e->text, NULL);
		throttle_failed(name, from->client, now);
		return refuse(e);
	}
	if (rc < 0 ||
	    (first == NULL &&
		sign_in_own(db, &f->token.user, deadline, ctx, e) != 0) ||
	    use(db, asked, f, counter, from, deadline, ctx, e) != 0)
		return -1;
	*t = f->token;
	return throttle_succeeded(name, from->client, now) == 0 ? 0 : refuse(e);
}

int
passkey_prove(struct db_pool *db, const struct webauthn_asked *asked,
    const struct token *first, const json_t *response,
    const struct sign_in_from *from, int64_t deadline, struct token *t,
    struct err *e)
{
	void *ctx = mem_root("passkey");
	int rc = prove(db, asked, first, response, from, deadline, ctx, t, e);

	mem_free(ctx);
	return rc;
}
