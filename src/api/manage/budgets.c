/* Budgets: how much an account, an agent or a key may use in a day or month. */
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "http/request.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define READ_WAIT (10 * CLOCK_S)

static const struct manage_object budget_object = { "budget",
	&manage_store_budget, &manage_store_budget_lock,
	manage_store_budget_cols, NULL };

static int
budget_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "paused", NULL };

	return manage_list(m, &budget_object, &manage_store_budgets, states, e);
}
MANAGE_HANDLER(api_budget_list, budget_list)

static int
budget_get(struct manage *m, struct err *e)
{
	return manage_get(m, &budget_object, "budget_id", e);
}
MANAGE_HANDLER(api_budget_get, budget_get)

/* A number or true or false as SQL reads it; NULL for null and nothing. */
static const char *
scalar(struct manage *m, const json_t *v)
{
	char *text = v == NULL || json_is_null(v)
	                 ? NULL
	                 : json_dumps(v, JSON_ENCODE_ANY);
	const char *copy = text != NULL ? mem_strdup(m->ctx, text) : NULL;

	free(text);
	return copy;
}

/* What the schema does not say. */
static int
check(struct manage *m, const json_t *b, const char *unit, struct err *e)
{
	const json_t *limit = json_object_get(b, "limit");

	if (strcmp(unit, "tokens") == 0 && json_is_real(limit))
		return manage_invalid(
		    m, e, "/limit", "must be a whole number of tokens");
	if (strcmp(unit, "usd") == 0 && json_number_value(limit) > 1e9)
		return manage_invalid(
		    m, e, "/limit", "must be at most 1000000000 USD");
	return 0;
}

static int
check_subject(struct manage *m, struct err *e)
{
	bool account = strcmp(manage_text(m, "scope"), "account") == 0;
	const char *subject = manage_text(m, "subject_id");

	if (account && subject != NULL)
		return manage_invalid(m, e, "/subject_id",
		    "must not stand where the scope is the account");
	if (!account && subject == NULL)
		return manage_invalid(
		    m, e, "/subject_id", "must be the id of the agent or key");
	return 0;
}

/* A period that has begun counts whole: what was used so far, and how many
 * answers had no price, as texts. */
static int
used_so_far(struct manage *m, const char *used[2], struct err *e)
{
	struct db_call call = { .stmt = &manage_store_budget_used,
		.param = { m->account, manage_text(m, "scope"),
		    manage_text(m, "subject_id"), manage_text(m, "unit"),
		    manage_text(m, "period") },
		.nparams = 5 };

	if (db_run(m->app->db, DB_READ, &m->who->account->id, &call, 1,
		m->req->started + READ_WAIT, m->ctx, e) != 0)
		return -1;
	used[0] = mem_strdup(m->ctx, db_text(call.result, 0, 0));
	used[1] = mem_strdup(m->ctx, db_text(call.result, 0, 1));
	return 0;
}

/* The database knows agents and keys. */
static int
subject_refused(struct manage *m, struct err *e)
{
	if (e->code == ERR_NOT_FOUND)
		return manage_invalid(m, e, "/subject_id",
		    "names no %s of this account",
		    strcmp(manage_text(m, "scope"), "agent") == 0 ? "agent"
								  : "key");
	return -1;
}

static json_t *
shown_new(struct manage *m, const char *id, const char *at)
{
	json_t *o = json_deep_copy(m->body);

	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "created_at", json_string(at));
	if (json_object_get(o, "subject_id") == NULL)
		json_object_set_new(o, "subject_id", json_null());
	if (json_object_get(o, "soft_percent") == NULL)
		json_object_set_new(o, "soft_percent", json_null());
	if (json_object_get(o, "hard") == NULL)
		json_object_set_new(o, "hard", json_true());
	if (json_object_get(o, "status") == NULL)
		json_object_set_new(o, "status", json_string("active"));
	return o;
}

static int
budget_create(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	char id[UUID_TEXT], at[CLOCK_RFC3339_SIZE];
	const char *used[2] = { "0", "0" };
	struct uuid u;
	int rc;

	if (manage_body(m, "budget_create", e) != 0 ||
	    check(m, m->body, manage_text(m, "unit"), e) != 0 ||
	    check_subject(m, e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (used_so_far(m, used, e) != 0)
		return -1;
	id_new(&u);
	id_format(&u, id);
	clock_rfc3339(clock_wall_us(), at);
	shown = shown_new(m, id, at);
	struct db_call calls[] = {
		{ .stmt = &manage_store_budget_create,
		    .param = { m->account, id, manage_text(m, "name"),
			manage_text(m, "scope"), manage_text(m, "subject_id"),
			manage_text(m, "period"), manage_text(m, "unit"),
			scalar(m, json_object_get(shown, "limit")),
			scalar(m, json_object_get(shown, "soft_percent")),
			scalar(m, json_object_get(shown, "hard")),
			json_string_value(json_object_get(shown, "status")),
			at },
		    .nparams = 12 },
		{ .stmt = &manage_store_budget_period,
		    .param = { m->account, id, used[0], used[1] },
		    .nparams = 4 },
	};
	struct manage_change c = { .action = "budget.create",
		.object = "budget",
		.id = id,
		.after = shown,
		.calls = calls,
		.ncalls = 2,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc < 0)
		return subject_refused(m, e);
	return rc > 0 ? 0 : manage_show(m, &budget_object, id, 201, e);
}
MANAGE_HANDLER(api_budget_create, budget_create)

static int
change_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const json_t *after;

	c->after = json_copy(found->json);
	json_object_update(c->after, m->body);
	if (json_equal(c->after, found->json))
		return 1;
	after = c->after;
	if (check(m, after, json_string_value(json_object_get(after, "unit")),
		e) != 0)
		return -1;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_budget_change,
		    .param = { m->account, arg,
			json_string_value(json_object_get(after, "name")),
			scalar(m, json_object_get(after, "limit")),
			scalar(m, json_object_get(after, "soft_percent")),
			scalar(m, json_object_get(after, "hard")),
			json_string_value(json_object_get(after, "status")) },
		    .nparams = 7 };
	return 0;
}

static int
budget_change(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "budget_id", id, e) != 0 ||
	    manage_body(m, "budget_change", e) != 0 ||
	    manage_update(m, &budget_object, id, "budget.update", change_apply,
		id, e) < 0)
		return -1;
	return manage_show(m, &budget_object, id, 200, e);
}
MANAGE_HANDLER(api_budget_change, budget_change)

static int
delete_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)found;
	(void)e;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_budget_delete,
		    .param = { m->account, arg },
		    .nparams = 2 };
	return 0;
}

static int
budget_delete(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "budget_id", id, e) != 0 ||
	    manage_update(m, &budget_object, id, "budget.delete", delete_apply,
		id, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_budget_delete, budget_delete)
