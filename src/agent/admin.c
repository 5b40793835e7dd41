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
	struct db_call calls[] = {
		{ .stmt = &agent_store_create, .nparams = 6 },
		{ .stmt = &agent_store_version, .nparams = 3 },
	};
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
	rc = db_run(
	    db, DB_CONTROL, account, calls, 2, clock_mono() + DEADLINE, ctx, e);
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

/* The type of an instance, below ctx. */
static int
type_of(struct db_pool *db, const struct uuid *account, const char *id_text,
    const void *ctx, const char **ret, struct err *e)
{
	char account_text[UUID_TEXT];
	struct db_call call = { .stmt = &agent_store_type,
		.param = { account_text, id_text },
		.nparams = 2 };

	id_format(account, account_text);
	if (db_run(db, DB_CONTROL, account, &call, 1, clock_mono() + DEADLINE,
		ctx, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return no_agent(e);
	*ret = db_text(call.result, 0, 0);
	return 0;
}

int
agent_configure(struct db_pool *db, const struct templates *templates,
    const struct uuid *account, const struct uuid *id,
    const json_t *configuration, const char *author, int64_t *version,
    struct spec_error *errors, int *nerrors, struct err *e)
{
	char account_text[UUID_TEXT], id_text[UUID_TEXT];
	struct db_call calls[] = {
		{ .stmt = &agent_store_configure, .nparams = 3 },
		{ .stmt = &agent_store_version, .nparams = 3 },
	};
	void *ctx = mem_root("agent_configure");
	const char *type = "";
	int rc = -1;

	*nerrors = 0;
	id_format(account, account_text);
	id_format(id, id_text);
	if (type_of(db, account, id_text, ctx, &type, e) != 0 ||
	    check(templates, type, configuration, errors, nerrors, e) != 0)
		goto out;

	calls[0].param[0] = calls[1].param[0] = account_text;
	calls[0].param[1] = calls[1].param[1] = id_text;
	calls[0].param[2] = as_text(ctx, configuration);
	calls[1].param[2] = author;
	if (db_run(db, DB_CONTROL, account, calls, 2, clock_mono() + DEADLINE,
		ctx, e) != 0) {
		explain(NULL, e);
		goto out;
	}
	if (db_rows(calls[1].result) == 0) {
		no_agent(e); /* gone since we asked for its type */
		goto out;
	}
	*version = db_int(calls[1].result, 0, 0);
	rc = 0;
out:
	mem_free(ctx);
	return rc;
}

int
agent_set_status(struct db_pool *db, const struct uuid *account,
    const struct uuid *id, const char *status, struct err *e)
{
	static const char *const known[] = { "active", "inactive", "archived" };
	char account_text[UUID_TEXT], id_text[UUID_TEXT];
	struct db_call call = { .stmt = &agent_store_status,
		.param = { account_text, id_text, status },
		.nparams = 3 };
	bool ok = false;
	void *ctx;
	int rc;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		ok = ok || strcmp(status, known[i]) == 0;
	if (!ok)
		return err_set(e, ERR_INVALID,
		    "A status is active, inactive or archived.");
	ctx = mem_root("agent_set_status");
	id_format(account, account_text);
	id_format(id, id_text);
	rc = db_run(
	    db, DB_CONTROL, account, &call, 1, clock_mono() + DEADLINE, ctx, e);
	if (rc != 0)
		rc = explain(NULL, e);
	else if (db_rows(call.result) == 0)
		rc = no_agent(e);
	mem_free(ctx);
	return rc;
}
