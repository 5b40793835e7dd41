/* One table says what each role may do; every route names its permission. */
#ifndef AUTH_PERM_H
#define AUTH_PERM_H

#include <stdbool.h>
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
	ROLE_COUNT
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
	PERM_AUDIT_READ, /* see who changed what */
	PERM_COUNT
};

bool perm_allowed(enum role, enum perm);
const char *perm_name(enum perm); /* "chat.talk" */
const char *role_name(enum role); /* "account_owner" */
/* 0 or -1 */
int role_parse(const char *name, enum role *out);
/* May a key have this role?  Those of an account, from viewer to owner. */
bool role_for_key(enum role);
/* The table as Markdown. */
void perm_write_doc(FILE *);

#endif
