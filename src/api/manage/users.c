/*
 * Members of an account and their roles.  Nobody gives a role above his own,
 * or touches somebody who has one; that an owner stays is the database's to
 * see, where two may leave at once.
 */
#include <string.h>

#include "account/account.h"
#include "api/mailing.h"
#include "api/manage/manage.h"
#include "api/manage/roles.h"
#include "api/manage/store.h"
#include "auth/link.h"
#include "auth/pwhash.h"
#include "crypto/hash.h"
#include "http/request.h"
#include "mail/message.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define INVITE_WAIT (10 * CLOCK_S)

static const struct manage_object user_object = { "user", &manage_store_user,
	&manage_store_user_lock, manage_store_user_cols, NULL };

static int
user_list(struct manage *m, struct err *e)
{
	const char *role = manage_query(m, "role", e);

	if (e->code != ERR_NONE)
		return -1;
	struct db_call call = { .stmt = &manage_store_users,
		.param = { m->account, role },
		.nparams = 2 };

	return manage_page(m, &call, manage_store_user_cols, NULL, e);
}
MANAGE_HANDLER(api_user_list, user_list)

/* What stands before the @, of an address that can be written to. */
static const char *
name_of(struct manage *m, const char *email)
{
	const char *given = manage_text(m, "display_name");

	return given != NULL ? given
	                     : mem_strndup(m->ctx, email,
				   (size_t)(strchr(email, '@') - email));
}

/* A hash that no password has: of bytes nobody has seen. */
static int
nobody_knows(struct manage *m, char **hash, struct err *e)
{
	unsigned char bytes[32];
	char text[64];
	int rc;

	id_random(bytes, sizeof(bytes));
	str_b64url(bytes, sizeof(bytes), text);
	rc = pwhash_make(m->ctx, text, hash, e);
	crypto_wipe(bytes, sizeof(bytes));
	crypto_wipe(text, sizeof(text));
	return rc;
}

static int
send_link(struct manage *m, const char *email, struct err *e)
{
	struct link_made made = { 0 };
	int rc = link_new(
	    m->app->db, email, m->req->started + INVITE_WAIT, m->ctx, &made, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_LIMIT, "too many links within the hour");
	const struct mail_value values[] = { { "account",
						 m->who->account->name },
		{ "role", manage_text(m, "role") }, { "until", made.until },
		{ "link",
		    mailing_link(m->app, m->ctx, "/password", made.token) },
		{ NULL, NULL } };

	return mailing_send(m->app, "invitation", made.email, values, e);
}

static int
send_word(struct manage *m, const char *email, struct err *e)
{
	const struct mail_value values[] = { { "account",
						 m->who->account->name },
		{ "role", manage_text(m, "role") },
		{ "link", mailing_link(m->app, m->ctx, "/login", NULL) },
		{ NULL, NULL } };

	return mailing_send(m->app, "membership", email, values, e);
}

/* Who is new gets a link to choose a password, who is not the way in.  She is a
 * member either way. */
static void
send_invitation(struct manage *m, const char *email, bool has_password)
{
	struct err e = { 0 };

	if ((has_password ? send_word(m, email, &e)
			  : send_link(m, email, &e)) != 0)
		log_event(LOG_ERROR, "mail_not_sent", "mail", "invitation",
		    "error", e.text, NULL);
}

static int
user_invite(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	const char *email, *role;
	char id[UUID_TEXT], *hash;
	struct uuid new;
	int rc;

	if (manage_body(m, "user_invite", e) != 0)
		return -1;
	email = manage_text(m, "email");
	role = manage_text(m, "role");
	if (!mail_address_ok(email))
		return manage_invalid(
		    m, e, "/email", "is no address that can be written to");
	if (manage_within(m, role, e) != 0 || mailing_ready(m->app, e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (nobody_knows(m, &hash, e) != 0)
		return -1;
	id_new(&new);
	id_format(&new, id);
	shown = json_pack("{s:s, s:s}", "email", email, "role", role);

	struct db_call call = { .stmt = &manage_store_user_invite,
		.param = { m->account, id, email, name_of(m, email), role,
		    hash },
		.nparams = 6 };
	struct manage_change c = { .action = "user.invite",
		.object = "user",
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	send_invitation(m, email, db_bool(call.result, 0, 1));
	return manage_answer(m, 201, shown, NULL);
}
MANAGE_HANDLER(api_user_invite, user_invite)

static int
user_get(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "user_id", id, e) != 0)
		return -1;
	return manage_show(m, &user_object, id, 200, e);
}
MANAGE_HANDLER(api_user_get, user_get)

static const char *
role_of(const struct manage_found *found)
{
	return json_string_value(json_object_get(found->json, "role"));
}

static int
role_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const char *role = manage_text(m, "role");

	if (manage_within(m, role_of(found), e) != 0)
		return -1;
	if (strcmp(role_of(found), role) == 0)
		return 1;
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "role", json_string(role));
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_user_role,
		    .param = { m->account, arg, role },
		    .nparams = 3 };
	return 0;
}

static int
user_change(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "user_id", id, e) != 0 ||
	    manage_body(m, "user_change", e) != 0 ||
	    manage_within(m, manage_text(m, "role"), e) != 0 ||
	    manage_update(m, &user_object, id, "user.role", role_apply, id, e) <
		0)
		return -1;
	return manage_show(m, &user_object, id, 200, e);
}
MANAGE_HANDLER(api_user_change, user_change)

static int
leave_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	if (manage_within(m, role_of(found), e) != 0)
		return -1;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_user_leave,
		    .param = { m->account, arg },
		    .nparams = 2 };
	return 0;
}

static int
user_remove(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "user_id", id, e) != 0 ||
	    manage_update(
		m, &user_object, id, "user.remove", leave_apply, id, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_user_remove, user_remove)
