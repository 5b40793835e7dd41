/* Accounts: an account's own settings, and the platform's list of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "api/reply.h"
#include "auth/key.h"
#include "auth/sign_in.h"
#include "http/request.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PROOF_WAIT (10 * CLOCK_S)

static const struct manage_object account_object = { "account",
	&manage_store_account, &manage_store_account_lock,
	manage_store_account_cols, NULL };

static int
account_get(struct manage *m, struct err *e)
{
	return manage_show(m, &account_object, m->account, 200, e);
}
MANAGE_HANDLER(api_account_get, account_get)

/* A limit as the statement takes it: a number, "-1", "default" or "keep". */
static const char *
limit_text(const struct manage *m, const char *key)
{
	const json_t *v = json_object_get(m->body, key);

	if (v == NULL)
		return "keep";
	if (json_is_integer(v))
		return mem_printf(
		    m->ctx, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return strcmp(json_string_value(v), "default") == 0 ? "default" : "-1";
}

/* What a member of the platform's is, is not for the account's own people. */
static int
check_fields(struct manage *m, struct err *e)
{
	static const char *const platform[] = { "tier", "is_active",
		"max_agents", "requests_per_hour" };

	for (size_t i = 0; i < sizeof(platform) / sizeof(platform[0]); i++)
		if (json_object_get(m->body, platform[i]) != NULL &&
		    manage_may(m, PERM_ACCOUNT_LIMITS, e) != 0)
			return -1;
	return 0;
}

/* Of whom a second factor is wanted, as the statement takes it: *text NULL
 * leaves it.  Roles must be there: a slip of the pen would ask nobody. */
static int
factor_roles(struct manage *m, const char **text, struct err *e)
{
	const json_t *v = json_object_get(m->body, "require_second_factor");
	const char *word = json_string_value(v);
	enum role role;
	json_t *name;
	size_t i;

	*text = NULL;
	if (word != NULL)
		*text = strcmp(word, "none") == 0  ? "[]"
		        : strcmp(word, "all") == 0 ? "[\"*\"]"
		                                   : "[\"+\"]";
	if (!json_is_array(v))
		return 0;
	json_array_foreach(v, i, name)
	{
		const char *said = json_string_value(name);
		struct db_call call = { .stmt = &manage_store_role_perms,
			.param = { m->account, said },
			.nparams = 2 };

		if (role_parse(said, &role) == 0 && role_for_key(role))
			continue;
		if (manage_read(m, &call, e) != 0)
			return -1;
		if (db_rows(call.result) == 0)
			return manage_invalid(m, e,
			    mem_printf(m->ctx, "/require_second_factor/%zu", i),
			    "is no role of the account");
	}
	*text = manage_json(m->ctx, v);
	return 0;
}

static bool
is_ending(const struct manage_found *found)
{
	return json_is_string(json_object_get(found->json, "ends_at"));
}

static int
account_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const json_t *active = json_object_get(m->body, "is_active");

	if (json_is_true(active) && is_ending(found))
		return err_set(e, ERR_CONFLICT,
		    "the account is going to be deleted: restore it");
	c->after = json_copy(found->json);
	json_object_update(c->after, m->body);
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_account_change,
		    .param = { m->account, manage_text(m, "name"),
			manage_text(m, "tier"),
			active == NULL         ? NULL
			: json_is_true(active) ? "t"
					       : "f",
			limit_text(m, "max_agents"),
			limit_text(m, "requests_per_hour"), arg,
			manage_text(m, "credential_strategy") },
		    .nparams = 8 };
	return 0;
}

/* The database knows the tiers. */
static int
tier_refused(struct manage *m, struct err *e)
{
	if (e->code == ERR_CONFLICT && strstr(e->text, "accounts_tier_fkey"))
		return manage_invalid(m, e, "/tier", "names no tier");
	return -1;
}

static int
account_change(struct manage *m, struct err *e)
{
	const char *roles;

	if (manage_body(m, "account_change", e) != 0 ||
	    check_fields(m, e) != 0 || factor_roles(m, &roles, e) != 0)
		return -1;
	if (manage_update(m, &account_object, m->account, "account.update",
		account_apply, (void *)(uintptr_t)roles, e) < 0)
		return tier_refused(m, e);
	return manage_show(m, &account_object, m->account, 200, e);
}
MANAGE_HANDLER(api_account_change, account_change)

static int
account_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "suspended", "ending",
		NULL };
	const char *tier = manage_query(m, "tier", e), *state;
	bool active, ending;

	if (e->code != ERR_NONE)
		return -1;
	state = manage_word(m, "status", states, e);
	if (e->code != ERR_NONE)
		return -1;
	active = state != NULL && strcmp(state, "active") == 0;
	ending = state != NULL && strcmp(state, "ending") == 0;
	struct db_call call = { .stmt = &manage_store_accounts,
		.param = { tier,
		    state == NULL ? NULL
		    : active      ? "t"
				  : "f",
		    ending ? "t" : NULL },
		.nparams = 3 };

	return manage_page(m, &call, manage_store_account_cols, NULL, e);
}
MANAGE_HANDLER(api_account_list, account_list)

/* An owner proves once more who is there; a key has nothing to prove it by. */
static int
prove(struct manage *m, struct err *e)
{
	const char *password = manage_text(m, "password");

	if (m->who->key->role == ROLE_PLATFORM_ADMIN)
		return 0;
	if (guard_person(m->who, e) != 0)
		return -1;
	if (sign_in_prove(m->app->db, &m->who->key->id, &m->who->sign_in,
		password, m->req->started + PROOF_WAIT, e) == 0)
		return 0;
	return e->code == ERR_INVALID
	           ? manage_invalid(m, e, "/password", "%s",
			 password == NULL ? "is needed" : "is no password")
	           : -1;
}

static int
end_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	char ends[CLOCK_RFC3339_SIZE];

	(void)arg;
	(void)e;
	if (is_ending(found))
		return 1;
	clock_rfc3339(
	    clock_wall_us() + m->app->grace_days * INT64_C(86400000000), ends);
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "is_active", json_false());
	json_object_set_new(c->after, "ends_at", json_string(ends));
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_account_end,
		    .param = { m->account, mem_printf(m->ctx, "%lld",
					       (long long)m->app->grace_days) },
		    .nparams = 2 };
	return 0;
}

static int
account_end(struct manage *m, struct err *e)
{
	if (manage_body(m, "account_end", e) != 0 || prove(m, e) != 0 ||
	    manage_update(m, &account_object, m->account, "account.delete",
		end_apply, NULL, e) < 0)
		return -1;
	return manage_show(m, &account_object, m->account, 202, e);
}
MANAGE_HANDLER(api_account_end, account_end)

static int
restore_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)arg;
	if (!is_ending(found))
		return err_set(
		    e, ERR_CONFLICT, "the account is not going to be deleted");
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "is_active", json_true());
	json_object_set_new(c->after, "ends_at", json_null());
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_account_restore,
		    .param = { m->account },
		    .nparams = 1 };
	return 0;
}

static int
account_restore(struct manage *m, struct err *e)
{
	if (manage_update(m, &account_object, m->account, "account.restore",
		restore_apply, NULL, e) < 0)
		return -1;
	return manage_show(m, &account_object, m->account, 200, e);
}
MANAGE_HANDLER(api_account_restore, account_restore)

static int
account_refused(struct manage *m, struct err *e)
{
	if (e->code == ERR_CONFLICT && strstr(e->text, "accounts_slug_key"))
		return err_set_kind(e, ERR_CONFLICT, NULL, 0,
		    "there is an account %.63s already",
		    manage_text(m, "slug"));
	if (e->code == ERR_CONFLICT && strstr(e->text, "accounts_pkey"))
		return err_set_kind(e, ERR_INVALID, "idempotency-key-reused", 0,
		    "another request was made with this Idempotency-Key");
	return tier_refused(m, e);
}

static int
account_create(struct manage *m, struct err *e)
{
	const char *tier;
	char id[UUID_TEXT], now[CLOCK_RFC3339_SIZE];
	struct uuid made;
	int rc;

	if (manage_body(m, "account_create", e) != 0)
		return -1;
	manage_new_id(m, &made);
	rc = manage_replay(m, &made, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	id_format(&made, id);
	clock_rfc3339(clock_wall_us(), now);
	tier = manage_text(m, "tier");
	if (tier == NULL)
		tier = "standard";

	json_auto_t *shown = json_pack("{s:s, s:O, s:O, s:s, s:b, s:s}", "id",
	    id, "slug", json_object_get(m->body, "slug"), "name",
	    json_object_get(m->body, "name"), "tier", tier, "is_active", 1,
	    "created_at", now);
	struct db_call call = { .stmt = &manage_store_account_create,
		.param = { id, manage_text(m, "slug"), manage_text(m, "name"),
		    tier, now },
		.nparams = 5 };
	struct manage_change c = { .action = "account.create",
		.object = "account",
		.id = id,
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.account = &made,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc < 0)
		return account_refused(m, e);
	return rc > 0 ? 0 : manage_answer(m, 201, shown, NULL);
}
MANAGE_HANDLER(api_account_create, account_create)
