/* How an account's provider is set up, and its secret. */
#include "sso/sso.h"

#include <inttypes.h>
#include <string.h>

#include "crypto/hash.h"
#include "db/db.h"
#include "net/egress.h"
#include "secret/keyring.h"
#include "secret/purpose.h"
#include "secret/secret.h"
#include "sso/front.h"
#include "sso/sso_priv.h"
#include "sso/store.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PROVIDERS 256
#define JSON_STORED ((struct json_limits){ 8, 4000 })

struct sso *
sso_new(const struct sso_opts *o, struct err *e)
{
	struct sso *s = mem_new(NULL, struct sso);
	struct keyring *ring;

	s->fetcher.net = o->net;
	s->fetcher.egress = egress_new(s, o->egress_allow, e);
	if (s->fetcher.egress == NULL ||
	    front_read(o->front_secret_file, &s->has_front, s->front_hash, e) !=
		0 ||
	    keyring_read(o->master_key_file, &ring, e) != 0) {
		mem_free(s);
		return NULL;
	}
	keyring_derive(ring, 0, PURPOSE_SSO, s->state_key);
	keyring_free(ring);
	s->db = o->db;
	s->vault = o->vault;
	s->providers = providers_new(&s->fetcher, PROVIDERS);
	return s;
}

void
sso_free(struct sso *s)
{
	if (s == NULL)
		return;
	providers_free(s->providers);
	crypto_wipe(s->state_key, sizeof(s->state_key));
	crypto_wipe(s->front_hash, sizeof(s->front_hash));
	mem_free(s);
}

const struct fetcher *
sso_fetcher(const struct sso *s)
{
	return &s->fetcher;
}

unsigned char *
sso_unhex(const void *ctx, const char *hex, size_t n)
{
	unsigned char *out = mem_array(ctx, unsigned char, n / 2 + 1);

	for (size_t i = 0; i < n / 2; i++)
		out[i] = (unsigned char)(str_hex_digit(hex[2 * i]) << 4 |
					 str_hex_digit(hex[2 * i + 1]));
	return out;
}

char *
sso_hex(const void *ctx, const unsigned char *p, size_t n)
{
	char *out = mem_array(ctx, char, 2 * n + 3);

	out[0] = '\\';
	out[1] = 'x';
	str_hex(p, n, out + 2);
	return out;
}

static json_t *
stored_json(const struct db_result *r, int col)
{
	const struct json_limits limits = JSON_STORED;
	json_t *v = NULL;

	if (json_parse(
		db_text(r, 0, col), db_len(r, 0, col), &limits, &v, NULL) != 0)
		v = json_array();
	return v;
}

static const char *
text_of(const void *ctx, const struct db_result *r, int col)
{
	return db_null(r, 0, col) ? NULL : mem_strdup(ctx, db_text(r, 0, col));
}

static void
read_connection(
    const void *ctx, const struct db_result *r, struct sso_connection *out)
{
	out->issuer = text_of(ctx, r, 0);
	out->client_id = text_of(ctx, r, 1);
	out->client_auth = text_of(ctx, r, 2);
	if (!db_null(r, 0, 3)) {
		out->sealed_len = db_len(r, 0, 3) / 2;
		out->sealed = sso_unhex(ctx, db_text(r, 0, 3), db_len(r, 0, 3));
		out->secret_version = db_int(r, 0, 4);
	}
	out->scopes = stored_json(r, 5);
	out->is_active = db_bool(r, 0, 6);
	out->trust_email = db_bool(r, 0, 7);
	out->auto_join = db_bool(r, 0, 8);
	out->role_claim = text_of(ctx, r, 9);
	out->role_map = stored_json(r, 10);
	out->default_role = text_of(ctx, r, 11);
	out->front = db_bool(r, 0, 12);
}

int
sso_connection_get(struct sso *s, const struct uuid *account, int64_t deadline,
    const void *ctx, struct sso_connection *out, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = {
		.stmt = &sso_store_connection, .param = { id }, .nparams = 1
	};

	memset(out, 0, sizeof(*out));
	id_format(account, id);
	out->account = *account;
	if (db_run(s->db, DB_CONTROL, account, &call, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return 0;
	read_connection(ctx, call.result, out);
	return 1;
}

int
sso_not_here(struct err *e)
{
	return err_set(
	    e, ERR_NOT_FOUND, "there is no single sign-on at this address");
}

int
sso_active(struct sso *s, const struct uuid *account, bool front,
    int64_t deadline, const void *ctx, struct sso_connection *out,
    struct err *e)
{
	int rc = sso_connection_get(s, account, deadline, ctx, out, e);

	if (rc < 0)
		return -1;
	if (rc > 0 && out->is_active && out->front == front)
		return 0;
	if (rc > 0)
		sso_connection_free(out);
	return sso_not_here(e);
}

void
sso_connection_free(struct sso_connection *c)
{
	json_decref(c->scopes);
	json_decref(c->role_map);
	c->scopes = c->role_map = NULL;
}

int
sso_secret_seal(struct sso *s, const struct uuid *account, const char *secret,
    int64_t deadline, const void *ctx, char **sealed, char **version,
    struct err *e)
{
	struct secret_place place = { .account = *account,
		.row = *account,
		.purpose = SSO_PURPOSE_SECRET,
		.version = clock_wall_us() };
	size_t n = strlen(secret);
	unsigned char *raw;

	if (secret_seal(s->vault, &place, secret, n, deadline, ctx, &raw, e) !=
	    0)
		return -1;
	*sealed = sso_hex(ctx, raw, n + SECRET_MORE);
	*version = mem_printf(ctx, "%" PRId64, place.version);
	return 0;
}
