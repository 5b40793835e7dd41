/* The text is looked at only by its hash. */
#include "auth/link.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "auth/password.h"
#include "auth/pwhash.h"
#include "auth/store.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PREFIX "sb_lnk_"
#define SECRET 32
#define ENCODED 43
#define HASH_SIZE 32

int
link_new(struct db_pool *db, const char *email, int64_t deadline,
    const void *ctx, struct link_made *out, struct err *e)
{
	unsigned char secret[SECRET], hash[HASH_SIZE];
	char encoded[ENCODED + 1], seconds[16];
	struct db_call call = { .stmt = &auth_store_link_new,
		.param = { email, (const char *)hash, seconds },
		.nparams = 3,
		.binary = 1U << 1 };

	call.plen[1] = HASH_SIZE;
	snprintf(seconds, sizeof(seconds), "%d", LINK_SECONDS);
	id_random(secret, sizeof(secret));
	str_b64url(secret, sizeof(secret), encoded);
	snprintf(out->token, sizeof(out->token), PREFIX "%s", encoded);
	crypto_sha256(out->token, strlen(out->token), hash);
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(encoded, sizeof(encoded));
	if (db_run(db, DB_WRITE, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return 0;
	out->email = db_text(call.result, 0, 0);
	out->until = db_text(call.result, 0, 1);
	return 1;
}

static int
refuse(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
	    "The link is not good any more. Ask for another one.");
}

/* The last step: the password is set and that is recorded, or neither. */
static int
set(struct db_pool *db, const unsigned char hash[HASH_SIZE], const char *user,
    const char *password_hash, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct err *e)
{
	struct db_call calls[2] = { { .stmt = &auth_store_link_use,
	    .param = { (const char *)hash, password_hash },
	    .nparams = 2,
	    .binary = 1U } };
	struct audit_entry entry = *who;

	calls[0].plen[0] = HASH_SIZE;
	entry.action = "user.password";
	entry.actor_kind = entry.object_kind = "user";
	entry.actor_id = entry.object_id = user;
	audit_call(ctx, NULL, &entry, &calls[1]);
	if (db_run(db, DB_WRITE, NULL, calls, 2, deadline, ctx, e) == 0)
		return 0;
	return e->code == ERR_NOT_FOUND ? refuse(e) : -1;
}

/* The row of the link's person. */
static int
person(struct db_pool *db, const unsigned char hash[HASH_SIZE],
    int64_t deadline, const void *ctx, const struct db_result **ret,
    struct err *e)
{
	struct db_call find = { .stmt = &auth_store_link_person,
		.param = { (const char *)hash },
		.nparams = 1,
		.binary = 1U };

	find.plen[0] = HASH_SIZE;
	if (db_run(db, DB_CONTROL, NULL, &find, 1, deadline, ctx, e) != 0)
		return -1;
	*ret = find.result;
	return db_rows(find.result) == 0 ? refuse(e) : 0;
}

static int
choose_and_set(struct db_pool *db, const unsigned char hash[HASH_SIZE],
    const char *password, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct err *e)
{
	struct password_owner owner = { 0 };
	char *chosen, *password_hash;
	const struct db_result *r;
	int rc;

	if (person(db, hash, deadline, ctx, &r, e) != 0)
		return -1;
	owner.email = db_text(r, 0, 1);
	owner.name = db_text(r, 0, 2);
	if (password_choose(
		ctx, password, strlen(password), &owner, &chosen, e) != 0)
		return -1;
	rc = pwhash_make(ctx, chosen, &password_hash, e);
	crypto_wipe(chosen, strlen(chosen));
	return rc != 0 ? -1
	               : set(db, hash, db_text(r, 0, 0), password_hash, who,
			     deadline, ctx, e);
}

/* 0, or -1: no link's token looks so. */
static int
hash_of(const char *token, unsigned char hash[HASH_SIZE])
{
	if (strnlen(token, LINK_TEXT) != sizeof(PREFIX) - 1 + ENCODED ||
	    !str_starts(token, PREFIX))
		return -1;
	crypto_sha256(token, strlen(token), hash);
	return 0;
}

int
link_whose(struct db_pool *db, const char *token, int64_t deadline,
    const void *ctx, const char **email, struct err *e)
{
	unsigned char hash[HASH_SIZE];
	const struct db_result *r;

	if (hash_of(token, hash) != 0)
		return refuse(e);
	if (person(db, hash, deadline, ctx, &r, e) != 0)
		return -1;
	*email = db_text(r, 0, 1);
	return 0;
}

int
link_use(struct db_pool *db, const char *token, const char *password,
    const struct audit_entry *who, int64_t deadline, struct err *e)
{
	unsigned char hash[HASH_SIZE];
	void *ctx;
	int rc;

	if (hash_of(token, hash) != 0)
		return refuse(e);
	ctx = mem_root("link");
	rc = choose_and_set(db, hash, password, who, deadline, ctx, e);
	mem_free(ctx);
	return rc;
}
