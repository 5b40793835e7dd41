/*
 * The record of who changed what.  An entry is appended in the transaction of
 * the change it tells of, so that neither happens without the other.  Each
 * account has a chain of its own, and so has the platform: an entry's hash is
 * over all that it says and the hash of the one before.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <jansson.h>
#include <stdint.h>

#include "db/db.h"
#include "util/err.h"
#include "util/id.h"

/* Who did what to what.  Only action and actor_kind must be set; the pointers
 * are borrowed.  before and after are what was changed, as objects. */
struct audit_entry {
	const char *action;     /* "api_key.create" */
	const char *actor_kind; /* "user" "api_key" "cli" "system" */
	const char *actor_id, *actor_name;
	const char *address, *request_id;
	const char *object_kind, *object_id;
	const json_t *before, *after;
};

/*
 * Fill in ${out}, a call for db_run() to append the entry in the transaction of
 * the change: its last call, since it holds the chain until the end. ${account}
 * is that of the transaction; NULL: the platform's chain, in a transaction of
 * any account or none.  The pool's role is sb_admin or sb_job.  Memory below
 * ctx.
 *
 * A change that may find nothing to change must fail then, or the entry tells
 * of what did not happen: WITH c AS (UPDATE ... RETURNING 1) SELECT
 * gate.found(count(*), 'key') FROM c is ERR_NOT_FOUND "no such key".
 *
 * Secrets are masked here: members named like a password, secret, token, key or
 * hash, and in every text what looks like one.  Values longer than
 * AUDIT_VALUE_MAX are replaced by their length and SHA-256, other texts cut to
 * AUDIT_TEXT_MAX characters.
 */
void audit_call(const void *ctx, const struct uuid *account,
    const struct audit_entry *, struct db_call *out);

#define AUDIT_VALUE_MAX ((size_t)96 * 1024)
#define AUDIT_TEXT_MAX 400

/* What of a chain is wanted; NULL and 0: all. */
struct audit_filter {
	const char *action; /* exact, or ending in ".*": "api_key.*" */
	const char *actor_kind, *actor_id;
	const char *object_kind, *object_id;
	int64_t since_us, until_us; /* from, and before */
};

/*
 * A page of the chain of ${account} (NULL: the platform's), newest first:
 * {"data": [entry, ...], "next": "SEQ" or null}, a new reference in *ret.
 * ${after} is the next of the page before, or NULL; ERR_INVALID if it is none.
 * At most ${limit} entries, fewer when they are long.  The role is sb_admin.
 */
int audit_list(struct db_pool *, const struct uuid *account,
    const struct audit_filter *, const char *after, int limit, int64_t deadline,
    json_t **ret, struct err *e);

#endif
