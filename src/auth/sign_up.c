/* The text of a link is looked at only by its hash. */
#include "auth/sign_up.h"

#include <ctype.h>
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

#define PREFIX "sb_new_"
#define SECRET 32
#define ENCODED 43
#define HASH_SIZE 32
#define SLUG_MADE 40 /* characters of a slug made of a name */
#define TRIES 4

int
sign_up_ask(struct db_pool *db, const char *email, const char *name,
    const char *slug, int64_t deadline, const void *ctx,
    struct sign_up_asked *out, struct err *e)
{
	unsigned char secret[SECRET], hash[HASH_SIZE];
	char encoded[ENCODED + 1], seconds[16];
	struct db_call call = { .stmt = &auth_store_sign_up_new,
		.param = { email, name, slug, (const char *)hash, seconds },
		.nparams = 5,
		.binary = 1U << 3 };

	call.plen[3] = HASH_SIZE;
	snprintf(seconds, sizeof(seconds), "%d", SIGN_UP_SECONDS);
	id_random(secret, sizeof(secret));
	str_b64url(secret, sizeof(secret), encoded);
	snprintf(out->token, sizeof(out->token), PREFIX "%s", encoded);
	crypto_sha256(out->token, strlen(out->token), hash);
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(encoded, sizeof(encoded));
	if (db_run(db, DB_WRITE, NULL, &call, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_null(call.result, 0, 0))
		return 0;
	out->until = db_text(call.result, 0, 0);
	return 1;
}

static int
refuse(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
	    "The link is not good any more. Sign up once more.");
}

/* A slug made of a name: its letters and digits, what is between them as -. */
static char *
slug_of(const void *ctx, const char *name)
{
	char *out = mem_array(ctx, char, SLUG_MADE + 1);
	size_t n = 0;

	for (; *name != '\0' && n < SLUG_MADE; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x80 && isalnum(c))
			out[n++] = (char)tolower(c);
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	return n >= 2 ? out : mem_strdup(ctx, "account");
}

/* The same with four digits that nobody has. */
static char *
slug_other(const void *ctx, const char *slug)
{
	unsigned char random[2];
	char digits[5];

	id_random(random, sizeof(random));
	str_hex(random, sizeof(random), digits);
	return mem_printf(ctx, "%s-%s", slug, digits);
}

/* What goes into the transaction. */
struct confirming {
	const struct sign_up_how *how;
	unsigned char hash[HASH_SIZE];
	const char *email, *name;
	const char *user; /* who has the address and a password, or NULL */
	char *password_hash;
};

static int
open_account(struct db_pool *db, const struct confirming *c, const char *slug,
    int64_t deadline, const void *ctx, struct err *e)
{
	char account[UUID_TEXT], user[UUID_TEXT];
	const char *display = mem_strndup(
	    ctx, c->email, (size_t)(strchrnul(c->email, '@') - c->email));
	json_auto_t *after = json_pack(
	    "{s:s, s:s, s:s}", "slug", slug, "name", c->name, "tier", "free");
	struct uuid made, person;
	struct db_call calls[2] = { { .stmt = &auth_store_sign_up_use,
	    .param = { (const char *)c->hash, account, user, slug, display,
		c->password_hash },
	    .nparams = 6,
	    .binary = 1U } };
	const struct audit_entry entry = { .action = "account.sign_up",
		.actor_kind = "user",
		.actor_id = c->user != NULL ? c->user : user,
		.address = c->how->address,
		.request_id = c->how->request_id,
		.object_kind = "account",
		.object_id = account,
		.after = after };

	calls[0].plen[0] = HASH_SIZE;
	id_new(&made);
	id_new(&person);
	id_format(&made, account);
	id_format(&person, user);
	audit_call(ctx, &made, &entry, &calls[1]);
	if (db_run(db, DB_WRITE, &made, calls, 2, deadline, ctx, e) == 0)
		return 0;
	return e->code == ERR_NOT_FOUND ? refuse(e) : -1;
}

static bool
slug_taken(const struct err *e)
{
	return e->code == ERR_CONFLICT &&
	       strstr(e->text, "accounts_slug_key") != NULL;
}

/* A slug that somebody has chosen is taken as it is; one that we made may have
 * digits behind it. */
static int
open_somewhere(struct db_pool *db, const struct confirming *c,
    const char *chosen, int64_t deadline, const void *ctx, const char **slug,
    struct err *e)
{
	const char *made = chosen != NULL ? chosen : slug_of(ctx, c->name);

	*slug = made;
	for (int i = 0; i < TRIES; i++) {
		*e = (struct err){ 0 };
		if (open_account(db, c, *slug, deadline, ctx, e) == 0)
			return 0;
		if (!slug_taken(e))
			return -1;
		if (chosen != NULL)
			break;
		*slug = slug_other(ctx, made);
	}
	return err_set(e, ERR_CONFLICT,
	    "there is an account %.63s already: choose another slug", *slug);
}

static int
choose(struct confirming *c, const void *ctx, struct err *e)
{
	struct password_owner owner = { .email = c->email, .name = c->name };
	const char *password = c->how->password;
	char *chosen;
	int rc;

	if (c->user != NULL)
		return 0;
	if (password == NULL)
		return err_set(e, ERR_INVALID, "choose a password");
	if (password_choose(
		ctx, password, strlen(password), &owner, &chosen, e) != 0)
		return -1;
	rc = pwhash_make(ctx, chosen, &c->password_hash, e);
	crypto_wipe(chosen, strlen(chosen));
	return rc;
}

int
sign_up_confirm(struct db_pool *db, const struct sign_up_how *how,
    int64_t deadline, const void *ctx, struct sign_up_made *out, struct err *e)
{
	struct confirming c = { .how = how };
	struct db_call look = { .stmt = &auth_store_sign_up_look,
		.param = { (const char *)c.hash },
		.nparams = 1,
		.binary = 1U };
	const char *slug = how->slug;

	look.plen[0] = HASH_SIZE;
	if (strnlen(how->token, SIGN_UP_TEXT) != sizeof(PREFIX) - 1 + ENCODED ||
	    !str_starts(how->token, PREFIX))
		return refuse(e);
	crypto_sha256(how->token, strlen(how->token), c.hash);
	if (db_run(db, DB_CONTROL, NULL, &look, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(look.result) == 0)
		return refuse(e);
	c.email = db_text(look.result, 0, 0);
	c.name = db_text(look.result, 0, 1);
	if (slug == NULL && !db_null(look.result, 0, 2))
		slug = db_text(look.result, 0, 2);
	if (!db_null(look.result, 0, 3))
		c.user = db_text(look.result, 0, 3);
	if (choose(&c, ctx, e) != 0 ||
	    open_somewhere(db, &c, slug, deadline, ctx, &out->slug, e) != 0)
		return -1;
	out->name = c.name;
	out->email = c.email;
	return 0;
}
