/* Widget keys: public, bound to origins and perhaps to one agent. */
#include <string.h>

#include "account/account.h"
#include "api/manage/keys.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "api/validate.h"
#include "auth/store.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define TEXT_MAX ((size_t)64 * 1024)

static const struct manage_object key_object = { "widget_key",
	&manage_store_widget_key, &manage_store_widget_key_lock,
	manage_store_widget_key_cols, NULL };

static int
key_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "revoked", NULL };

	return manage_list(
	    m, &key_object, &manage_store_widget_keys, states, e);
}
MANAGE_HANDLER(api_widget_key_list, key_list)

static int
key_get(struct manage *m, struct err *e)
{
	return manage_get(m, &key_object, "key_id", e);
}
MANAGE_HANDLER(api_widget_key_get, key_get)

/* The body's origins, where it has any. */
static int
check_origins(struct manage *m, struct err *e)
{
	const json_t *list = json_object_get(m->body, "allowed_origins"), *v;
	int bad = 0;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (origin_entry_ok(json_string_value(v)))
			continue;
		bad++;
		manage_invalid(m, e,
		    mem_printf(m->ctx, "/allowed_origins/%zu", i),
		    "must be scheme://host in lower case, perhaps with :port "
		    "or :*");
	}
	return bad == 0 ? 0 : -1;
}

static const char *
json_text(struct manage *m, const json_t *v)
{
	struct buf b;

	buf_init(&b, m->ctx, TEXT_MAX);
	json_write(&b, v);
	return buf_failed(&b) ? NULL : b.data;
}

/* The database knows the agents. */
static int
agent_refused(struct manage *m, struct err *e)
{
	if (e->code == ERR_CONFLICT && strstr(e->text, "widget_keys_agent_fk"))
		return manage_invalid(
		    m, e, "/agent_id", "names no agent of this account");
	return -1;
}

static int
key_create(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	struct new_key *k;
	int rc;

	if (manage_body(m, "widget_key_create", e) != 0 ||
	    check_origins(m, e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	k = new_key(m, KEY_WIDGET);
	const json_t *origins = json_object_get(m->body, "allowed_origins");
	const char *name = manage_text(m, "name"),
		   *agent = manage_text(m, "agent_id");

	json_t *looks = json_object_get(m->body, "appearance");

	looks = looks != NULL ? json_incref(looks) : json_object();
	shown = json_pack("{s:s, s:s, s:s, s:s?, s:O, s:o, s:s, s:n, s:n, s:s}",
	    "id", k->id, "name", name, "prefix", k->prefix, "agent_id", agent,
	    "allowed_origins", origins, "appearance", looks, "status", "active",
	    "revoked_at", "last_used_at", "created_at", k->created_at);

	struct db_call call = { .stmt = &auth_store_widget_key_create,
		.param = { m->account, k->id, name, k->prefix, k->hash, agent,
		    json_text(m, origins), k->created_at, json_text(m, looks) },
		.nparams = 9 };
	struct manage_change c = { .action = "widget_key.create",
		.object = "widget_key",
		.id = k->id,
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc < 0)
		return agent_refused(m, e);
	return rc > 0 ? 0 : new_key_answer(m, k, shown);
}
MANAGE_HANDLER(api_widget_key_create, key_create)

static int
change_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)e;
	c->after = json_copy(found->json);
	json_object_update(c->after, m->body);
	if (json_equal(c->after, found->json))
		return 1;
	c->calls[c->ncalls++] = (struct db_call){
		.stmt = &manage_store_widget_key_change,
		.param = { m->account, arg,
		    json_string_value(json_object_get(c->after, "name")),
		    json_string_value(json_object_get(c->after, "agent_id")),
		    json_text(m, json_object_get(c->after, "allowed_origins")),
		    json_text(m, json_object_get(c->after, "appearance")) },
		.nparams = 6
	};
	return 0;
}

static int
key_change(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "key_id", id, e) != 0 ||
	    manage_body(m, "widget_key_change", e) != 0 ||
	    check_origins(m, e) != 0)
		return -1;
	if (manage_update(m, &key_object, id, "widget_key.update", change_apply,
		id, e) < 0)
		return agent_refused(m, e);
	return manage_show(m, &key_object, id, 200, e);
}
MANAGE_HANDLER(api_widget_key_change, key_change)

static int
revoke_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)e;
	if (!json_is_null(json_object_get(found->json, "revoked_at")))
		return 1;
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "status", json_string("revoked"));
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_widget_key_revoke,
		    .param = { m->account, arg },
		    .nparams = 2 };
	return 0;
}

static int
key_revoke(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "key_id", id, e) != 0 ||
	    manage_update(m, &key_object, id, "widget_key.revoke", revoke_apply,
		id, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_widget_key_revoke, key_revoke)
