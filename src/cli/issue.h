/* Making keys and people: shared by their verbs and the demo.  Recorded as done
 * by ${who}. */
#ifndef CLI_ISSUE_H
#define CLI_ISSUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/key.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct cli;
struct db_pool;

/* A key to be made; text and prefix are filled in. */
struct issue_key {
	enum key_kind kind;
	const char *name;
	const char *role;          /* KEY_API */
	const int64_t *expires_us; /* KEY_API; NULL: never */
	const struct uuid *agent;  /* KEY_WIDGET; NULL: any */
	const json_t *origins;     /* KEY_WIDGET */
	struct uuid id;
	char text[KEY_TEXT], prefix[KEY_PREFIX];
};

int issue_key(struct db_pool *, const struct uuid *account, struct issue_key *,
    const struct audit_entry *who, struct err *);
/* Scheme and host with an optional port or ":*", nothing else; or an error
 * that says so. */
int issue_origin_check(const char *origin, struct err *);

#define ISSUE_PASSWORD 25
/* 144 random bits in base64url: what nobody has to remember. */
void issue_password(char out[ISSUE_PASSWORD]);
/* The password to set: of --password-stdin, which keeps the rules of
 * auth/password.h, or one made now (*made).  ${email} is its owner's. */
int issue_password_given(struct cli *, const char *email, const char **ret,
    bool *made, struct err *);
/* Make a user; ERR_CONFLICT when the address is taken. */
int issue_user(struct db_pool *, const char *email, const char *name,
    const char *password, bool platform_admin, const struct audit_entry *who,
    struct uuid *id, struct err *);
/* A local part, one @, a domain; no blanks; at most 254 characters. */
bool issue_email_ok(const char *email);

#endif
