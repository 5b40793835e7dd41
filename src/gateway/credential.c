/*
 * Snapshots of credentials.  One row an account, from the gate: what is cached
 * outside this process is sealed.
 */
#include "gateway/credential.h"

#include <stdatomic.h>
#include <string.h>

#include "account/tiers.h"
#include "cache/row.h"
#include "crypto/locked.h"
#include "db/used.h"
#include "gateway/preset.h"
#include "gateway/seal.h"
#include "gateway/store.h"
#include "secret/secret.h"
#include "shm/epoch.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ABSENT_PLACES 64
#define OPEN_WAIT (2 * CLOCK_S)
#define LIST_LIMITS ((struct json_limits){ 8, 40000 })

/* The columns of gateway_store_set. */
enum {
	COL_SLOT,
	COL_STRATEGY,
	COL_OWN,
	COL_PLATFORM,
	COL_EPOCH,
	COL_PLATFORM_EPOCH
};

struct credentials {
	struct tier *tier;
	struct vault *vault;
	const struct egress *egress;
};

/* What the cache counts; the public part first. */
struct counted {
	struct credential_set s;
	atomic_uint refs;
	char *keys; /* locked; NULL: there are none */
	size_t used, room;
};

/* One look-up. */
struct wanted {
	const struct credentials *of;
	const struct uuid *account;
};

static void
value_ref(void *value)
{
	struct counted *c = value;

	atomic_fetch_add(&c->refs, 1);
}

static void
value_unref(void *value)
{
	struct counted *c = value;

	if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1) {
		crypto_locked_free(c->keys);
		mem_free(c);
	}
}

static bool
value_fresh(const void *value)
{
	const struct credential_set *s = value;

	return epoch_current(s->slot, s->epoch) &&
	       epoch_current(0, s->platform_epoch);
}

static uint32_t
value_slot(const void *value)
{
	return ((const struct credential_set *)value)->slot;
}

static int
not_found(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "There is no such account.");
}

/* --- reading -------------------------------------------------------------- */

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static int64_t
number_of(const json_t *o, const char *name, int64_t otherwise)
{
	const json_t *v = json_object_get(o, name);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

/* Its key, opened into the set's locked memory. */
static int
open_key(const struct credentials *of, struct counted *c,
    struct credential *cred, const json_t *o, struct err *e)
{
	const char *sealed = text_of(o, "sealed");
	struct secret *s;
	size_t n;

	if (sealed == NULL)
		return err_set(e, ERR_INVALID, "a credential without a key");
	if (seal_open(of->vault, &cred->account, &cred->id, sealed,
		strlen(sealed), number_of(o, "version", 0),
		clock_mono() + OPEN_WAIT, &s, e) != 0)
		return -1;
	n = secret_len(s);
	if (n >= c->room - c->used) {
		secret_free(s);
		return err_set(e, ERR_INVALID, "a key that is too long");
	}
	memcpy(c->keys + c->used, secret_bytes(s), n);
	cred->access.key = c->keys + c->used;
	c->used += n + 1; /* its NUL is there: the memory was zeroed */
	secret_free(s);
	return 0;
}

static void
read_models(struct credential *cred, const json_t *list, const void *ctx)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return;
	cred->models = mem_array(ctx, const char *, n);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text != NULL)
			cred->models[cred->nmodels++] = mem_strdup(ctx, text);
	}
}

static void
read_limits(struct credential *cred, const json_t *o)
{
	struct preset p = preset_of(cred->provider, cred->tier);

	cred->limits = (struct health_limits){ number_of(o, "rpm", p.rpm),
		number_of(o, "tpm", p.tpm), number_of(o, "itpm", p.itpm) };
}

static int
read_one(const struct credentials *of, struct counted *c, const json_t *o,
    const struct uuid *account, struct credential *out, struct err *e)
{
	const char *id = text_of(o, "id"), *base = text_of(o, "base_url");
	static const struct uuid platform;

	if (id == NULL || id_parse(id, strlen(id), &out->id) != 0 ||
	    text_of(o, "provider") == NULL || text_of(o, "name") == NULL)
		return err_set(e, ERR_INTERNAL, "a credential that is none");
	out->account = *account;
	out->slot = (uint32_t)number_of(o, "slot", 0);
	out->provider = mem_strdup(c, text_of(o, "provider"));
	out->name = mem_strdup(c, text_of(o, "name"));
	out->tier = (int)number_of(o, "tier", 1);
	out->weight = (int)number_of(o, "weight", 1);
	out->priority = (int)number_of(o, "priority", 0);
	if (base != NULL) {
		out->access.base = mem_strdup(c, base);
		out->access.own_base = true;
		if (!id_eq(account, &platform))
			out->access.egress = of->egress;
	}
	read_models(out, json_object_get(o, "models"), c);
	read_limits(out, o);
	return open_key(of, c, out, o, e);
}

/* A list of them.  One that does not open is left out, and told of; what only
 * cannot be opened now (no database) fails all. */
static int
read_list(const struct credentials *of, struct counted *c, const json_t *list,
    const struct uuid *account, struct credential **ret, int *n, struct err *e)
{
	const json_t *o;
	size_t i;

	*n = 0;
	*ret = mem_array(c, struct credential, json_array_size(list) + 1);
	json_array_foreach(list, i, o)
	{
		struct credential *cred = &(*ret)[*n];
		struct err why = { 0 };

		*cred = (struct credential){ 0 };
		if (read_one(of, c, o, account, cred, &why) == 0) {
			(*n)++;
			continue;
		}
		if (why.code == ERR_UNAVAILABLE || why.code == ERR_TIMEOUT) {
			if (e != NULL)
				*e = why;
			return -1;
		}
		log_event(LOG_ERROR, "credential_not_opened", "credential",
		    text_of(o, "id"), "error", why.text, NULL);
	}
	return 0;
}

static json_t *
parse(const struct row *r, int col)
{
	json_t *v = NULL;

	if (json_parse(row_text(r, col), r->len[col], &LIST_LIMITS, &v, NULL) !=
	    0)
		return NULL;
	return v;
}

/* Room for the keys of a list, each with a NUL. */
static size_t
room_for(const json_t *list)
{
	size_t room = 0, i;
	const json_t *o;

	json_array_foreach(list, i, o)
	{
		size_t n = json_string_length(json_object_get(o, "sealed")) / 2;

		if (n > SECRET_MORE && n <= SECRET_MORE + CREDENTIAL_KEY_MAX)
			room += n - SECRET_MORE + 1;
	}
	return room;
}

static int
read_lists(const struct wanted *w, struct counted *c, const struct row *r,
    struct err *e)
{
	static const struct uuid platform;
	json_auto_t *own = parse(r, COL_OWN), *shared = parse(r, COL_PLATFORM);
	struct credential_set *s = &c->s;

	if (!json_is_array(own) || !json_is_array(shared))
		return err_set(e, ERR_INTERNAL, "credentials that are none");
	c->room = room_for(own) + room_for(shared);
	if (c->room > 0)
		c->keys = crypto_locked(c->room);
	if (read_list(w->of, c, own, w->account, &s->own, &s->nown, e) != 0)
		return -1;
	return read_list(
	    w->of, c, shared, &platform, &s->platform, &s->nplatform, e);
}

static int
value_make(void *arg, const struct row *r, void **ret, struct err *e)
{
	struct counted *c = mem_new(NULL, struct counted);
	struct credential_set *s = &c->s;

	atomic_init(&c->refs, 1);
	s->slot = (uint32_t)row_int(r, COL_SLOT);
	s->epoch = (uint64_t)row_int(r, COL_EPOCH);
	s->platform_epoch = (uint64_t)row_int(r, COL_PLATFORM_EPOCH);
	if (!select_strategy_parse(row_text(r, COL_STRATEGY), &s->strategy))
		s->strategy = SELECT_LEAST_LOADED;
	if (read_lists(arg, c, r, e) != 0) {
		value_unref(c);
		return -1;
	}
	*ret = c;
	return 0;
}

static void
ask(void *arg, const char *key, struct db_call *call,
    const struct uuid **account)
{
	const struct wanted *w = arg;

	call->stmt = &gateway_store_set;
	call->param[call->nparams++] = key;
	*account = w->account;
}

static const struct tier_ops ops = { .kind = WARM_CREDENTIAL,
	.slot = COL_SLOT,
	.epoch = COL_EPOCH,
	.platform = COL_PLATFORM_EPOCH,
	.ref = value_ref,
	.unref = value_unref,
	.fresh = value_fresh,
	.slot_of = value_slot,
	.ask = ask,
	.make = value_make,
	.none = not_found };

struct credentials *
credentials_new(const struct tiers *tiers, struct vault *vault,
    const struct egress *egress, unsigned hot)
{
	struct credentials *cs = mem_new(NULL, struct credentials);

	cs->vault = vault;
	cs->egress = egress;
	cs->tier = tier_new(tiers, &ops, hot, ABSENT_PLACES);
	return cs;
}

void
credentials_free(struct credentials *cs)
{
	if (cs == NULL)
		return;
	tier_free(cs->tier);
	mem_free(cs);
}

void
credentials_tell(struct credentials *cs)
{
	tier_tell(cs->tier);
}

int
credentials_of(struct credentials *cs, const struct uuid *account,
    int64_t deadline, const struct credential_set **ret, struct err *e)
{
	struct wanted w = { cs, account };
	char key[UUID_TEXT];
	void *value;

	id_format(account, key);
	if (tier_get(cs->tier, key, NULL, &w, deadline, &value, e) != 0)
		return -1;
	*ret = &((struct counted *)value)->s;
	return 0;
}

void
credential_set_unref(const struct credential_set *s)
{
	/* The count is no part of the immutable value. */
	value_unref((void *)(uintptr_t)s);
}

/* --- choosing ------------------------------------------------------------- */

static bool
matches(const char *pattern, const char *model)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return strncmp(pattern, model, n - 1) == 0;
	return strcmp(pattern, model) == 0;
}

bool
credential_fits(
    const struct credential *c, const char *provider, const char *model)
{
	bool any = c->nmodels == 0;

	for (int i = 0; i < c->nmodels && !any; i++)
		any = matches(c->models[i], model);
	return any && strcmp(c->provider, provider) == 0;
}

static int
fitting(const struct credential *list, int n, const char *provider,
    const char *model, const struct credential **out)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		if (!credential_fits(&list[i], provider, model))
			continue;
		if (out != NULL)
			out[found] = &list[i];
		found++;
	}
	return found;
}

int
credential_set_for(const struct credential_set *s, const char *provider,
    const char *model, const void *ctx, const struct credential ***ret)
{
	const struct credential **out = NULL;
	int most = s->nown > s->nplatform ? s->nown : s->nplatform, n;

	if (ctx != NULL && most > 0)
		out = mem_array(ctx, const struct credential *, (size_t)most);
	n = fitting(s->own, s->nown, provider, model, out);
	if (n == 0)
		n = fitting(s->platform, s->nplatform, provider, model, out);
	if (ctx != NULL)
		*ret = out;
	return n;
}

/* --- what was used -------------------------------------------------------- */

static struct pairs used = PAIRS_INIT;

void
credential_used(const struct credential *c)
{
	pairs_add(&used, &c->account, &c->id);
}

int
credential_used_flush(struct db_pool *db, int64_t deadline, struct err *e)
{
	return db_used_flush(db, &gateway_store_used, &used, deadline, e);
}
