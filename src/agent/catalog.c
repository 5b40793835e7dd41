/*
 * Specs by account, type and name.  A spec is stale when its account's epoch
 * has moved; templates do not change in the life of a process (a reload starts
 * new workers), so they need no epoch.  What workers share is the agent's row,
 * a fraction of the spec that a template makes of it; its name there has the
 * template's hash, so that a reload never finds what the old one was for.
 */
#include "agent/catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "account/tiers.h"
#include "agent/spec.h"
#include "agent/store.h"
#include "agent/template.h"
#include "cache/row.h"
#include "shm/epoch.h"
#include "telemetry/log.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ABSENT_PLACES 1024
#define KEY_SIZE (UUID_TEXT + 2 * 65)
/* Enough of a template's hash to tell it from another. */
#define HASH_PART 16
#define WARM_SIZE (KEY_SIZE + HASH_PART + 1)

struct catalog {
	const struct templates *templates;
	struct tier *tier;
};

/* What a look-up needs beside its key. */
struct wanted {
	struct catalog *catalog;
	const struct account *account;
	const char *type, *name;
	char account_text[UUID_TEXT];
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

	return epoch_current(s->account_slot, s->epoch);
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

static uint32_t
value_slot(const void *value)
{
	return ((const struct agent_spec *)value)->account_slot;
}

/* The columns of agent_store_spec. */
static int
value_make(void *arg, const struct row *r, void **ret, struct err *e)
{
	const struct wanted *w = arg;
	const struct agent_template *t =
	    templates_find(w->catalog->templates, w->type);
	json_auto_t *configuration =
	    json_loadb(row_text(r, 3), row_null(r, 3) ? 0 : r->len[3], 0, NULL);
	const char *display = row_text(r, 2);
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *s;
	int nerrors;

	if (t == NULL)
		return broken(w, e, NULL, "there is no template of its type");
	if (spec_build(t, configuration, &s, errors, &nerrors) != 0)
		return broken(w, e, errors[0].pointer, errors[0].detail);
	if (row_uuid(r, 0, &s->id) != 0) {
		agent_spec_unref(s);
		return err_set(e, ERR_INTERNAL, "agent without an id");
	}
	s->account_id = w->account->id;
	s->slot = (uint32_t)row_int(r, 1);
	snprintf(s->type, sizeof(s->type), "%s", w->type);
	snprintf(s->name, sizeof(s->name), "%s", w->name);
	snprintf(s->display_name, sizeof(s->display_name), "%.*s",
	    (int)str_utf8_prefix(
		display, strnlen(display, sizeof(s->display_name) - 1)),
	    display);
	s->config_version = row_int(r, 4);
	s->epoch = (uint64_t)row_int(r, 5);
	s->account_slot = (uint32_t)row_int(r, 6);
	*ret = s;
	return 0;
}

static void
ask(void *arg, const char *key, struct db_call *call,
    const struct uuid **account)
{
	const struct wanted *w = arg;

	/* The key begins with the account's id. */
	(void)key;
	*account = &w->account->id;
	call->stmt = &agent_store_spec;
	call->param[call->nparams++] = w->account_text;
	call->param[call->nparams++] = w->type;
	call->param[call->nparams++] = w->name;
}

static const struct tier_ops ops = { .kind = WARM_SPEC,
	.slot = 6,
	.epoch = 5,
	.platform = -1,
	.ref = value_ref,
	.unref = value_unref,
	.fresh = value_fresh,
	.slot_of = value_slot,
	.ask = ask,
	.make = value_make,
	.none = not_found };

struct catalog *
catalog_new(
    const struct tiers *tiers, const struct templates *templates, unsigned hot)
{
	struct catalog *c = mem_new(NULL, struct catalog);

	c->templates = templates;
	c->tier = tier_new(tiers, &ops, hot, ABSENT_PLACES);
	return c;
}

void
catalog_free(struct catalog *c)
{
	if (c == NULL)
		return;
	tier_free(c->tier);
	mem_free(c);
}

int
catalog_get(struct catalog *c, const struct account *account, const char *type,
    const char *name, int64_t deadline, const struct agent_spec **ret,
    struct err *e)
{
	struct wanted w = {
		.catalog = c, .account = account, .type = type, .name = name
	};
	const struct agent_template *t;
	char key[KEY_SIZE], warm[WARM_SIZE];
	void *value;

	if (!str_is_name(type) || !str_is_name(name))
		return not_found(e);
	id_format(&account->id, w.account_text);
	snprintf(key, sizeof(key), "%s/%s/%s", w.account_text, type, name);
	t = templates_find(c->templates, type);
	snprintf(warm, sizeof(warm), "%s/%.*s", key, HASH_PART,
	    t != NULL ? t->hash : "");
	if (tier_get(c->tier, key, warm, &w, deadline, &value, e) != 0)
		return -1;
	*ret = value;
	return 0;
}

void
catalog_tell(struct catalog *c)
{
	tier_tell(c->tier);
}

void
catalog_stats(struct catalog *c, struct lru_stats *out)
{
	tier_stats(c->tier, out);
}
