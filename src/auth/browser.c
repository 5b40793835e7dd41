/* No secret is stored or logged, only its SHA-256 is; the version that a secret
 * was made for stands in its text, so the hash vouches for that too. */
#include "auth/browser.h"

#include <stdio.h>
#include <string.h>

#include "auth/store.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "telemetry/log.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PREFIX "sb_web_"
#define RANDOM_SIZE 32
#define ENCODED 43
#define HASH_SIZE 32
#define TRIES 3
/* Between the token and the secret; in neither. */
#define SEPARATOR '~'

static int
refuse(struct err *e)
{
	return err_set(e, ERR_UNKNOWN, "The sign-in is over.");
}

static void
secret_make(
    uint64_t version, char out[BROWSER_SECRET], unsigned char hash[HASH_SIZE])
{
	unsigned char raw[RANDOM_SIZE];
	char encoded[ENCODED + 1];

	id_random(raw, sizeof(raw));
	str_b64url(raw, sizeof(raw), encoded);
	snprintf(out, BROWSER_SECRET, PREFIX "%llu_%s",
	    (unsigned long long)version, encoded);
	crypto_sha256(out, strlen(out), hash);
	crypto_wipe(raw, sizeof(raw));
	crypto_wipe(encoded, sizeof(encoded));
}

/* The version in the text and its hash; -1: no secret looks so. */
static int
secret_read(const char *text, char version[24], unsigned char hash[HASH_SIZE])
{
	size_t n = strnlen(text, BROWSER_SECRET), digits;
	int64_t number;

	if (n == BROWSER_SECRET || !str_starts(text, PREFIX))
		return -1;
	digits = strspn(text + sizeof(PREFIX) - 1, "0123456789");
	if (digits == 0 || digits > 19 ||
	    n != sizeof(PREFIX) - 1 + digits + 1 + ENCODED)
		return -1;
	snprintf(version, 24, "%.*s", (int)digits, text + sizeof(PREFIX) - 1);
	if (str_int(version, 1, INT64_MAX, &number) != 0)
		return -1;
	crypto_sha256(text, n, hash);
	return 0;
}

/* The person's slot and version, as they are now. */
static int
person_now(struct db_pool *db, int64_t deadline, const void *ctx,
    struct token *t, struct err *e)
{
	char user[UUID_TEXT];
	struct db_call call = {
		.stmt = &auth_store_person_now, .param = { user }, .nparams = 1
	};

	id_format(&t->user, user);
	if (db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(call.result) != 1)
		return refuse(e);
	t->slot = (uint32_t)db_int(call.result, 0, 0);
	t->version = (uint64_t)db_int(call.result, 0, 1);
	return 0;
}

int
browser_new(struct db_pool *db, const struct token *who,
    const struct sign_in_from *from, int64_t refresh_s, int64_t deadline,
    struct browser *out, struct err *e)
{
	unsigned char hash[HASH_SIZE];
	void *ctx = mem_root("browser");
	int rc;

	out->token = (struct token){ .user = who->user, .factor = who->factor };
	rc = person_now(db, deadline, ctx, &out->token, e);
	if (rc == 0 && who->version != 0 && who->version != out->token.version)
		rc = refuse(e);
	if (rc == 0) {
		secret_make(out->token.version, out->secret, hash);
		rc = sign_in_record(
		    db, &out->token, hash, from, refresh_s, deadline, ctx, e);
	}
	mem_free(ctx);
	return rc;
}

/* The row of a renewal; 1: it is to be asked again, with a new secret. */
static int
read_row(const struct db_result *r, struct browser *out, bool *replaced,
    struct err *e)
{
	struct token *t = &out->token;
	const char *state;
	char user[UUID_TEXT];

	if (db_rows(r) != 1 || db_uuid(r, 0, 0, &t->user) != 0 ||
	    db_uuid(r, 0, 3, &t->sign_in) != 0)
		return refuse(e);
	t->slot = (uint32_t)db_int(r, 0, 1);
	t->version = (uint64_t)db_int(r, 0, 2);
	t->factor = db_bool(r, 0, 5);
	state = db_text(r, 0, 4);
	*replaced = strcmp(state, "next") == 0;
	out->late = strcmp(state, "late") == 0;
	if (strcmp(state, "reused") == 0) {
		id_format(&t->user, user);
		log_event(
		    LOG_WARN, "browser_cookie_reused", "user", user, NULL);
		return refuse(e);
	}
	return strcmp(state, "changed") == 0 ? 1 : 0;
}

/* One try, with a secret made for version t->version, or (0) with none. */
static int
renew_once(struct db_pool *db, const unsigned char *hash, const char *version,
    int64_t refresh_s, int64_t deadline, const void *ctx, struct browser *out,
    struct err *e)
{
	unsigned char next_hash[HASH_SIZE];
	char next[BROWSER_SECRET] = "", next_version[24], seconds[24],
	     grace[16];
	struct db_call call = { .stmt = &auth_store_browser_renew,
		.param = { (const char *)hash, version, NULL, NULL, seconds,
		    grace },
		.nparams = 6,
		.binary = 1U };
	bool replaced = false;
	int rc;

	call.plen[0] = HASH_SIZE;
	snprintf(seconds, sizeof(seconds), "%lld", (long long)refresh_s);
	snprintf(grace, sizeof(grace), "%d", BROWSER_GRACE);
	if (out->token.version != 0) {
		secret_make(out->token.version, next, next_hash);
		snprintf(next_version, sizeof(next_version), "%llu",
		    (unsigned long long)out->token.version);
		call.param[2] = (const char *)next_hash;
		call.param[3] = next_version;
		call.binary |= 1U << 2;
		call.plen[2] = HASH_SIZE;
	}
	if (db_run(db, DB_WRITE, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	rc = read_row(call.result, out, &replaced, e);
	if (rc == 0 && replaced)
		memcpy(out->secret, next, sizeof(next));
	crypto_wipe(next, sizeof(next));
	return rc;
}

int
browser_renew(struct db_pool *db, const char *secret, bool anew,
    int64_t refresh_s, int64_t deadline, struct browser *out, struct err *e)
{
	unsigned char hash[HASH_SIZE];
	char version[24];
	void *ctx;
	int rc = 1;

	memset(out, 0, sizeof(*out));
	if (secret_read(secret, version, hash) != 0)
		return refuse(e);
	ctx = mem_root("browser");
	/* It may change while it is looked at, but not for ever. */
	for (int i = 0; i < TRIES && rc == 1; i++)
		rc = renew_once(db, hash, anew ? "0" : version, refresh_s,
		    deadline, ctx, out, e);
	mem_free(ctx);
	return rc == 1 ? err_set(e, ERR_UNAVAILABLE,
			     "this person changes too fast; try again")
	               : rc;
}

int
browser_cookie(struct tokens *ts, const struct browser *b, const char *secret,
    int64_t seconds, const void *ctx, char **ret, struct err *e)
{
	char *token;

	if (token_make_browser(ts, &b->token, seconds, ctx, &token, e) != 0)
		return -1;
	*ret = mem_printf(ctx, "%s%c%s", token, SEPARATOR,
	    b->secret[0] != '\0' ? b->secret : secret);
	return 0;
}

int
browser_parts(const void *ctx, const char *value, char **token, char **secret)
{
	const char *mark = strchr(value, SEPARATOR);

	if (mark == NULL)
		return -1;
	*token = mem_strndup(ctx, value, (size_t)(mark - value));
	*secret = mem_strdup(ctx, mark + 1);
	return 0;
}
