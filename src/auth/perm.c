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
#define ADMINS                                                                 \
	(BIT(ROLE_ACCOUNT_ADMIN) | BIT(ROLE_ACCOUNT_OWNER) |                   \
	    BIT(ROLE_PLATFORM_ADMIN))
#define PEOPLE                                                                 \
	(MANAGERS | BIT(ROLE_VIEWER) | BIT(ROLE_SUPPORT) | BIT(ROLE_ANALYST))
#define EVERYBODY (BIT(ROLE_COUNT) - 1)

_Static_assert(PERM_COUNT <= 64, "a perm_set has a bit for each");

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
	[PERM_ACCOUNT_LIST] = { "account.list", "see all accounts",
	    BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_ACCOUNT_CREATE] = { "account.create", "make an account",
	    BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_ACCOUNT_READ] = { "account.read", "see the account's settings",
	    PEOPLE },
	[PERM_ACCOUNT_WRITE] = { "account.write",
	    "change the account's settings", ADMINS },
	[PERM_ACCOUNT_LIMITS] = { "account.limits",
	    "change an account's tier and limits, suspend it, bring it back; "
	    "the platform's own keys for model providers",
	    BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_ACCOUNT_END] = { "account.end",
	    "delete the account, after a time of grace",
	    BIT(ROLE_ACCOUNT_OWNER) | BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_ACCOUNT_EXPORT] = { "account.export",
	    "take along all that the account has",
	    BIT(ROLE_ACCOUNT_OWNER) | BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_AGENT_READ] = { "agent.read",
	    "see agents and their configurations", PEOPLE },
	[PERM_AGENT_WRITE] = { "agent.write",
	    "make, rename, switch and archive agents", MANAGERS },
	[PERM_AGENT_CONFIG] = { "agent.config",
	    "change and restore configurations", MANAGERS },
	[PERM_KEY_READ] = { "key.read", "see which API keys there are",
	    ADMINS },
	[PERM_KEY_WRITE] = { "key.write",
	    "make, replace and revoke API keys up to the own role", ADMINS },
	[PERM_WIDGET_READ] = { "widget.read", "see which widget keys there are",
	    MANAGERS },
	[PERM_WIDGET_WRITE] = { "widget.write",
	    "make, change and revoke widget keys", MANAGERS },
	[PERM_USER_READ] = { "user.read", "see the account's members", ADMINS },
	[PERM_USER_WRITE] = { "user.write",
	    "change roles up to the own one, remove members", ADMINS },
	[PERM_ROLE_READ] = { "role.read", "see roles and what they may",
	    ADMINS },
	[PERM_ROLE_WRITE] = { "role.write",
	    "make, change and delete roles within the own one", ADMINS },
	[PERM_SSO_READ] = { "sso.read", "see how single sign-on is set up",
	    ADMINS },
	[PERM_SSO_WRITE] = { "sso.write",
	    "set up single sign-on: who chooses the provider chooses who "
	    "comes in",
	    BIT(ROLE_ACCOUNT_OWNER) | BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_SSO_DOMAIN] = { "sso.domain",
	    "say which domains of e-mail addresses are an account's",
	    BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_SCIM] = { "scim.manage",
	    "say by SCIM who the members are, as the account's directory",
	    BIT(ROLE_ACCOUNT_OWNER) | BIT(ROLE_PLATFORM_ADMIN) },
	[PERM_SESSION_READ] = { "session.read",
	    "see all sessions and their transcripts", PEOPLE },
	[PERM_USAGE_READ] = { "usage.read", "see usage and metrics",
	    MANAGERS | BIT(ROLE_VIEWER) | BIT(ROLE_ANALYST) },
	[PERM_CREDENTIAL_READ] = { "credential.read",
	    "see which keys for model providers there are, and how they fare",
	    MANAGERS },
	[PERM_CREDENTIAL_WRITE] = { "credential.write",
	    "add, change, try and delete keys for model providers", ADMINS },
	[PERM_BUDGET_READ] = { "budget.read",
	    "see budgets and what is spent of them",
	    MANAGERS | BIT(ROLE_VIEWER) | BIT(ROLE_ANALYST) },
	[PERM_BUDGET_WRITE] = { "budget.write",
	    "make, change and delete budgets", ADMINS },
};

bool
perm_allowed(enum role role, enum perm perm)
{
	if ((unsigned)role >= ROLE_COUNT || (unsigned)perm >= PERM_COUNT)
		return false;
	return (perms[perm].roles & BIT(role)) != 0;
}

perm_set
perm_of_role(enum role role)
{
	perm_set set = 0;

	for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++)
		if (perm_allowed(role, (enum perm)p))
			set |= perm_bit((enum perm)p);
	return set;
}

#define IMPLIED (perm_bit(PERM_PUBLIC) | perm_bit(PERM_SELF))

perm_set
perm_grantable(void)
{
	return perm_of_role(ROLE_ACCOUNT_OWNER) & ~IMPLIED;
}

int
perm_parse(const char *name, enum perm *out)
{
	for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++)
		if (strcmp(name, perms[p].name) == 0) {
			*out = (enum perm)p;
			return 0;
		}
	return -1;
}

perm_set
perm_set_parse(const char *names)
{
	perm_set set = 0;
	char name[64];
	enum perm perm;
	size_t n;

	for (; *names != '\0'; names += n + strspn(names + n, " ")) {
		n = strcspn(names, " ");
		if (n == 0 || n >= sizeof(name))
			continue;
		memcpy(name, names, n);
		name[n] = '\0';
		if (perm_parse(name, &perm) == 0)
			set |= perm_bit(perm);
	}
	return (set & perm_grantable()) | IMPLIED;
}

const char *
perm_name(enum perm perm)
{
	if ((unsigned)perm >= PERM_COUNT || perms[perm].name == NULL)
		return "unset";
	return perms[perm].name;
}

const char *
role_text(enum role role)
{
	static const char *const texts[ROLE_COUNT] = {
		[ROLE_VISITOR] = "talks to an agent by a widget key",
		[ROLE_VIEWER] = "looks, and changes nothing",
		[ROLE_SUPPORT] = "reads talks and talks to agents",
		[ROLE_ANALYST] = "looks at talks and figures",
		[ROLE_AGENT_MANAGER] = "makes and changes agents",
		[ROLE_ACCOUNT_ADMIN] = "manages the account and its members",
		[ROLE_ACCOUNT_OWNER] = "may all that there is in an account",
		[ROLE_PLATFORM_ADMIN] = "administers the installation",
	};

	return (unsigned)role < ROLE_COUNT && texts[role] != NULL ? texts[role]
	                                                          : "";
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
