/* One table says what each role may do; every route names its permission. */
#ifndef AUTH_PERM_H
#define AUTH_PERM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum role {
	ROLE_NONE,
	ROLE_VISITOR, /* a widget key */
	ROLE_VIEWER,
	ROLE_SUPPORT,
	ROLE_ANALYST,
	ROLE_AGENT_MANAGER,
	ROLE_ACCOUNT_ADMIN,
	ROLE_ACCOUNT_OWNER,
	ROLE_PLATFORM_ADMIN,
	ROLE_COUNT,
	ROLE_CUSTOM = ROLE_COUNT /* an account's own */
};

/* PERM_UNSET is 0 on purpose: a route that names none does not build. */
enum perm {
	PERM_UNSET,
	PERM_PUBLIC,    /* anybody, also unknown */
	PERM_SELF,      /* somebody who has signed in, about herself */
	PERM_CHAT,      /* talk to an agent */
	PERM_TURN_READ, /* read a turn or a session's messages */
	PERM_TURN_STOP,
	PERM_FEEDBACK,
	PERM_AUDIT_READ,     /* see who changed what */
	PERM_ACCOUNT_LIST,   /* all accounts */
	PERM_ACCOUNT_CREATE, /* make one */
	PERM_ACCOUNT_READ,
	PERM_ACCOUNT_WRITE,
	PERM_ACCOUNT_LIMITS, /* its tier, its limits, whether it is active */
	PERM_ACCOUNT_END,    /* delete it, after a time of grace */
	PERM_ACCOUNT_EXPORT, /* take all of it along */
	PERM_AGENT_READ,
	PERM_AGENT_WRITE,
	PERM_AGENT_CONFIG,
	PERM_KEY_READ, /* API keys */
	PERM_KEY_WRITE,
	PERM_WIDGET_READ, /* widget keys */
	PERM_WIDGET_WRITE,
	PERM_USER_READ, /* members and their roles */
	PERM_USER_WRITE,
	PERM_ROLE_READ, /* roles and what they may */
	PERM_ROLE_WRITE,
	PERM_SSO_READ, /* single sign-on */
	PERM_SSO_WRITE,
	PERM_SSO_DOMAIN,   /* which domains are an account's */
	PERM_SCIM,         /* what an account's directory does */
	PERM_SESSION_READ, /* everybody's sessions */
	PERM_USAGE_READ,
	PERM_CREDENTIAL_READ, /* keys for model providers */
	PERM_CREDENTIAL_WRITE,
	PERM_BUDGET_READ, /* budgets and what is spent of them */
	PERM_BUDGET_WRITE,
	PERM_COUNT
};

bool perm_allowed(enum role, enum perm);

/* What a caller may, whatever role it comes from. */
typedef uint64_t perm_set;
static inline perm_set
perm_bit(enum perm p)
{
	return (perm_set)1 << p;
}
static inline bool
perm_in(perm_set s, enum perm p)
{
	return p > PERM_UNSET && p < PERM_COUNT && (s & perm_bit(p)) != 0;
}
perm_set perm_of_role(enum role); /* of a built-in one; else nothing */
/* Those that may stand in an account's own role: what its owner may, but for
 * what everybody may. */
perm_set perm_grantable(void);
/* The permissions of an account's own role, whose names ${names} lists with
 * spaces between; a name that we do not know allows nothing. */
perm_set perm_set_parse(const char *names);
/* 0 or -1 */
int perm_parse(const char *name, enum perm *out);
const char *perm_name(enum perm); /* "chat.talk" */
const char *role_name(enum role); /* "account_owner" */
const char *role_text(enum role); /* what it is for */
/* 0 or -1 */
int role_parse(const char *name, enum role *out);
/* May a key have this role?  Those of an account, from viewer to owner. */
bool role_for_key(enum role);
/* The table as Markdown. */
void perm_write_doc(FILE *);

#endif
