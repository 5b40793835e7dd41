/*
 * Keys for model providers: an account's own, and the platform's, by the same
 * functions.  A key is shown by nobody; it goes to no other address than it was
 * set for, and an address that an account sets passes the egress guard.
 */
#include "api/manage/credentials.h"

#include <string.h>

#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "gateway/health.h"
#include "gateway/preset.h"
#include "gateway/seal.h"
#include "gateway/store.h"
#include "http/request.h"
#include "net/egress.h"
#include "sso/fetch.h"
#include "sso/sso.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)

/* --- what is shown -------------------------------------------------------- */

static int64_t
own(const json_t *o, const char *name, int64_t preset)
{
	const json_t *v = json_object_get(o, name);

	return json_is_integer(v) ? json_integer_value(v) : preset;
}

static json_t *
limit(int64_t n)
{
	return n > 0 ? json_integer(n) : json_null();
}

/* What holds of its limits, and how it fares; where it lies in shared memory is
 * nobody's business. */
static void
finish(json_t *o)
{
	struct preset p =
	    preset_of(json_string_value(json_object_get(o, "provider")),
		(int)json_integer_value(json_object_get(o, "tier")));
	const json_t *slot = json_object_get(o, "slot");
	const struct health_limits l = { own(o, "rpm", p.rpm),
		own(o, "tpm", p.tpm), own(o, "itpm", p.itpm) };

	json_object_set_new(o, "limits",
	    json_pack("{s:o, s:o, s:o}", "rpm", limit(l.rpm), "tpm",
		limit(l.tpm), "itpm", limit(l.itpm)));
	if (slot != NULL)
		json_object_set_new(o, "live",
		    credential_live((uint32_t)json_integer_value(slot), &l));
	json_object_del(o, "slot");
}

void
credential_settled(json_t *shown)
{
	json_object_del(shown, "live");
	json_object_del(shown, "limits");
	json_object_del(shown, "last_used_at");
}

const struct manage_object credential_object = { "credential",
	&manage_store_credential, &manage_store_credential_lock,
	manage_store_credential_cols, finish };

static int
credential_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "disabled", NULL };
	static const char *const providers[] = { "openai", "anthropic", NULL };
	const char *status = manage_word(m, "status", states, e), *provider;

	if (e->code != ERR_NONE)
		return -1;
	provider = manage_word(m, "provider", providers, e);
	if (e->code != ERR_NONE)
		return -1;
	struct db_call call = { .stmt = &manage_store_credentials,
		.param = { m->account, status, provider },
		.nparams = 3 };

	return manage_page(m, &call, manage_store_credential_cols, finish, e);
}
CREDENTIAL_HANDLER(list)

static int
credential_get(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "credential_id", id, e) != 0)
		return -1;
	return manage_show(m, &credential_object, id, 200, e);
}
CREDENTIAL_HANDLER(get)

/* --- what it is to be ----------------------------------------------------- */

/* The address as it is called, without a slash at its end; *out NULL: the
 * vendor's.  What the operator sets is only read. */
static int
check_base(struct manage *m, const char **out, struct err *e)
{
	const char *text = manage_text(m, "base_url");
	const struct fetcher *f = sso_fetcher(m->app->sso);
	struct egress_url *u = mem_new(m->ctx, struct egress_url);
	struct err why = { 0 };
	size_t n;

	*out = NULL;
	if (text == NULL)
		return 0;
	if (egress_parse(text, u, &why) != 0 ||
	    (m->who->account != NULL &&
		egress_check_url(f->net, f->egress, text,
		    m->req->started + WAIT, &why) != 0))
		return manage_invalid(
		    m, e, "/base_url", "is not good: %s", why.text);
	if (strchr(u->text, '?') != NULL)
		return manage_invalid(m, e, "/base_url", "must have no query");
	n = strlen(u->text);
	while (n > 0 && u->text[n - 1] == '/')
		n--;
	*out = mem_strndup(m->ctx, u->text, n);
	return 0;
}

/* A pattern is a model's name, or its beginning with * at the end. */
static int
check_models(struct manage *m, struct err *e)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(m->body, "models"), i, v)
	{
		const char *text = json_string_value(v);
		const char *star = strchr(text, '*');

		if (star != NULL && star[1] != '\0')
			return manage_invalid(m, e,
			    mem_printf(m->ctx, "/models/%zu", i),
			    "may have a * at its end only");
	}
	return 0;
}

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* A number as a parameter; NULL: null. */
static const char *
number_of(struct manage *m, const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_integer(v) ? mem_printf(m->ctx, "%" JSON_INTEGER_FORMAT,
					json_integer_value(v))
	                          : NULL;
}

/* The members that make it up, from ${o} into ${p}: base_url to status. */
static void
settings(struct manage *m, const json_t *o, const char **p)
{
	static const char *const numbers[] = { "tier", "rpm", "tpm", "itpm",
		"weight", "priority" };

	*p++ = text_of(o, "base_url");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		*p++ = number_of(m, o, numbers[i]);
	*p++ = manage_json(m->ctx, json_object_get(o, "models"));
	*p = text_of(o, "status");
}

/* The body's key, sealed for ${id}. */
static int
seal(struct manage *m, const char *id, struct sealed_key *out, struct err *e)
{
	struct uuid row;

	if (id_parse(id, strlen(id), &row) != 0)
		return err_set(e, ERR_INTERNAL, "an id that is none");
	return seal_key(m->app->vault, m->whose, &row, manage_text(m, "key"),
	    m->req->started + WAIT, m->ctx, out, e);
}

static int
refused(struct manage *m, struct err *e)
{
	if (e->code == ERR_CONFLICT &&
	    strstr(e->text, "llm_credentials_name_key"))
		return err_set(e, ERR_CONFLICT,
		    "there is a credential of that name already");
	(void)m;
	return -1;
}

/* --- making --------------------------------------------------------------- */

/* What a body may leave out, and what it says. */
static json_t *
made_of(const struct manage *m, const char *id, const char *base,
    const char *hint, const char *now)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:n, s:n, s:n, s:i, s:i, s:[], "
			      "s:s, s:n, s:s, s:s}",
	    "id", id, "hint", hint, "tier", 1, "rpm", "tpm", "itpm", "weight",
	    100, "priority", 100, "models", "status", "active", "last_used_at",
	    "created_at", now, "updated_at", now);

	json_object_update(o, m->body);
	json_object_set_new(
	    o, "base_url", base != NULL ? json_string(base) : json_null());
	json_object_del(o, "key");
	finish(o);
	return o;
}

static int
credential_create(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	char id[UUID_TEXT], now[CLOCK_RFC3339_SIZE];
	struct sealed_key key;
	struct uuid row;
	const char *base;
	int rc;

	if (manage_body(m, "credential_create", e) != 0 ||
	    check_base(m, &base, e) != 0 || check_models(m, e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	id_new(&row);
	id_format(&row, id);
	clock_rfc3339(clock_wall_us(), now);
	if (seal(m, id, &key, e) != 0)
		return -1;
	shown = made_of(m, id, base, key.hint, now);

	struct db_call call = { .stmt = &gateway_store_add,
		.param = { m->account, id, text_of(shown, "provider"),
		    text_of(shown, "name"), (const char *)key.bytes,
		    key.version, key.hint },
		.nparams = 17,
		.binary = 1U << GATEWAY_ADD_SEALED };
	struct manage_change c = { .action = "credential.create",
		.object = "credential",
		.id = id,
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.status = 201,
		.answer = shown };

	call.plen[GATEWAY_ADD_SEALED] = (int)key.len;
	settings(m, shown, &call.param[7]);
	call.param[16] = now;
	rc = manage_commit(m, &c, e);
	if (rc < 0)
		return refused(m, e);
	return rc > 0 ? 0 : manage_answer(m, 201, shown, NULL);
}
CREDENTIAL_HANDLER(create)

/* --- changing ------------------------------------------------------------- */

struct changing {
	const char *id, *base;
};

static struct db_call
key_call(struct manage *m, const char *id, const struct sealed_key *key)
{
	struct db_call call = { .stmt = &gateway_store_key,
		.param = { m->account, id, (const char *)key->bytes,
		    key->version, key->hint },
		.nparams = 5,
		.binary = 1U << GATEWAY_KEY_SEALED };

	call.plen[GATEWAY_KEY_SEALED] = (int)key->len;
	return call;
}

/* Put the body's key in the place of the old one; what is recorded says that it
 * is another, by its hint. */
static int
replace_key(
    struct manage *m, const char *id, struct manage_change *c, struct err *e)
{
	struct sealed_key *key = mem_new(m->ctx, struct sealed_key);

	if (seal(m, id, key, e) != 0)
		return -1;
	json_object_set_new(c->after, "hint", json_string(key->hint));
	json_object_set_new(c->after, "key", json_string("a new one"));
	c->calls[c->ncalls++] = key_call(m, id, key);
	return 0;
}

static int
change_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const struct changing *a = arg;
	const json_t *was = json_object_get(found->json, "base_url");
	bool key = manage_text(m, "key") != NULL;
	struct db_call *call = &c->calls[c->ncalls];

	credential_settled(found->json);
	c->after = json_copy(found->json);
	json_object_update(c->after, m->body);
	if (json_object_get(m->body, "base_url") != NULL)
		json_object_set_new(c->after, "base_url",
		    a->base != NULL ? json_string(a->base) : json_null());
	json_object_del(c->after, "key");
	/* Else whoever may write here could have it sent to himself. */
	if (!key && !json_equal(was, json_object_get(c->after, "base_url")))
		return manage_invalid(m, e, "/key",
		    "must be given with another base_url: a key goes to no "
		    "other address than it was set for");
	if (!key && json_equal(c->after, found->json))
		return 1;
	*call = (struct db_call){ .stmt = &gateway_store_change,
		.param = { m->account, a->id, text_of(c->after, "name") },
		.nparams = 12 };
	settings(m, c->after, &call->param[3]);
	c->ncalls++;
	return key ? replace_key(m, a->id, c, e) : 0;
}

static int
credential_change(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];
	struct changing a = { .id = id };

	if (manage_id(m, "credential_id", id, e) != 0 ||
	    manage_body(m, "credential_change", e) != 0 ||
	    check_base(m, &a.base, e) != 0 || check_models(m, e) != 0)
		return -1;
	if (manage_update(m, &credential_object, id, "credential.update",
		change_apply, &a, e) < 0)
		return refused(m, e);
	return manage_show(m, &credential_object, id, 200, e);
}
CREDENTIAL_HANDLER(change)

static int
key_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	credential_settled(found->json);
	c->after = json_copy(found->json);
	return replace_key(m, arg, c, e);
}

static int
credential_key(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "credential_id", id, e) != 0 ||
	    manage_body(m, "credential_key", e) != 0 ||
	    manage_update(m, &credential_object, id, "credential.key",
		key_apply, id, e) < 0)
		return -1;
	return manage_show(m, &credential_object, id, 200, e);
}
CREDENTIAL_HANDLER(key)

static int
remove_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)e;
	credential_settled(found->json);
	c->calls[c->ncalls++] = (struct db_call){ .stmt = &gateway_store_remove,
		.param = { m->account, arg },
		.nparams = 2 };
	return 0;
}

static int
credential_remove(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "credential_id", id, e) != 0 ||
	    manage_update(m, &credential_object, id, "credential.delete",
		remove_apply, id, e) < 0)
		return -1;
	return manage_gone(m);
}
CREDENTIAL_HANDLER(remove)
