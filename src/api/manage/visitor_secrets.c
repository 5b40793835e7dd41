/* Visitor secrets: what an account's own server signs with to say who a visitor
 * is.  Made by us, shown once, kept sealed, replaced with an overlap. */
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "auth/store.h"
#include "auth/visitor.h"
#include "crypto/hash.h"
#include "http/request.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define SEAL_WAIT (10 * CLOCK_S)

static const struct manage_object secret_object = { "visitor_secret",
	&manage_store_visitor_secret, &manage_store_visitor_secret_lock,
	manage_store_visitor_secret_cols, NULL };

static int
secret_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "expired", "revoked",
		NULL };

	return manage_list(
	    m, &secret_object, &manage_store_visitor_secrets, states, e);
}
MANAGE_HANDLER(api_visitor_secret_list, secret_list)

static int
secret_get(struct manage *m, struct err *e)
{
	return manage_get(m, &secret_object, "secret_id", e);
}
MANAGE_HANDLER(api_visitor_secret_get, secret_get)

/* A new one, before its row is there. */
struct making {
	char id[UUID_TEXT], text[VISITOR_SECRET_TEXT];
	char prefix[VISITOR_SECRET_PREFIX], created_at[CLOCK_RFC3339_SIZE];
	const char *name;
	unsigned char *sealed;
	size_t len;
};

static int
make(struct manage *m, struct making *k, struct err *e)
{
	struct uuid id;

	id_new(&id);
	id_format(&id, k->id);
	visitor_secret_make(k->text, k->prefix);
	clock_rfc3339(clock_wall_us(), k->created_at);
	return visitor_secret_seal(m->app->vault, &m->who->account->id, &id,
	    k->text, m->req->started + SEAL_WAIT, m->ctx, &k->sealed, &k->len,
	    e);
}

static json_t *
shown_of(const struct making *k)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:s}", "id", k->id,
	    "name", k->name, "prefix", k->prefix, "status", "active",
	    "expires_at", "revoked_at", "created_at", k->created_at);
}

static struct db_call
create_call(const struct manage *m, const struct making *k)
{
	struct db_call call = { .stmt = &auth_store_visitor_secret_create,
		.param = { m->account, k->id, k->name, k->prefix,
		    (const char *)k->sealed, k->created_at },
		.nparams = 6,
		.binary = 1U << 4 };

	call.plen[4] = (int)k->len;
	return call;
}

static int
answer(struct manage *m, struct making *k, json_t *shown)
{
	json_object_set_new(shown, "secret", json_string(k->text));
	crypto_wipe(k->text, sizeof(k->text));
	return manage_answer(m, 201, shown, NULL);
}

static int
secret_create(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	struct making k;
	int rc;

	if (manage_body(m, "visitor_secret_create", e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	k.name = manage_text(m, "name");
	if (make(m, &k, e) != 0)
		return -1;
	shown = shown_of(&k);

	struct db_call call = create_call(m, &k);
	struct manage_change c = { .action = "visitor_secret.create",
		.object = "visitor_secret",
		.id = k.id,
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return answer(m, &k, shown);
}
MANAGE_HANDLER(api_visitor_secret_create, secret_create)

static bool
is_status(const struct manage_found *found, const char *status)
{
	return strcmp(json_string_value(json_object_get(found->json, "status")),
		   status) == 0;
}

static int
revoke_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)e;
	if (is_status(found, "revoked"))
		return 1;
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "status", json_string("revoked"));
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_visitor_secret_end,
		    .param = { m->account, arg, "0" },
		    .nparams = 3 };
	return 0;
}

static int
secret_revoke(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "secret_id", id, e) != 0 ||
	    manage_update(m, &secret_object, id, "visitor_secret.revoke",
		revoke_apply, id, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_visitor_secret_revoke, secret_revoke)

struct rotation {
	char id[UUID_TEXT];
	struct making made;
	json_int_t overlap;
	json_t *shown; /* new reference, when it was done */
};

/* The old one's name; it ends when the overlap does. */
static int
rotate_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	struct rotation *r = arg;

	if (!is_status(found, "active"))
		return err_set(e, ERR_CONFLICT,
		    "a secret that is revoked or has expired is not replaced");
	r->made.name = mem_strdup(
	    m->ctx, json_string_value(json_object_get(found->json, "name")));
	json_decref(r->shown);
	r->shown = shown_of(&r->made);
	json_object_set_new(r->shown, "replaces", json_string(r->id));
	c->after = json_incref(r->shown);
	c->answer = json_deep_copy(r->shown);
	c->status = 201;
	c->calls[c->ncalls++] = create_call(m, &r->made);
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_visitor_secret_end,
		    .param = { m->account, r->id,
			mem_printf(m->ctx, "%lld", (long long)r->overlap) },
		    .nparams = 3 };
	return 0;
}

static int
secret_rotate(struct manage *m, struct err *e)
{
	struct rotation r = { .overlap = 0 };
	int rc;

	if (manage_id(m, "secret_id", r.id, e) != 0 ||
	    manage_body(m, "visitor_secret_rotate", e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (make(m, &r.made, e) != 0)
		return -1;
	r.overlap =
	    json_integer_value(json_object_get(m->body, "overlap_seconds"));
	rc = manage_update(m, &secret_object, r.id, "visitor_secret.rotate",
	    rotate_apply, &r, e);
	if (rc == 0)
		answer(m, &r.made, r.shown);
	json_decref(r.shown);
	return rc < 0 ? -1 : 0;
}
MANAGE_HANDLER(api_visitor_secret_rotate, secret_rotate)
