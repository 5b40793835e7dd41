/* The audit domain's SQL.  Moments are microseconds since 1970. */
#ifndef AUDIT_STORE_H
#define AUDIT_STORE_H

#include "db/db.h"

/* account or null, then the texts of an entry as they stand in its struct,
 * before and after last. */
extern const struct db_stmt audit_store_append;

/* The columns of the two statements below. */
enum audit_col {
	COL_SEQ,
	COL_ID,
	COL_AT,
	COL_ACTION,
	COL_ACTOR_KIND,
	COL_ACTOR_ID,
	COL_ACTOR_NAME,
	COL_ADDRESS,
	COL_REQUEST_ID,
	COL_OBJECT_KIND,
	COL_OBJECT_ID,
	COL_BEFORE,
	COL_AFTER,
	COL_PREVIOUS, /* in hex */
	COL_HASH,
	COL_FOUND = COL_HASH + 3 /* of a page: rows before it was cut */
};

/* A page, newest first: account, before this seq or null, how many, bytes of
 * before and after together, then action, prefix of actions, actor kind and id,
 * object kind and id, since, until; null: any. */
extern const struct db_stmt audit_store_page;
/* On from a seq, oldest first: account, seq, how many, since, until (or
 * null). */
extern const struct db_stmt audit_store_walk;
/* The end of a chain: its account; seq, hash in hex. */
extern const struct db_stmt audit_store_head;
/* How many at most: accounts whose chain has grown since its last
 * checkpoint. */
extern const struct db_stmt audit_store_due;
/* Signing keys: id, public and sealed private key in hex: add, unless there is
 * one; the newest; all of them without the private part. */
extern const struct db_stmt audit_store_key_add, audit_store_key_newest,
    audit_store_keys;
/* account, seq, at, hash, key, signature: add; account, from seq, to seq: seq,
 * at, hash, key, signature. */
extern const struct db_stmt audit_store_checkpoint_add, audit_store_checkpoints;

#endif
