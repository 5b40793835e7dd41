/*
 * Making and changing instances.  A configuration is checked before anything
 * is written; each save is one transaction that records its version, so the
 * table of versions has no gap.
 */
#include "agent/admin.h"

#include <stdio.h>
#include <string.h>

#include "agent/store.h"
#include "agent/template.h"
#include "audit/audit.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define DEADLINE (10 * CLOCK_S)
#define DISPLAY_MAX 200 /* characters */

/* Check ${configuration} against the template of ${type}. */
static int
check(const struct templates *templates, const char *type,
    const json_t *configuration, struct spec_error *errors, int *nerrors,
    struct err *e)
{
	const struct agent_template *t = templates_find(templates, type);
	struct agent_spec *s;

	*nerrors = 0;
	if (t == NULL)
		return err_set(e, ERR_INVALID,
		    "There is no template of type \"%.60s\".", type);
	if (spec_build_shown(t, configuration, &s, errors, nerrors) != 0)
		return err_set(e, ERR_INVALID,
		    "The configuration has %d error%s; the first, at \"%s\": "
		    "%s",
		    *nerrors, *nerrors == 1 ? "" : "s", errors[0].pointer,
		    errors[0].detail);
	agent_spec_unref(s);
	return 0;
}

/* The text that goes into the database; NULL cannot happen after check(). */
static const char *
as_text(const void *ctx, const json_t *configuration)
{
	struct buf b;

	buf_init(&b, ctx, 2 * SPEC_CONFIGURATION_MAX);
	json_write(&b, configuration);
	return buf_failed(&b) ? NULL : b.data;
}

static bool
display_ok(const char *s)
{
	size_t chars = 0;

	if (!str_utf8_valid(s, strlen(s)))
		return false;
	for (; *s != '\0'; s++)
		chars += ((unsigned char)*s & 0xc0) != 0x80;
	return chars >= 1 && chars <= DISPLAY_MAX;
}

/* The last call of a change: ${entry}, of which the caller has set what was and
 * what is. */
static void
record(const void *ctx, const struct uuid *account, struct audit_entry *entry,
    const char *action, const char *id_text, struct db_call *out)
{
	entry->action = action;
	entry->object_kind = "agent";
	entry->object_id = id_text;
	audit_call(ctx, account, entry, out);
}

/* What the database refused, in the words of this domain. */
static int
explain(const struct agent_new *n, struct err *e)
{
	if (e->code == ERR_LIMIT)
		e->kind = "max-agents";
	else if (e->code == ERR_CONFLICT && n != NULL &&
		 strstr(e->text, "agent_instances_name_key") != NULL)
		return err_set_kind(e, ERR_CONFLICT, NULL, 0,
		    "There is an agent %s/%s already.", n->type, n->name);
	else if (e->code == ERR_CONFLICT && n != NULL &&
		 strstr(e->text, "agent_instances_account_fk") != NULL)
		return err_set_kind(
		    e, ERR_NOT_FOUND, NULL, 0, "There is no such account.");
	return -1;
}

int
agent_create(struct db_pool *db, const struct templates *templates,
    const struct uuid *account, const struct agent_new *n, struct uuid *id,
    struct spec_error *errors, int *nerrors, struct err *e)
{
	char account_text[UUID_TEXT], id_text[UUID_TEXT];
	struct db_call calls[3] = {
		{ .stmt = &agent_store_create, .nparams = 6 },
		{ .stmt = &agent_store_version, .nparams = 3 },
	};
	json_auto_t *after = NULL;
	struct audit_entry entry = *n->who;
	struct uuid made;
	void *ctx;
	int rc;

	*nerrors = 0;
	if (!str_is_name(n->type) || !str_is_name(n->name))
		return err_set(e, ERR_INVALID,
		    "Type and name are lower-case letters, digits and _, at "
		    "most 63, a letter first.");
	if (!display_ok(n->display_name))
		return err_set(e, ERR_INVALID,
		    "The display name has 1 to %d characters.", DISPLAY_MAX);
	if (check(templates, n->type, n->configuration, errors, nerrors, e) !=
	    0)
		return -1;

	ctx = mem_root("agent_create");
	id_new(&made);
	id_format(account, account_text);
	id_format(&made, id_text);
	calls[0].param[0] = calls[1].param[0] = account_text;
	calls[0].param[1] = calls[1].param[1] = id_text;
	calls[0].param[2] = n->type;
	calls[0].param[3] = n->name;
	calls[0].param[4] = n->display_name;
	calls[0].param[5] = as_text(ctx, n->configuration);
	calls[1].param[2] = n->author;
	after = json_pack("{s:s, s:s, s:s, s:O}", "agent_type", n->type,
	    "instance_name", n->name, "display_name", n->display_name,
	    "configuration", n->configuration);
	entry.after = after;
	record(ctx, account, &entry, "agent.create", id_text, &calls[2]);
	rc = db_run(
	    db, DB_CONTROL, account, calls, 3, clock_mono() + DEADLINE, ctx, e);
	if (rc == 0)
		*id = made;
	else
		rc = explain(n, e);
	mem_free(ctx);
	return rc;
}

static int
no_agent(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "There is no such agent.");
}

/* An instance as it is now, below ctx. */
struct now {
	const char *type, *status;
	json_t *configuration; /* a new reference */
};

static int
now_of(struct db_pool *db, const struct uuid *account, const char *id_text,
    const void *ctx, struct now *out, struct err *e)
{
	char account_text[UUID_TEXT];
	struct db_call call = { .stmt = &agent_store_now,
		.param = { account_text, id_text },
		.nparams = 2 };

	id_format(account, account_text);
	if (db_run(db, DB_CONTROL, account, &call, 1, clock_mono() + DEADLINE,
		ctx, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return no_agent(e);
	out->type = db_text(call.result, 0, 0);
	out->status = db_text(call.result, 0, 1);
	out->configuration = json_loadb(
	    db_text(call.result, 0, 2), db_len(call.result, 0, 2), 0, NULL);
	return 0;
}

int
agent_configure(struct db_pool *db, const struct templates *templates,
    const struct uuid *account, const struct uuid *id,
    const json_t *configuration, const char *author,
    const struct audit_entry *who, int64_t *version, struct spec_error *errors,
    int *nerrors, struct err *e)
{
	char account_text[UUID_TEXT], id_text[UUID_TEXT];
	struct db_call calls[3] = {
		{ .stmt = &agent_store_configure, .nparams = 3 },
		{ .stmt = &agent_store_version, .nparams = 3 },
	};
	json_auto_t *before = NULL, *after = NULL;
	void *ctx = mem_root("agent_configure");
	struct audit_entry entry = *who;
	struct now now = { 0 };
	int rc = -1;

	*nerrors = 0;
	id_format(account, account_text);
	id_format(id, id_text);
	if (now_of(db, account, id_text, ctx, &now, e) != 0 ||
	    check(templates, now.type, configuration, errors, nerrors, e) != 0)
		goto out;

	calls[0].param[0] = calls[1].param[0] = account_text;
	calls[0].param[1] = calls[1].param[1] = id_text;
	calls[0].param[2] = as_text(ctx, configuration);
	calls[1].param[2] = author;
	before = json_pack("{s:O?}", "configuration", now.configuration);
	after = json_pack("{s:O}", "configuration", configuration);
	entry.before = before;
	entry.after = after;
	record(ctx, account, &entry, "agent.configure", id_text, &calls[2]);
	if (db_run(db, DB_CONTROL, account, calls, 3, clock_mono() + DEADLINE,
		ctx, e) != 0) {
		explain(NULL, e);
		goto out;
	}
	*version = db_int(calls[1].result, 0, 0);
	rc = 0;
out:
	json_decref(now.configuration);
	mem_free(ctx);
	return rc;
}

int
agent_set_status(struct db_pool *db, const struct uuid *account,
    const struct uuid *id, const char *status, const struct audit_entry *who,
    struct err *e)
{
	static const struct {
		const char *status, *action;
	} known[] = { { "active", "agent.activate" },
		{ "inactive", "agent.deactivate" },
		{ "archived", "agent.archive" } };
	char account_text[UUID_TEXT], id_text[UUID_TEXT];
	struct db_call calls[2] = { { .stmt = &agent_store_status,
	    .param = { account_text, id_text, status },
	    .nparams = 3 } };
	json_auto_t *before = NULL, *after = NULL;
	struct audit_entry entry = *who;
	const char *action = NULL;
	struct now now = { 0 };
	void *ctx;
	int rc;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(status, known[i].status) == 0)
			action = known[i].action;
	if (action == NULL)
		return err_set(e, ERR_INVALID,
		    "A status is active, inactive or archived.");
	ctx = mem_root("agent_set_status");
	id_format(account, account_text);
	id_format(id, id_text);
	rc = now_of(db, account, id_text, ctx, &now, e);
	if (rc == 0) {
		before = json_pack("{s:s}", "status", now.status);
		after = json_pack("{s:s}", "status", status);
		entry.before = before;
		entry.after = after;
		record(ctx, account, &entry, action, id_text, &calls[1]);
		rc = db_run(db, DB_CONTROL, account, calls, 2,
		    clock_mono() + DEADLINE, ctx, e);
		if (rc != 0)
			rc = explain(NULL, e);
	}
	json_decref(now.configuration);
	mem_free(ctx);
	return rc;
}
