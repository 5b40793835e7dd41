/* switchboard secrets: the master key, and what it has sealed. */
#include <string.h>

#include "audit/audit.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "db/db.h"
#include "secret/keyring.h"
#include "secret/rotate.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct out_col status_cols[] = { { "id", "MASTER KEY" },
	{ "state", "STATE" }, { "data_keys", "DATA KEYS" }, { NULL, NULL } };

/* What a verb works with; the pool is the owner's, who alone sees and changes
 * the data keys of all accounts. */
struct keys {
	const char *file;
	struct keyring *ring;
	struct db_pool *owner;
	int64_t count[KEYRING_MOST], strange;
};

static void
keys_drop(struct keys *k)
{
	keyring_free(k->ring);
	db_pool_free(k->owner);
}

/* Read the keys (anew) and count what they have sealed. */
static int
keys_look(struct keys *k, struct err *e)
{
	keyring_free(k->ring);
	k->ring = NULL;
	if (keyring_read(k->file, &k->ring, e) != 0)
		return -1;
	return rotate_count(k->owner, k->ring, k->count, &k->strange, e);
}

static int
keys_open(struct cli *c, struct keys *k, struct err *e)
{
	const struct conf *conf;

	*k = (struct keys){ 0 };
	if (cli_conf(c, &conf, e) != 0 ||
	    cli_db_as(c, "sb_owner", &k->owner, e) != 0)
		return -1;
	k->file = conf->master_key_file;
	if (keys_look(k, e) == 0)
		return 0;
	keys_drop(k);
	return -1;
}

static int64_t
sealed_by_old(const struct keys *k)
{
	int64_t n = 0;

	for (int i = 1; i < keyring_count(k->ring); i++)
		n += k->count[i];
	return n;
}

static int
refuse_strange(const struct keys *k, struct err *e)
{
	if (k->strange == 0)
		return 0;
	return err_set(e, ERR_CONFLICT,
	    "%lld data keys are sealed by a master key that is not here: put "
	    "it back from your copy first, as a further line \"key HEX\"",
	    (long long)k->strange);
}

int
verb_secrets_status(struct cli *c, struct err *e)
{
	json_t *rows;
	struct keys k;

	if (keys_open(c, &k, e) != 0)
		return -1;
	rows = json_array();
	for (int i = 0; i < keyring_count(k.ring); i++)
		json_array_append_new(
		    rows, json_pack("{s:s, s:s, s:I}", "id",
			      keyring_id(k.ring, i), "state",
			      i == 0           ? "in use"
			      : k.count[i] > 0 ? "needed until rotated"
					       : "can be retired",
			      "data_keys", (json_int_t)k.count[i]));
	if (k.strange > 0)
		json_array_append_new(
		    rows, json_pack("{s:n, s:s, s:I}", "id", "state",
			      "missing: put it back from your copy",
			      "data_keys", (json_int_t)k.strange));
	keys_drop(&k);
	return out_list(c, rows, status_cols);
}

/* The platform's record, written before anything is done. */
static int
record(struct cli *c, const char *action, const json_t *before,
    const json_t *after, struct err *e)
{
	struct audit_entry entry = *cli_who(c);
	struct db_pool *db;

	entry.action = action;
	entry.object_kind = "master_key";
	entry.before = before;
	entry.after = after;
	if (cli_db(c, &db, e) != 0)
		return -1;
	return rows_record(db, NULL, NULL, 0, &entry, c->ctx, e);
}

/* A new key in front, unless one is on its way already. */
static int
new_key(struct cli *c, struct keys *k, struct err *e)
{
	json_auto_t *before = json_pack("{s:s}", "id", keyring_id(k->ring, 0));

	if (keyring_is_given())
		return err_set(e, ERR_INVALID,
		    "the master key stands in SB_MASTER_KEY: put a new one (64 "
		    "hexadecimal digits) and a comma in front of it there, "
		    "restart the server, and run this again");
	if (record(c, "master_key.rotate", before, NULL, e) != 0 ||
	    keyring_add(k->file, e) != 0)
		return -1;
	return keys_look(k, e);
}

int
verb_secrets_rotate(struct cli *c, struct err *e)
{
	struct keys k;
	int64_t done = 0;
	bool resumed;
	int rc;

	if (keys_open(c, &k, e) != 0)
		return -1;
	rc = refuse_strange(&k, e);
	resumed = rc == 0 && sealed_by_old(&k) > 0;
	if (rc == 0 && !resumed)
		rc = new_key(c, &k, e);
	if (rc == 0)
		rc = rotate_run(k.owner, k.ring, &done, e);
	if (rc == 0)
		rc = out_done(c,
		    json_pack("{s:s, s:I, s:b}", "id", keyring_id(k.ring, 0),
			"data_keys", (json_int_t)done, "resumed", (int)resumed),
		    "Master key %s is in use%s; %lld data keys were sealed "
		    "anew.\nKeep a copy of %s now. \"switchboard secrets "
		    "retire\" removes the old key; sessions of visitors that "
		    "began before today end with it.",
		    keyring_id(k.ring, 0),
		    resumed ? " (an exchange that was begun before)" : "",
		    (long long)done, k.file);
	keys_drop(&k);
	return rc;
}

/* Without the keys of ${keep}'s unset bits; back again if one turns out to be
 * needed: somebody made a data key in that moment. */
static int
retire(struct keys *k, unsigned keep, struct err *e)
{
	struct keyring *all = k->ring;
	int rc;

	k->ring = NULL;
	rc = keyring_keep(all, keep, e);
	if (rc == 0)
		rc = keys_look(k, e);
	if (rc == 0 && k->strange > 0)
		rc = keyring_keep(all, (1U << KEYRING_MOST) - 1, e) == 0
		         ? err_set(e, ERR_CONFLICT,
			       "a data key was just sealed by the old master "
			       "key: rotate again")
		         : -1;
	keyring_free(all);
	return rc;
}

int
verb_secrets_retire(struct cli *c, struct err *e)
{
	json_t *gone = json_array();
	unsigned keep = 1;
	struct keys k;
	int rc;

	if (keys_open(c, &k, e) != 0) {
		json_decref(gone);
		return -1;
	}
	for (int i = 1; i < keyring_count(k.ring); i++)
		if (k.count[i] > 0)
			keep |= 1U << i;
		else
			json_array_append_new(
			    gone, json_string(keyring_id(k.ring, i)));
	rc = refuse_strange(&k, e);
	if (rc == 0 && json_array_size(gone) > 0) {
		json_auto_t *before = json_pack("{s:O}", "ids", gone);

		rc = record(c, "master_key.retire", before, NULL, e);
		if (rc == 0)
			rc = retire(&k, keep, e);
	}
	if (rc == 0)
		rc = out_done(c,
		    json_pack("{s:s, s:O, s:I}", "id", keyring_id(k.ring, 0),
			"retired", gone, "needed",
			(json_int_t)sealed_by_old(&k)),
		    "%zu old master keys are removed; %lld data keys still "
		    "need others.",
		    json_array_size(gone), (long long)sealed_by_old(&k));
	json_decref(gone);
	keys_drop(&k);
	return rc;
}
