/*
 * Specs by account, type and name.  A spec is stale when its account's epoch
 * has moved; templates do not change in the life of a process (a reload starts
 * new workers), so they need no epoch.
 */
#include "agent/catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/absent.h"
#include "account/account.h"
#include "agent/spec.h"
#include "agent/store.h"
#include "agent/template.h"
#include "shm/epoch.h"
#include "telemetry/log.h"
#include "util/lru.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ABSENT_PLACES 1024
#define KEY_SIZE (UUID_TEXT + 2 * 65)

struct catalog {
	struct db_pool *db;
	const struct templates *templates;
	struct lru *lru;
	struct absent *absent;
};

/* What a make needs beside its key. */
struct wanted {
	struct catalog *catalog;
	const struct account *account;
	const char *type, *name;
};

static int
not_found(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "There is no such agent.");
}

static void
value_ref(void *value)
{
	agent_spec_ref(value);
}

static void
value_unref(void *value)
{
	agent_spec_unref(value);
}

static bool
value_fresh(const void *value)
{
	const struct agent_spec *s = value;

	return epoch_current(s->account_slot, s->epoch, s->general);
}

/* The operator has to know: an agent that is active cannot serve. */
static int
broken(const struct wanted *w, struct err *e, const char *pointer,
    const char *reason)
{
	log_event(LOG_ERROR, "agent_unusable", "agent_type", w->type,
	    "instance_name", w->name, "pointer", pointer, "error", reason,
	    NULL);
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 60,
	    "The agent's configuration cannot be used: %s%s%s",
	    pointer != NULL ? pointer : "", pointer != NULL ? ": " : "",
	    reason);
}

static int
from_row(const struct wanted *w, const struct db_result *r, uint64_t general,
    struct agent_spec **ret, struct err *e)
{
	const struct agent_template *t =
	    templates_find(w->catalog->templates, w->type);
	json_auto_t *configuration =
	    json_loadb(db_text(r, 0, 3), db_len(r, 0, 3), 0, NULL);
	const char *display = db_text(r, 0, 2);
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *s;
	int nerrors;

	if (t == NULL)
		return broken(w, e, NULL, "there is no template of its type");
	if (spec_build(t, configuration, &s, errors, &nerrors) != 0)
		return broken(w, e, errors[0].pointer, errors[0].detail);
	if (db_uuid(r, 0, 0, &s->id) != 0) {
		agent_spec_unref(s);
		return err_set(e, ERR_INTERNAL, "agent without an id");
	}
	s->account_id = w->account->id;
	s->account_slot = w->account->slot;
	s->slot = (uint32_t)db_int(r, 0, 1);
	snprintf(s->type, sizeof(s->type), "%s", w->type);
	snprintf(s->name, sizeof(s->name), "%s", w->name);
	snprintf(s->display_name, sizeof(s->display_name), "%.*s",
	    (int)str_utf8_prefix(
		display, strnlen(display, sizeof(s->display_name) - 1)),
	    display);
	s->config_version = db_int(r, 0, 4);
	s->epoch = (uint64_t)db_int(r, 0, 5);
	s->general = general;
	*ret = s;
	return 0;
}

static int
value_make(
    void *arg, const char *key, int64_t deadline, void **ret, struct err *e)
{
	const struct wanted *w = arg;
	struct catalog *c = w->catalog;
	uint64_t moves = epoch_moves(), general = epoch_general();
	char account[UUID_TEXT];
	struct db_call call = { .stmt = &agent_store_spec,
		.param = { account, w->type, w->name },
		.nparams = 3 };
	struct agent_spec *s;
	void *ctx;
	int rc;

	if (absent_known(c->absent, key))
		return not_found(e);
	id_format(&w->account->id, account);
	ctx = mem_root("spec_make");
	rc = db_run(
	    c->db, DB_CONTROL, &w->account->id, &call, 1, deadline, ctx, e);
	if (rc == 0 && db_rows(call.result) == 0) {
		absent_note(c->absent, key, moves);
		rc = not_found(e);
	} else if (rc == 0) {
		rc = from_row(w, call.result, general, &s, e);
		if (rc == 0)
			*ret = s;
	}
	mem_free(ctx);
	return rc;
}

static const struct lru_ops ops = { value_ref, value_unref, value_fresh,
	value_make };

struct catalog *
catalog_new(
    struct db_pool *db, const struct templates *templates, unsigned capacity)
{
	struct catalog *c = mem_new(NULL, struct catalog);

	c->db = db;
	c->templates = templates;
	c->lru = lru_new(capacity, &ops);
	c->absent = absent_new(ABSENT_PLACES);
	return c;
}

void
catalog_free(struct catalog *c)
{
	if (c == NULL)
		return;
	lru_free(c->lru);
	absent_free(c->absent);
	mem_free(c);
}

int
catalog_get(struct catalog *c, const struct account *account, const char *type,
    const char *name, int64_t deadline, const struct agent_spec **ret,
    struct err *e)
{
	struct wanted w = { c, account, type, name };
	char key[KEY_SIZE];
	void *value;

	if (!str_is_name(type) || !str_is_name(name))
		return not_found(e);
	id_format(&account->id, key);
	snprintf(key + UUID_TEXT - 1, sizeof(key) - UUID_TEXT + 1, "/%s/%s",
	    type, name);
	if (lru_get(c->lru, key, &w, deadline, &value, e) != 0)
		return -1;
	*ret = value;
	return 0;
}

void
catalog_stats(struct catalog *c, struct lru_stats *out)
{
	lru_stats(c->lru, out);
}
