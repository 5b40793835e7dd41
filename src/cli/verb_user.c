/* switchboard user: people, their passwords and memberships. */
#include <stdio.h>
#include <string.h>

#include "auth/perm.h"
#include "auth/sign_in.h"
#include "cli/cli.h"
#include "cli/issue.h"
#include "cli/out.h"
#include "cli/people/store.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "crypto/hash.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define CLI_WAIT() (clock_mono() + 10 * CLOCK_S)

static const struct out_col list_cols[] = { { "email", "EMAIL" },
	{ "display_name", "NAME" }, { "is_active", "ACTIVE" },
	{ "is_platform_admin", "PLATFORM ADMIN" },
	{ "memberships_text", "MEMBER OF" }, { NULL, NULL } };

static int
role_given(struct cli *c, const char *name, struct err *e)
{
	enum role role;

	/* Whether the account has one of its own, the database knows. */
	if (role_parse(name, &role) == 0 ? !role_for_key(role)
					 : !str_is_name(name))
		return cli_misuse(c, e,
		    "no role \"%s\" in an account: viewer, support, analyst, "
		    "agent_manager, account_admin, account_owner or one of its "
		    "own",
		    name);
	return 0;
}

static int
done(struct cli *c, const char *email, const char *what, const char *password)
{
	json_t *o = json_pack("{s:s}", "email", email);

	if (password == NULL)
		return out_done(c, o, "User %s %s.", email, what);
	json_object_set_new(o, "password", json_string(password));
	return out_done(c, o,
	    "User %s %s.\nPassword: %s\nThis is the only time it is shown.",
	    email, what, password);
}

int
verb_user_create(struct cli *c, struct err *e)
{
	const char *email = c->word[0], *name = cli_opt(c, "name"),
		   *slug = cli_opt(c, "account"), *role = cli_opt(c, "role"),
		   *password;
	struct uuid id, account;
	struct db_pool *db;
	bool new;

	if (!issue_email_ok(email))
		return cli_misuse(c, e, "%s: no e-mail address", email);
	if (role != NULL && slug == NULL)
		return cli_misuse(c, e, "--role wants an --account");
	if (role == NULL)
		role = "viewer";
	if (role_given(c, role, e) != 0)
		return -1;
	if (name == NULL)
		name = mem_strndup(
		    c->ctx, email, (size_t)(strchr(email, '@') - email));
	if (cli_db(c, &db, e) != 0 ||
	    (slug != NULL && store_account_id(db, slug, &account, e) != 0) ||
	    issue_password_given(c, email, &password, &new, e) != 0 ||
	    issue_user(db, email, name, password, cli_flag(c, "platform-admin"),
		cli_who(c), &id, e) != 0)
		return -1;
	if (slug != NULL &&
	    store_member_set(db, &account, &id, role, cli_who(c), e) != 0)
		return err_prefix(
		    e, "the user is made, but not a member of %s", slug);
	return done(c, email, "is made", new ? password : NULL);
}

int
verb_user_list(struct cli *c, struct err *e)
{
	struct db_pool *db;
	json_t *rows, *row, *m;
	size_t i, k;

	if (cli_db(c, &db, e) != 0 ||
	    store_user_list(db, cli_opt(c, "account"), &rows, e) != 0)
		return -1;
	if (c->json)
		return out_list(c, rows, list_cols);
	json_array_foreach(rows, i, row)
	{
		json_t *names = json_array();

		json_array_foreach(json_object_get(row, "memberships"), k, m)
		    json_array_append_new(names,
			json_sprintf("%s (%s)",
			    json_string_value(json_object_get(m, "account")),
			    json_string_value(json_object_get(m, "role"))));
		json_object_set_new(row, "memberships_text", names);
	}
	return out_list(c, rows, list_cols);
}

int
verb_user_set_password(struct cli *c, struct err *e)
{
	const char *password;
	struct db_pool *db;
	struct uuid id;
	char *hash;
	bool new;

	if (cli_db(c, &db, e) != 0 ||
	    store_user_find(db, c->word[0], NULL, &id, NULL, e) != 0 ||
	    issue_password_given(c, c->word[0], &password, &new, e) != 0 ||
	    crypto_password_hash(c->ctx, password, &hash, e) != 0 ||
	    store_user_password(db, &id, hash, cli_who(c), e) != 0)
		return -1;
	return done(c, c->word[0], "has a new password", new ? password : NULL);
}

static int
set_active(struct cli *c, bool active, struct err *e)
{
	struct db_pool *db;
	struct uuid id;

	if (cli_db(c, &db, e) != 0 ||
	    store_user_find(db, c->word[0], NULL, &id, NULL, e) != 0 ||
	    store_user_active(db, &id, active, cli_who(c), e) != 0)
		return -1;
	return done(c, c->word[0],
	    active ? "may sign in" : "may no longer sign in", NULL);
}

int
verb_user_activate(struct cli *c, struct err *e)
{
	return set_active(c, true, e);
}

int
verb_user_deactivate(struct cli *c, struct err *e)
{
	return set_active(c, false, e);
}

int
verb_user_sign_out(struct cli *c, struct err *e)
{
	struct db_pool *db;
	struct uuid id;
	int64_t n;

	if (cli_db(c, &db, e) != 0 ||
	    store_user_find(db, c->word[0], NULL, &id, NULL, e) != 0 ||
	    sign_in_end(db, &id, NULL, "ended by the operator", cli_who(c),
		CLI_WAIT(), &n, e) != 0)
		return -1;
	return out_done(c,
	    json_pack("{s:s, s:I}", "email", c->word[0], "sign_ins_ended",
		(json_int_t)n),
	    "User %s is signed out everywhere (%lld sign-ins).", c->word[0],
	    (long long)n);
}

int
verb_token_rotate(struct cli *c, struct err *e)
{
	struct db_pool *db;
	char kid[SIGNING_KID];

	if (cli_db(c, &db, e) != 0 ||
	    tokens_rotate(db, cli_flag(c, "now"), CLI_WAIT(), kid, e) != 0)
		return -1;
	return out_done(c, json_pack("{s:s}", "kid", kid),
	    "Access tokens are signed with key %s from now on.", kid);
}

/* The user and the account that the first two words name. */
static int
member(struct cli *c, struct db_pool **db, struct uuid *user,
    struct uuid *account, struct err *e)
{
	if (cli_db(c, db, e) != 0 ||
	    store_user_find(*db, c->word[0], NULL, user, NULL, e) != 0)
		return -1;
	return store_account_id(*db, c->word[1], account, e);
}

int
verb_user_grant(struct cli *c, struct err *e)
{
	const char *role = c->word[2];
	struct uuid user, account;
	struct db_pool *db;

	if (role_given(c, role, e) != 0 ||
	    member(c, &db, &user, &account, e) != 0 ||
	    store_member_set(db, &account, &user, role, cli_who(c), e) != 0)
		return -1;
	return out_done(c,
	    json_pack("{s:s, s:s, s:s}", "email", c->word[0], "account",
		c->word[1], "role", role),
	    "User %s is %s of %s.", c->word[0], role, c->word[1]);
}

int
verb_user_revoke(struct cli *c, struct err *e)
{
	struct uuid user, account;
	struct db_pool *db;

	if (member(c, &db, &user, &account, e) != 0 ||
	    store_member_remove(db, &account, &user, cli_who(c), e) != 0)
		return -1;
	return out_done(c,
	    json_pack("{s:s, s:s}", "email", c->word[0], "account", c->word[1]),
	    "User %s is no longer a member of %s.", c->word[0], c->word[1]);
}
