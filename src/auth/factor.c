/* The secret lies sealed in its row and is opened for a moment. */
#include "auth/factor.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "auth/store.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "secret/secret.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ISSUER "Switchboard"
#define PURPOSE "totp"
#define SECOND_US INT64_C(1000000)

/* The row, as it is stored. */
struct row {
	bool confirmed;
	int64_t version;
	uint64_t last;
	unsigned char *sealed;
	size_t len;
};

static int64_t
now_s(void)
{
	return clock_wall_us() / SECOND_US;
}

static struct secret_place
place_of(const struct uuid *user, int64_t version)
{
	return (struct secret_place){
		.row = *user, .purpose = PURPOSE, .version = version
	};
}

/* 1 with *out below ctx, 0 there is none, -1. */
static int
read_row(struct db_pool *db, const char *user, int64_t deadline,
    const void *ctx, struct row *out, struct err *e)
{
	struct db_call call = {
		.stmt = &auth_store_factor, .param = { user }, .nparams = 1
	};
	const char *hex;
	size_t n;

	if (db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return 0;
	hex = db_text(call.result, 0, 0);
	n = db_len(call.result, 0, 0) / 2;
	out->sealed = mem_array(ctx, unsigned char, n + 1);
	for (size_t i = 0; i < n; i++)
		out->sealed[i] =
		    (unsigned char)(str_hex_digit(hex[2 * i]) << 4 |
				    str_hex_digit(hex[2 * i + 1]));
	out->len = n;
	out->version = db_int(call.result, 0, 1);
	out->last = (uint64_t)db_int(call.result, 0, 2);
	out->confirmed = db_bool(call.result, 0, 3);
	return 1;
}

/* Which step of time ${code} is of; false: of none after the last. */
static int
step_of(struct vault *v, const struct uuid *user, const struct row *r,
    const char *code, int64_t deadline, uint64_t *step, bool *good,
    struct err *e)
{
	struct secret_place place = place_of(user, r->version);
	struct secret *s;

	if (secret_open(v, &place, r->sealed, r->len, deadline, &s, e) != 0)
		return -1;
	*good = totp_check(
	    secret_bytes(s), secret_len(s), code, now_s(), r->last, step);
	secret_free(s);
	return 0;
}

int
factor_begin(struct db_pool *db, struct vault *v, const struct uuid *user,
    const char *label, int64_t deadline, const void *ctx,
    struct factor_new *out, struct err *e)
{
	unsigned char secret[TOTP_SECRET], *sealed;
	char id[UUID_TEXT], version[24];
	struct secret_place place;
	struct row r = { 0 };
	struct db_call call = { .stmt = &auth_store_factor_begin,
		.nparams = 3,
		.binary = 1U << 1 };
	int rc;

	id_format(user, id);
	if (read_row(db, id, deadline, ctx, &r, e) < 0)
		return -1;
	if (r.confirmed)
		return err_set(e, ERR_CONFLICT,
		    "there is a second factor; remove it first");
	totp_secret_new(secret);
	totp_secret_text(secret, out->text);
	out->uri = totp_uri(ctx, ISSUER, label, secret);
	place = place_of(user, r.version + 1);
	rc = secret_seal(
	    v, &place, secret, sizeof(secret), deadline, ctx, &sealed, e);
	crypto_wipe(secret, sizeof(secret));
	if (rc != 0 || totp_qr_svg(ctx, out->uri, &out->qr_svg, e) != 0)
		return -1;
	snprintf(version, sizeof(version), "%lld", (long long)place.version);
	call.param[0] = id;
	call.param[1] = (const char *)sealed;
	call.plen[1] = TOTP_SECRET + SECRET_MORE;
	call.param[2] = version;
	if (db_run(db, DB_WRITE, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	return db_rows(call.result) == 1
	           ? 0
	           : err_set(e, ERR_CONFLICT,
			 "another one was begun at the same time");
}

static void
record(const void *ctx, const struct audit_entry *who, const char *action,
    const char *user, struct db_call *out)
{
	struct audit_entry entry = *who;

	entry.action = action;
	entry.actor_kind = entry.object_kind = "user";
	entry.actor_id = entry.object_id = user;
	audit_call(ctx, NULL, &entry, out);
}

/* The step is used, the factor counts, its recovery codes are there: or
 * nothing of it. */
static int
confirm(struct db_pool *db, const struct uuid *user, const struct uuid *sign_in,
    uint64_t step, const struct audit_entry *who, int64_t deadline,
    const void *ctx, char recovery[RECOVERY_CODES][RECOVERY_TEXT],
    struct err *e)
{
	unsigned char hash[RECOVERY_CODES][RECOVERY_HASH];
	struct db_call calls[RECOVERY_CODES + 4];
	char id[UUID_TEXT], sid[UUID_TEXT], step_text[24];
	int n = 0;

	id_format(user, id);
	snprintf(
	    step_text, sizeof(step_text), "%llu", (unsigned long long)step);
	calls[n++] = (struct db_call){ .stmt = &auth_store_factor_confirm,
		.param = { id, step_text },
		.nparams = 2 };
	calls[n++] = (struct db_call){ .stmt = &auth_store_recovery_clear,
		.param = { id },
		.nparams = 1 };
	for (int i = 0; i < RECOVERY_CODES; i++) {
		recovery_new(user, recovery[i], hash[i]);
		calls[n] = (struct db_call){ .stmt = &auth_store_recovery_add,
			.param = { id, (const char *)hash[i] },
			.nparams = 2,
			.binary = 1U << 1 };
		calls[n++].plen[1] = RECOVERY_HASH;
	}
	id_format(sign_in, sid);
	calls[n++] = (struct db_call){ .stmt = &auth_store_sign_in_proven,
		.param = { id, sid },
		.nparams = 2 };
	record(ctx, who, "user.second_factor", id, &calls[n++]);
	return db_run(db, DB_WRITE, NULL, calls, n, deadline, ctx, e);
}

int
factor_confirm(struct db_pool *db, struct vault *v, const struct uuid *user,
    const struct uuid *sign_in, const char *code, const struct audit_entry *who,
    int64_t deadline, char recovery[RECOVERY_CODES][RECOVERY_TEXT],
    struct err *e)
{
	void *ctx = mem_root("factor");
	char id[UUID_TEXT];
	uint64_t step = 0;
	bool good = false;
	struct row r;
	int rc;

	id_format(user, id);
	rc = read_row(db, id, deadline, ctx, &r, e);
	if (rc == 0 || (rc == 1 && r.confirmed))
		rc = err_set(e, ERR_NOT_FOUND, "no second factor was begun");
	else if (rc == 1)
		rc = step_of(v, user, &r, code, deadline, &step, &good, e);
	if (rc == 0 && !good)
		rc = err_set(e, ERR_INVALID, "is not the code of this moment");
	if (rc == 0)
		rc = confirm(
		    db, user, sign_in, step, who, deadline, ctx, recovery, e);
	mem_free(ctx);
	return rc;
}

int
factor_end(struct db_pool *db, const struct uuid *user,
    const struct audit_entry *who, int64_t deadline, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call calls[4] = {
		{ .stmt = &auth_store_recovery_clear,
		    .param = { id },
		    .nparams = 1 },
		{ .stmt = &auth_store_factor_end,
		    .param = { id },
		    .nparams = 1 },
		{ .stmt = &auth_store_sign_in_unproven,
		    .param = { id },
		    .nparams = 1 },
	};
	void *ctx = mem_root("factor");
	int rc;

	id_format(user, id);
	record(ctx, who, "user.second_factor_end", id, &calls[3]);
	rc = db_run(db, DB_WRITE, NULL, calls, 4, deadline, ctx, e);
	mem_free(ctx);
	return rc;
}

/* One statement that says whether it was the first to use the code. */
static int
use(struct db_pool *db, struct db_call *call, int64_t deadline, const void *ctx,
    enum factor_answer *out, struct err *e)
{
	if (db_run(db, DB_WRITE, NULL, call, 1, deadline, ctx, e) != 0)
		return -1;
	*out = db_bool(call->result, 0, 0) ? FACTOR_RIGHT : FACTOR_WRONG;
	return 0;
}

static int
check(struct db_pool *db, struct vault *v, const struct uuid *user,
    const struct row *r, const char *code, int64_t deadline, const void *ctx,
    enum factor_answer *out, struct err *e)
{
	unsigned char hash[RECOVERY_HASH];
	char id[UUID_TEXT], step_text[24];
	struct db_call call = { .param = { id }, .nparams = 2 };
	uint64_t step;
	bool good;

	id_format(user, id);
	*out = FACTOR_WRONG;
	if (recovery_hash(user, code, hash)) {
		call.stmt = &auth_store_recovery_use;
		call.param[1] = (const char *)hash;
		call.plen[1] = sizeof(hash);
		call.binary = 1U << 1;
		return use(db, &call, deadline, ctx, out, e);
	}
	if (step_of(v, user, r, code, deadline, &step, &good, e) != 0)
		return -1;
	if (!good)
		return 0;
	snprintf(
	    step_text, sizeof(step_text), "%llu", (unsigned long long)step);
	call.stmt = &auth_store_factor_step;
	call.param[1] = step_text;
	return use(db, &call, deadline, ctx, out, e);
}

int
factor_check(struct db_pool *db, struct vault *v, const struct uuid *user,
    const char *code, int64_t deadline, enum factor_answer *out, struct err *e)
{
	void *ctx = mem_root("factor");
	char id[UUID_TEXT];
	struct row r;
	int rc;

	id_format(user, id);
	*out = FACTOR_NONE;
	rc = read_row(db, id, deadline, ctx, &r, e);
	if (rc == 1 && !r.confirmed)
		rc = 0;
	if (rc == 1 && code == NULL) {
		*out = FACTOR_MISSING;
		rc = 0;
	} else if (rc == 1) {
		rc = check(db, v, user, &r, code, deadline, ctx, out, e);
	}
	mem_free(ctx);
	return rc;
}
