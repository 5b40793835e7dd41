/* Keys and people, as they come into being. */
#include "cli/issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "auth/password.h"
#include "cli/cli.h"
#include "cli/people/store.h"
#include "cli/store.h"
#include "crypto/hash.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

int
issue_key(struct db_pool *db, const struct uuid *account, struct issue_key *k,
    const struct audit_entry *who, struct err *e)
{
	unsigned char hash[32];
	struct store_key row = { .name = k->name,
		.prefix = k->prefix,
		.hash = hash,
		.role = k->role,
		.expires_us = k->expires_us,
		.agent = k->agent,
		.origins = k->origins };

	id_new(&k->id);
	row.id = k->id;
	key_make(k->kind, k->text, k->prefix, hash);
	if (k->kind == KEY_API)
		return store_key_api(db, account, &row, who, e);
	return store_key_widget(db, account, &row, who, e);
}

int
issue_origin_check(const char *origin, struct err *e)
{
	bool web =
	    str_starts(origin, "https://") || str_starts(origin, "http://");

	if (!web || !origin_entry_ok(origin))
		return err_set(e, ERR_INVALID,
		    "%s: an origin is a scheme and a host in lower case, with "
		    "a port or :* where wanted, such as "
		    "https://www.example.com",
		    origin);
	return 0;
}

void
issue_password(char out[ISSUE_PASSWORD])
{
	unsigned char bytes[18];

	id_random(bytes, sizeof bytes);
	str_b64url(bytes, sizeof bytes, out);
}

int
issue_password_given(struct cli *c, const char *email, const char **ret,
    bool *made, struct err *e)
{
	struct password_owner owner = { .email = email };
	char *text, *line = NULL;
	size_t size = 0;
	ssize_t n;
	int rc;

	*made = !cli_flag(c, "password-stdin");
	if (*made) {
		text = mem_zalloc(c->ctx, ISSUE_PASSWORD, "password");
		issue_password(text);
		*ret = text;
		return 0;
	}
	n = getline(&line, &size, stdin);
	if (n < 0) {
		free(line);
		return err_set(e, ERR_INVALID, "no password on standard input");
	}
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	rc = password_choose(c->ctx, line, (size_t)n, &owner, &text, e);
	crypto_wipe(line, size);
	free(line);
	*ret = text;
	return rc;
}

int
issue_user(struct db_pool *db, const char *email, const char *name,
    const char *password, bool platform_admin, const struct audit_entry *who,
    struct uuid *id, struct err *e)
{
	void *ctx = mem_root("user");
	struct store_user u = {
		.email = email, .name = name, .platform_admin = platform_admin
	};
	char *hash;
	int rc;

	id_new(&u.id);
	rc = crypto_password_hash(ctx, password, &hash, e);
	if (rc == 0) {
		u.password_hash = hash;
		rc = store_user_create(db, &u, who, e);
		if (rc != 0 && e->code == ERR_CONFLICT)
			rc = err_set(e, ERR_CONFLICT,
			    "there is a user %s already", email);
	}
	if (rc == 0)
		*id = u.id;
	mem_free(ctx);
	return rc;
}

bool
issue_email_ok(const char *email)
{
	const char *at = strchr(email, '@');

	if (at == NULL || at == email || at[1] == '\0' ||
	    strchr(at + 1, '@') != NULL || strlen(email) > 254)
		return false;
	for (const char *p = email; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return true;
}
