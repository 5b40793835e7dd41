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
    const char *action, const char *which, struct db_call *out)
{
	entry->action = action;
	entry->object_kind = "agent";
	entry->object_id = which;
	audit_call(ctx, account, entry, out);
}

int
agent_refused(const struct agent_new *n, struct err *e)
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

static const char *
id_text(const void *ctx, const struct uuid *id)
{
	char text[UUID_TEXT];

	id_format(id, text);
	return mem_strdup(ctx, text);
}

int
agent_create_calls(const void *ctx, const struct templates *templates,
    const struct uuid *account, const struct uuid *id,
    const struct agent_new *n, struct agent_change *out,
    struct spec_error *errors, int *nerrors, struct err *e)
{
	const char *whose = id_text(ctx, account), *which = id_text(ctx, id);

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
	*out = (struct agent_change){ .ncalls = 2,
		.calls = {
		    { .stmt = &agent_store_create,
			.param = { whose, which, n->type, n->name,
			    n->display_name, as_text(ctx, n->configuration),
			    n->created_at },
			.nparams = 7 },
		    { .stmt = &agent_store_version,
			.param = { whose, which, n->author },
			.nparams = 3 },
		} };
	return 0;
}

int
agent_create(struct db_pool *db, const struct templates *templates,
    const struct uuid *account, const struct agent_new *n, struct uuid *id,
    struct spec_error *errors, int *nerrors, struct err *e)
{
	void *ctx = mem_root("agent_create");
	struct audit_entry entry = *n->who;
	json_auto_t *after = NULL;
	struct agent_change c;
	struct uuid made;
	int rc;

	id_new(&made);
	rc = agent_create_calls(
	    ctx, templates, account, &made, n, &c, errors, nerrors, e);
	if (rc == 0) {
		after = json_pack("{s:s, s:s, s:s, s:O}", "agent_type", n->type,
		    "instance_name", n->name, "display_name", n->display_name,
		    "configuration", n->configuration);
		entry.after = after;
		record(ctx, account, &entry, "agent.create",
		    id_text(ctx, &made), &c.calls[c.ncalls++]);
		rc = db_run(db, DB_CONTROL, account, c.calls, c.ncalls,
		    clock_mono() + DEADLINE, ctx, e);
		if (rc != 0)
			agent_refused(n, e);
	}
	if (rc == 0)
		*id = made;
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
now_of(struct db_pool *db, const struct uuid *account, const char *which,
    const void *ctx, struct now *out, struct err *e)
{
	char account_text[UUID_TEXT];
	struct db_call call = { .stmt = &agent_store_now,
		.param = { account_text, which },
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
agent_configure_calls(const void *ctx, const struct templates *templates,
    const struct uuid *account, const struct uuid *id, const char *type,
    const json_t *configuration, const char *author, struct agent_change *out,
    struct spec_error *errors, int *nerrors, struct err *e)
{
	const char *whose = id_text(ctx, account), *which = id_text(ctx, id);

	if (check(templates, type, configuration, errors, nerrors, e) != 0)
		return -1;
	*out = (struct agent_change){ .ncalls = 2,
		.calls = {
		    { .stmt = &agent_store_configure,
			.param = { whose, which, as_text(ctx, configuration) },
			.nparams = 3 },
		    { .stmt = &agent_store_version,
			.param = { whose, which, author },
			.nparams = 3 },
		} };
	return 0;
}

int
agent_configure(struct db_pool *db, const struct templates *templates,
    const struct uuid *account, const struct uuid *id,
    const json_t *configuration, const char *author,
    const struct audit_entry *who, int64_t *version, struct spec_error *errors,
    int *nerrors, struct err *e)
{
	json_auto_t *before = NULL, *after = NULL;
	void *ctx = mem_root("agent_configure");
	struct audit_entry entry = *who;
	const char *which = id_text(ctx, id);
	struct now now = { 0 };
	struct agent_change c;
	int rc = -1;

	*nerrors = 0;
	if (now_of(db, account, which, ctx, &now, e) != 0 ||
	    agent_configure_calls(ctx, templates, account, id, now.type,
		configuration, author, &c, errors, nerrors, e) != 0)
		goto out;
	before = json_pack("{s:O?}", "configuration", now.configuration);
	after = json_pack("{s:O}", "configuration", configuration);
	entry.before = before;
	entry.after = after;
	record(ctx, account, &entry, "agent.configure", which,
	    &c.calls[c.ncalls++]);
	if (db_run(db, DB_CONTROL, account, c.calls, c.ncalls,
		clock_mono() + DEADLINE, ctx, e) != 0) {
		agent_refused(NULL, e);
		goto out;
	}
	*version = db_int(c.calls[1].result, 0, 0);
	rc = 0;
out:
	json_decref(now.configuration);
	mem_free(ctx);
	return rc;
}

static int
status_check(const char *status, struct err *e)
{
	static const char *const known[] = { "active", "inactive", "archived" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(status, known[i]) == 0)
			return 0;
	return err_set(
	    e, ERR_INVALID, "A status is active, inactive or archived.");
}

int
agent_change_calls(const void *ctx, const struct uuid *account,
    const struct uuid *id, const char *display_name, const char *status,
    struct agent_change *out, struct err *e)
{
	if (!display_ok(display_name))
		return err_set(e, ERR_INVALID,
		    "The display name has 1 to %d characters.", DISPLAY_MAX);
	if (status_check(status, e) != 0)
		return -1;
	*out = (struct agent_change){ .ncalls = 1,
		.calls = { { .stmt = &agent_store_change,
		    .param = { id_text(ctx, account), id_text(ctx, id),
			display_name, status },
		    .nparams = 4 } } };
	return 0;
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
	json_auto_t *before = NULL, *after = NULL;
	void *ctx = mem_root("agent_set_status");
	const char *which = id_text(ctx, id), *action = NULL;
	struct db_call calls[2] = { { .stmt = &agent_store_status,
	    .param = { id_text(ctx, account), which, status },
	    .nparams = 3 } };
	struct audit_entry entry = *who;
	struct now now = { 0 };
	int rc = status_check(status, e);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(status, known[i].status) == 0)
			action = known[i].action;
	if (rc == 0)
		rc = now_of(db, account, which, ctx, &now, e);
	if (rc == 0) {
		before = json_pack("{s:s}", "status", now.status);
		after = json_pack("{s:s}", "status", status);
		entry.before = before;
		entry.after = after;
		record(ctx, account, &entry, action, which, &calls[1]);
		rc = db_run(db, DB_CONTROL, account, calls, 2,
		    clock_mono() + DEADLINE, ctx, e);
		if (rc != 0)
			agent_refused(NULL, e);
	}
	json_decref(now.configuration);
	mem_free(ctx);
	return rc;
}
