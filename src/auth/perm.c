/* What each role may do, as one table. */
#include "auth/perm.h"

#include <stddef.h>
#include <string.h>

#include "util/banned.h"

static const char *const role_names[ROLE_COUNT] = {
	[ROLE_NONE] = "none",
	[ROLE_VISITOR] = "visitor",
	[ROLE_VIEWER] = "viewer",
	[ROLE_SUPPORT] = "support",
	[ROLE_ANALYST] = "analyst",
	[ROLE_AGENT_MANAGER] = "agent_manager",
	[ROLE_ACCOUNT_ADMIN] = "account_admin",
	[ROLE_ACCOUNT_OWNER] = "account_owner",
	[ROLE_PLATFORM_ADMIN] = "platform_admin",
};

#define BIT(role) (1U << (role))
#define MANAGERS                                                               \
	(BIT(ROLE_AGENT_MANAGER) | BIT(ROLE_ACCOUNT_ADMIN) |                   \
	    BIT(ROLE_ACCOUNT_OWNER) | BIT(ROLE_PLATFORM_ADMIN))
#define EVERYBODY (BIT(ROLE_COUNT) - 1)

/* PERM_UNSET stays empty: nobody may do what has no permission. */
static const struct {
	const char *name, *text;
	unsigned roles;
} perms[PERM_COUNT] = {
	[PERM_PUBLIC] = { "public", "what anybody sees", EVERYBODY },
	[PERM_SELF] = { "self", "see and change what is one's own",
	    MANAGERS | BIT(ROLE_VIEWER) | BIT(ROLE_SUPPORT) |
		BIT(ROLE_ANALYST) },
	[PERM_CHAT] = { "chat.talk", "talk to an agent",
	    MANAGERS | BIT(ROLE_VISITOR) | BIT(ROLE_SUPPORT) },
	[PERM_TURN_READ] = { "turn.read", "read a turn or a session's messages",
	    MANAGERS | BIT(ROLE_VISITOR) | BIT(ROLE_VIEWER) |
		BIT(ROLE_SUPPORT) | BIT(ROLE_ANALYST) },
	[PERM_TURN_STOP] = { "turn.stop", "stop a running turn",
	    MANAGERS | BIT(ROLE_VISITOR) },
	[PERM_FEEDBACK] = { "feedback.give", "rate an answer",
	    MANAGERS | BIT(ROLE_VISITOR) | BIT(ROLE_SUPPORT) },
	[PERM_AUDIT_READ] = { "audit.read", "see who changed what",
	    BIT(ROLE_ACCOUNT_ADMIN) | BIT(ROLE_ACCOUNT_OWNER) |
		BIT(ROLE_PLATFORM_ADMIN) },
};

bool
perm_allowed(enum role role, enum perm perm)
{
	if ((unsigned)role >= ROLE_COUNT || (unsigned)perm >= PERM_COUNT)
		return false;
	return (perms[perm].roles & BIT(role)) != 0;
}

const char *
perm_name(enum perm perm)
{
	if ((unsigned)perm >= PERM_COUNT || perms[perm].name == NULL)
		return "unset";
	return perms[perm].name;
}

const char *
role_name(enum role role)
{
	return (unsigned)role < ROLE_COUNT ? role_names[role] : "none";
}

int
role_parse(const char *name, enum role *out)
{
	/* "none" is what a caller without a role has, not a name to give. */
	for (int i = ROLE_NONE + 1; i < ROLE_COUNT; i++)
		if (strcmp(name, role_names[i]) == 0) {
			*out = (enum role)i;
			return 0;
		}
	return -1;
}

bool
role_for_key(enum role role)
{
	return role >= ROLE_VIEWER && role <= ROLE_ACCOUNT_OWNER;
}

void
perm_write_doc(FILE *f)
{
	fputs("| permission | lets |", f);
	for (int r = ROLE_VISITOR; r < ROLE_COUNT; r++)
		fprintf(f, " %s |", role_names[r]);
	fputs("\n|---|---|", f);
	for (int r = ROLE_VISITOR; r < ROLE_COUNT; r++)
		fputs("---|", f);
	fputs("\n", f);
	for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++) {
		fprintf(f, "| `%s` | %s |", perms[p].name, perms[p].text);
		for (int r = ROLE_VISITOR; r < ROLE_COUNT; r++)
			fputs(perm_allowed((enum role)r, (enum perm)p)
				  ? " yes |"
				  : " |",
			    f);
		fputs("\n", f);
	}
}
