/* Accounts: an account's own settings, and the platform's list of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "api/reply.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

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

static int
account_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const json_t *active = json_object_get(m->body, "is_active");

	(void)arg;
	(void)e;
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
			limit_text(m, "requests_per_hour") },
		    .nparams = 6 };
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
	if (manage_body(m, "account_change", e) != 0 || check_fields(m, e) != 0)
		return -1;
	if (manage_update(m, &account_object, m->account, "account.update",
		account_apply, NULL, e) < 0)
		return tier_refused(m, e);
	return manage_show(m, &account_object, m->account, 200, e);
}
MANAGE_HANDLER(api_account_change, account_change)

static int
account_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "suspended", NULL };
	const char *tier = manage_query(m, "tier", e), *state;

	if (e->code != ERR_NONE)
		return -1;
	state = manage_word(m, "status", states, e);
	if (e->code != ERR_NONE)
		return -1;
	struct db_call call = { .stmt = &manage_store_accounts,
		.param = { tier, state == NULL                  ? NULL
				 : strcmp(state, "active") == 0 ? "t"
								: "f" },
		.nparams = 2 };

	return manage_page(m, &call, manage_store_account_cols, NULL, e);
}
MANAGE_HANDLER(api_account_list, account_list)

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
