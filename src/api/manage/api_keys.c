/* API keys: made once shown, ended, replaced with an overlap.  Nobody makes or
 * touches a key that may more than himself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/keys.h"
#include "api/manage/manage.h"
#include "api/manage/roles.h"
#include "api/manage/store.h"
#include "api/validate.h"
#include "auth/key.h"
#include "auth/store.h"
#include "crypto/hash.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/rfc3339.h"
#include "util/str.h"

#include "util/banned.h"

static const struct manage_object key_object = { "api_key",
	&manage_store_api_key, &manage_store_api_key_lock,
	manage_store_api_key_cols, NULL };

static int
key_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "expired", "revoked",
		NULL };

	return manage_list(m, &key_object, &manage_store_api_keys, states, e);
}
MANAGE_HANDLER(api_api_key_list, key_list)

static int
key_get(struct manage *m, struct err *e)
{
	return manage_get(m, &key_object, "key_id", e);
}
MANAGE_HANDLER(api_api_key_get, key_get)

struct new_key *
new_key(struct manage *m, enum key_kind kind)
{
	struct new_key *k = mem_new(m->ctx, struct new_key);
	unsigned char hash[32];
	struct uuid id;

	id_new(&id);
	id_format(&id, k->id);
	key_make(kind, k->text, k->prefix, hash);
	k->hash[0] = '\\';
	k->hash[1] = 'x';
	str_hex(hash, sizeof(hash), k->hash + 2);
	clock_rfc3339(clock_wall_us(), k->created_at);
	return k;
}

int
new_key_answer(struct manage *m, struct new_key *k, json_t *shown)
{
	int rc;

	json_object_set_new(shown, "key", json_string(k->text));
	crypto_wipe(k->text, sizeof(k->text));
	rc = manage_answer(m, 201, shown, NULL);
	return rc;
}

/* What a new key is. */
struct making {
	const char *name, *role, *expires_at; /* NULL: never */
	int64_t expires_us;
	struct new_key *key;
};

static int
read_expiry(struct manage *m, struct making *k, struct err *e)
{
	const char *text = manage_text(m, "expires_at");
	char *shown;

	if (text == NULL)
		return 0;
	if (rfc3339_read(text, &k->expires_us) != 0 ||
	    k->expires_us <= clock_wall_us())
		return manage_invalid(
		    m, e, "/expires_at", "must be a time to come");
	shown = mem_array(m->ctx, char, CLOCK_RFC3339_SIZE);
	clock_rfc3339(k->expires_us, shown);
	k->expires_at = shown;
	return 0;
}

static json_t *
new_key_json(const struct making *k)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:n, s:n, s:s}", "id",
	    k->key->id, "name", k->name, "prefix", k->key->prefix, "role",
	    k->role, "status", "active", "expires_at", k->expires_at,
	    "revoked_at", "last_used_at", "created_at", k->key->created_at);
}

static struct db_call
create_call(const struct manage *m, const struct making *k)
{
	return (struct db_call){ .stmt = &auth_store_api_key_create,
		.param = { m->account, k->key->id, k->name, k->key->prefix,
		    k->key->hash, k->role,
		    k->expires_at != NULL
			? mem_printf(m->ctx, "%" PRId64, k->expires_us)
			: NULL,
		    k->key->created_at },
		.nparams = 8 };
}

static int
key_create(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	struct making k = { 0 };
	int rc;

	if (manage_body(m, "api_key_create", e) != 0)
		return -1;
	k.name = manage_text(m, "name");
	k.role = manage_text(m, "role");
	if (manage_within(m, k.role, e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (read_expiry(m, &k, e) != 0)
		return -1;
	k.key = new_key(m, KEY_API);
	shown = new_key_json(&k);

	struct db_call call = create_call(m, &k);
	struct manage_change c = { .action = "api_key.create",
		.object = "api_key",
		.id = k.key->id,
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return new_key_answer(m, k.key, shown);
}
MANAGE_HANDLER(api_api_key_create, key_create)

static bool
is_status(const struct manage_found *found, const char *status)
{
	return strcmp(json_string_value(json_object_get(found->json, "status")),
		   status) == 0;
}

static int
may_touch(struct manage *m, const struct manage_found *found, struct err *e)
{
	return manage_within(
	    m, json_string_value(json_object_get(found->json, "role")), e);
}

static int
revoke_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	if (may_touch(m, found, e) != 0)
		return -1;
	if (is_status(found, "revoked"))
		return 1;
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "status", json_string("revoked"));
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_api_key_end,
		    .param = { m->account, arg, "0" },
		    .nparams = 3 };
	return 0;
}

static int
key_revoke(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "key_id", id, e) != 0 ||
	    manage_update(
		m, &key_object, id, "api_key.revoke", revoke_apply, id, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_api_key_revoke, key_revoke)

struct rotation {
	char id[UUID_TEXT];
	struct making made;
	json_int_t overlap;
	json_t *shown; /* new reference, when it was done */
};

/* The old key's name, role and, unless told otherwise, its expiry. */
static int
rotate_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	struct rotation *r = arg;
	const char *expires =
	    json_string_value(json_object_get(found->json, "expires_at"));

	if (may_touch(m, found, e) != 0)
		return -1;
	if (!is_status(found, "active"))
		return err_set(e, ERR_CONFLICT,
		    "a key that is revoked or has expired is not replaced");
	r->made.name = mem_strdup(
	    m->ctx, json_string_value(json_object_get(found->json, "name")));
	r->made.role = mem_strdup(
	    m->ctx, json_string_value(json_object_get(found->json, "role")));
	if (manage_text(m, "expires_at") == NULL && expires != NULL) {
		r->made.expires_at = mem_strdup(m->ctx, expires);
		if (rfc3339_read(expires, &r->made.expires_us) != 0)
			return err_set(e, ERR_INTERNAL, "a stored time");
	}
	json_decref(r->shown);
	r->shown = new_key_json(&r->made);
	json_object_set_new(r->shown, "replaces", json_string(r->id));
	c->after = json_incref(r->shown);
	c->answer = json_deep_copy(r->shown);
	c->status = 201;
	c->calls[c->ncalls++] = create_call(m, &r->made);
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_api_key_end,
		    .param = { m->account, r->id,
			mem_printf(m->ctx, "%lld", (long long)r->overlap) },
		    .nparams = 3 };
	return 0;
}

static int
key_rotate(struct manage *m, struct err *e)
{
	struct rotation r = { .overlap = 0 };
	int rc;

	if (manage_id(m, "key_id", r.id, e) != 0 ||
	    manage_body(m, "api_key_rotate", e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (read_expiry(m, &r.made, e) != 0)
		return -1;
	r.overlap =
	    json_integer_value(json_object_get(m->body, "overlap_seconds"));
	r.made.key = new_key(m, KEY_API);
	rc = manage_update(
	    m, &key_object, r.id, "api_key.rotate", rotate_apply, &r, e);
	if (rc == 0)
		new_key_answer(m, r.made.key, r.shown);
	json_decref(r.shown);
	return rc < 0 ? -1 : 0;
}
MANAGE_HANDLER(api_api_key_rotate, key_rotate)
