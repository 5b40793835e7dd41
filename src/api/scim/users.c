/*
 * Users.  Of what a directory says we keep what the RFC has a name for, but no
 * password: people sign in with their own, or by the account's sign-on.
 */
#include <string.h>
#include <strings.h>

#include "account/account.h"
#include "api/scim/scim.h"
#include "auth/pwhash.h"
#include "crypto/hash.h"
#include "mail/message.h"
#include "scim/patch.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define TEXT_MAX 254
#define RESOURCE_MAX 32768

/* Attributes that are kept as they are said. */
static const char *const kept[] = { "name", "displayName", "nickName",
	"profileUrl", "title", "userType", "preferredLanguage", "locale",
	"timezone", "emails", "phoneNumbers", "ims", "photos", "addresses",
	"entitlements", "roles", "x509Certificates", SCIM_ENTERPRISE };

static json_t *
make(struct manage *m, const json_t *row)
{
	json_t *r = json_deep_copy(json_object_get(row, "resource"));
	const json_t *external = json_object_get(row, "externalId");

	json_object_set(r, "userName", json_object_get(row, "userName"));
	if (json_is_string(external))
		json_object_set(r, "externalId", (json_t *)(uintptr_t)external);
	json_object_set(r, "active", json_object_get(row, "active"));
	json_object_set(r, "groups", json_object_get(row, "groups"));
	scim_dress(m, &scim_user, r, row);
	return r;
}

const struct scim_kind scim_user = { "User", "Users", "userName",
	{ "scim_user", &scim_store_user, &scim_store_user_lock,
	    scim_store_user_cols, NULL },
	&scim_store_users, &scim_store_users_count, make };

/* A user as it is said. */
struct said {
	const char *name, *external, *email, *display, *resource;
	bool active;
};

/* "False" of Entra, too. */
static int
read_active(const json_t *body, bool otherwise, bool *out, struct err *e)
{
	const json_t *v = scim_member(body, "active");
	const char *text = json_string_value(v);

	*out = otherwise;
	if (v == NULL || json_is_null(v))
		return 0;
	if (json_is_boolean(v))
		*out = json_is_true(v);
	else if (text != NULL && strcasecmp(text, "true") == 0)
		*out = true;
	else if (text != NULL && strcasecmp(text, "false") == 0)
		*out = false;
	else
		return scim_invalid(e, "active must be true or false");
	return 0;
}

/* Is it the one to use? */
static bool
is_primary(const json_t *entry)
{
	const json_t *v = scim_member(entry, "primary");
	const char *text = json_string_value(v);

	return json_is_true(v) ||
	       (text != NULL && strcasecmp(text, "true") == 0);
}

/* The primary address, else the first, else the name. */
static int
read_email(const json_t *body, struct said *s, struct err *e)
{
	const json_t *list = scim_member(body, "emails"), *v;
	const char *text;
	size_t i;

	s->email = NULL;
	json_array_foreach(list, i, v)
	{
		if (!json_is_object(v))
			return scim_invalid(e, "emails must be objects");
		if (scim_text(v, "value", TEXT_MAX, &text, e) != 0)
			return -1;
		if (text != NULL && (s->email == NULL || is_primary(v)))
			s->email = text;
	}
	if (s->email == NULL)
		s->email = s->name;
	if (mail_address_ok(s->email))
		return 0;
	return scim_invalid(e,
	    "%.80s is no address to write to: userName or one of emails must "
	    "be",
	    s->email);
}

/* displayName, else what name has, else the part before the @. */
static int
read_display(
    struct manage *m, const json_t *body, struct said *s, struct err *e)
{
	const json_t *name = scim_member(body, "name");
	const char *given = NULL, *family = NULL, *whole = NULL;

	if (scim_text(body, "displayName", TEXT_MAX, &s->display, e) != 0)
		return -1;
	if (json_is_object(name) &&
	    (scim_text(name, "formatted", TEXT_MAX, &whole, e) != 0 ||
		scim_text(name, "givenName", TEXT_MAX, &given, e) != 0 ||
		scim_text(name, "familyName", TEXT_MAX, &family, e) != 0))
		return -1;
	if (s->display == NULL)
		s->display = whole;
	if (s->display == NULL && (given != NULL || family != NULL))
		s->display =
		    mem_printf(m->ctx, "%s%s%s", given != NULL ? given : "",
			given != NULL && family != NULL ? " " : "",
			family != NULL ? family : "");
	if (s->display == NULL)
		s->display =
		    mem_strndup(m->ctx, s->email, strcspn(s->email, "@"));
	return 0;
}

static int
read_user(struct manage *m, const json_t *body, bool active, struct said *s,
    struct err *e)
{
	json_auto_t *resource = json_object();

	if (scim_text(body, "userName", TEXT_MAX, &s->name, e) != 0 ||
	    scim_text(body, "externalId", TEXT_MAX, &s->external, e) != 0 ||
	    read_active(body, active, &s->active, e) != 0)
		return -1;
	if (s->name == NULL)
		return scim_invalid(e, "userName is needed");
	if (read_email(body, s, e) != 0 || read_display(m, body, s, e) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const json_t *v = scim_member(body, kept[i]);

		if (v != NULL && !json_is_null(v))
			json_object_set(
			    resource, kept[i], (json_t *)(uintptr_t)v);
	}
	s->resource = manage_json(m->ctx, resource);
	if (s->resource == NULL || strlen(s->resource) > RESOURCE_MAX)
		return err_set(
		    e, ERR_TOO_LARGE, "a user may have %d bytes", RESOURCE_MAX);
	return 0;
}

/* The database names a broken rule by its constraint. */
static int
refused(struct err *e)
{
	if (e->code == ERR_CONFLICT &&
	    (strstr(e->text, "scim_users_name_key") != NULL ||
		strstr(e->text, "scim_users_person_key") != NULL))
		return err_set_kind(e, ERR_CONFLICT, "uniqueness", 0,
		    "there is a user of this userName or address already");
	return -1;
}

static json_t *
record_of(const struct said *s)
{
	return json_pack("{s:s, s:s, s:s?, s:b}", "userName", s->name, "email",
	    s->email, "externalId", s->external, "active", (int)s->active);
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
user_create(struct manage *m, struct err *e)
{
	char id[UUID_TEXT], person[UUID_TEXT], *hash;
	json_auto_t *after = NULL;
	struct uuid made;
	struct said s;

	if (scim_body(m, e) != 0 || read_user(m, m->body, true, &s, e) != 0 ||
	    nobody_knows(m, &hash, e) != 0)
		return -1;
	id_new(&made);
	id_format(&made, id);
	id_new(&made);
	id_format(&made, person);
	after = record_of(&s);
	struct db_call call = { .stmt = &scim_store_user_create,
		.param = { m->account, id, person, s.email, s.display, hash,
		    s.name, s.external, s.active ? "t" : "f", s.resource },
		.nparams = 10 };
	struct manage_change c = { .action = "scim.user_create",
		.object = "scim_user",
		.id = id,
		.after = after,
		.calls = &call,
		.ncalls = 1 };

	if (manage_commit(m, &c, e) < 0)
		return refused(e);
	return scim_show(m, &scim_user, id, 201, e);
}
MANAGE_HANDLER(api_scim_user_create, user_create)

/* ${patch}: the body changes what is there, else it takes its place. */
static int
apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const bool *patch = arg;
	json_auto_t *now = NULL;
	struct said s;

	if (*patch) {
		now = make(m, found->json);
		if (scim_patch(now, m->body, e) != 0)
			return -1;
	}
	if (read_user(m, *patch ? now : m->body,
		json_is_true(json_object_get(found->json, "active")), &s,
		e) != 0)
		return -1;
	c->after = record_of(&s);
	/* what s points to is the body's, or goes with now */
	c->calls[c->ncalls++] = (struct db_call){ .stmt =
						      &scim_store_user_change,
		.param = { m->account, c->id, mem_strdup(m->ctx, s.email),
		    mem_strdup(m->ctx, s.display), mem_strdup(m->ctx, s.name),
		    s.external != NULL ? mem_strdup(m->ctx, s.external) : NULL,
		    s.active ? "t" : "f", s.resource },
		.nparams = 8 };
	return 0;
}

static int
change(struct manage *m, bool patch, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "scim_id", id, e) != 0 || scim_body(m, e) != 0)
		return -1;
	if (manage_update(m, &scim_user.object, id, "scim.user_update", apply,
		&patch, e) < 0)
		return refused(e);
	return scim_show(m, &scim_user, id, 200, e);
}

static int
user_put(struct manage *m, struct err *e)
{
	return change(m, false, e);
}
MANAGE_HANDLER(api_scim_user_put, user_put)

static int
user_patch(struct manage *m, struct err *e)
{
	return change(m, true, e);
}
MANAGE_HANDLER(api_scim_user_patch, user_patch)

static int
delete_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)arg;
	(void)found;
	(void)e;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &scim_store_user_delete,
		    .param = { m->account, c->id },
		    .nparams = 2 };
	return 0;
}

static int
user_delete(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "scim_id", id, e) != 0 ||
	    manage_update(m, &scim_user.object, id, "scim.user_delete",
		delete_apply, NULL, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_scim_user_delete, user_delete)

static int
user_list(struct manage *m, struct err *e)
{
	return scim_list(m, &scim_user, e);
}
MANAGE_HANDLER(api_scim_user_list, user_list)

static int
user_get(struct manage *m, struct err *e)
{
	return scim_get(m, &scim_user, e);
}
MANAGE_HANDLER(api_scim_user_get, user_get)
