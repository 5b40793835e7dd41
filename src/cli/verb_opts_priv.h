/*
 * The options of verbs, for their table alone (verbs.c).
 */
#ifndef CLI_VERB_OPTS_PRIV_H
#define CLI_VERB_OPTS_PRIV_H

#include "cli/verbs.h"

static const struct opt init_opts[] = {
	{ "super", "CONNINFO",
	    "libpq connection string of a database superuser; its password "
	    "may stand in PGPASSWORD or a password file",
	    OPT_NEEDED },
	{ "etc", "DIR",
	    "where switchboard.conf, pgpass, master.key and agent_templates "
	    "go; default: the installed one",
	    0 },
	{ "database-url", "CONNINFO",
	    "how the server shall reach the database: a list of key=value "
	    "without user, database and password; default: as --super",
	    0 },
	{ "dbname", "NAME", "database to make; default: switchboard", 0 },
	{ "admin", "EMAIL", "make this person the platform's administrator",
	    0 },
	{ "password-stdin", NULL,
	    "read that person's password from the first line of standard "
	    "input; default: make one and show it once",
	    0 },
	{ "user", "NAME",
	    "as root: the system user of the server, whose the files shall be",
	    0 },
	{ "keep", NULL,
	    "go on with files, roles and a database that are there, and make "
	    "what is missing",
	    0 },
	{ "no-schema", NULL,
	    "leave the database empty, for a backup to be restored into it",
	    0 },
	{ "sql", "DIR",
	    "folder of the numbered SQL files; default: the installed one", 0 },
	{ "set", "NAME=VALUE", "a further line of the configuration",
	    OPT_MANY },
	{ 0 },
};

static const struct opt migrate_opts[] = {
	{ "dir", "DIR",
	    "folder of the numbered SQL files; default: the installed one", 0 },
	{ 0 },
};

static const struct opt account_create_opts[] = {
	{ "name", "NAME", "its name for people; default: the slug", 0 },
	{ "tier", "TIER",
	    "free, standard, premium or enterprise; default: free", 0 },
	{ 0 },
};

static const struct opt account_export_opts[] = {
	{ "output", "FILE", "a new file for it; default: standard output", 0 },
	{ 0 },
};

static const struct opt agent_create_opts[] = {
	{ "display-name", "NAME", "its name for people; default: NAME", 0 },
	{ "configuration", "FILE",
	    "its configuration, a JSON object; -: standard input", 0 },
	{ 0 },
};

static const struct opt activity_list_opts[] = {
	{ "status", "STATUS", "only those running, completed or failed", 0 },
	{ "agent", "TYPE/NAME", "only of this agent", 0 },
	{ "limit", "N", "how many at most, to 1000; default: 50", 0 },
	{ 0 },
};

static const struct opt agent_list_opts[] = {
	{ "all", NULL, "archived ones too", 0 },
	{ 0 },
};

static const struct opt key_create_opts[] = {
	{ "kind", "KIND",
	    "api (secret, for programs) or widget (public, for web pages)",
	    OPT_NEEDED },
	{ "name", "NAME", "what it is for", OPT_NEEDED },
	{ "role", "ROLE", "api: what it may do; default: account_owner", 0 },
	{ "expires", "TIME", "api: UTC date or time after which it is no good",
	    0 },
	{ "origin", "ORIGIN",
	    "widget: web origin that may use it, exact or ending in :* for "
	    "any port",
	    OPT_MANY },
	{ "agent", "TYPE/NAME", "widget: the only agent it may talk to", 0 },
	{ 0 },
};

static const struct opt credential_opts[] = {
	{ "platform", NULL, "the platform's own instead of an account's", 0 },
	{ 0 },
};

static const struct opt credential_add_opts[] = {
	{ "platform", NULL, "the platform's own instead of an account's", 0 },
	{ "provider", "NAME", "openai or anthropic", OPT_NEEDED },
	{ "name", "NAME", "what it is called", OPT_NEEDED },
	{ "key-file", "FILE", "read the key there; default: standard input",
	    0 },
	{ "base-url", "URL",
	    "of a server that speaks as the provider does; an account's must "
	    "pass the guard of egress_allow at each call; default: the "
	    "vendor's",
	    0 },
	{ "tier", "N",
	    "the provider's usage tier, 1 to 4, which gives the limits", 0 },
	{ "rpm", "N", "requests a minute; 0: no limit; default: the tier's",
	    0 },
	{ "tpm", "N", "tokens a minute, in and out", 0 },
	{ "itpm", "N", "input tokens a minute", 0 },
	{ "weight", "N", "for the strategy weighted, 1 to 1000", 0 },
	{ "priority", "N",
	    "for the strategy priority, 0 to 1000: the lowest goes first", 0 },
	{ "model", "PATTERN",
	    "only for these models: a name without the provider's, or its "
	    "beginning and a *; *: all",
	    OPT_MANY },
	{ "status", "STATUS", "active or disabled", 0 },
	{ 0 },
};

static const struct opt credential_set_opts[] = {
	{ "platform", NULL, "the platform's own instead of an account's", 0 },
	{ "name", "NAME", "another name", 0 },
	{ "key-file", "FILE", "another key, from there; -: standard input", 0 },
	{ "base-url", "URL",
	    "of a server that speaks as the provider does; an account's must "
	    "pass the guard of egress_allow at each call; default: the "
	    "vendor's",
	    0 },
	{ "tier", "N",
	    "the provider's usage tier, 1 to 4, which gives the limits", 0 },
	{ "rpm", "N", "requests a minute; 0: no limit; default: the tier's",
	    0 },
	{ "tpm", "N", "tokens a minute, in and out", 0 },
	{ "itpm", "N", "input tokens a minute", 0 },
	{ "weight", "N", "for the strategy weighted, 1 to 1000", 0 },
	{ "priority", "N",
	    "for the strategy priority, 0 to 1000: the lowest goes first", 0 },
	{ "model", "PATTERN",
	    "only for these models: a name without the provider's, or its "
	    "beginning and a *; *: all",
	    OPT_MANY },
	{ "status", "STATUS", "active or disabled", 0 },
	{ 0 },
};

static const struct opt user_create_opts[] = {
	{ "name", "NAME", "display name; default: the part before the @", 0 },
	{ "platform-admin", NULL, "may administer the whole installation", 0 },
	{ "account", "SLUG", "make a member of this account", 0 },
	{ "role", "ROLE", "with this role; default: viewer", 0 },
	{ "password-stdin", NULL,
	    "read the password from the first line of standard input; "
	    "default: make one and show it once",
	    0 },
	{ 0 },
};

static const struct opt password_opts[] = {
	{ "password-stdin", NULL,
	    "read the password from the first line of standard input; "
	    "default: make one and show it once",
	    0 },
	{ 0 },
};

static const struct opt token_rotate_opts[] = {
	{ "now", NULL,
	    "refuse tokens of earlier keys at once; their holders get new ones "
	    "by their refresh tokens",
	    0 },
	{ 0 },
};

static const struct opt user_list_opts[] = {
	{ "account", "SLUG", "only members of this account", 0 },
	{ 0 },
};

static const struct opt usage_opts[] = {
	{ "since", "WHEN", "from when: 24h, 7d, 2026-01-31; default: 24h", 0 },
	{ "until", "WHEN", "until when; default: now", 0 },
	{ "grain", "GRAIN",
	    "one line for each 5m, hour or day; default: total, one line for "
	    "the whole time",
	    0 },
	{ "by", "LIST",
	    "one line for each agent, model, key (who asked), credential "
	    "(which one answered); default: agent,model",
	    0 },
	{ "csv", NULL, "as CSV, for spreadsheets", 0 },
	{ 0 },
};

static const struct opt budget_set_opts[] = {
	{ "limit", "N", "US dollars or tokens", OPT_NEEDED },
	{ "unit", "UNIT", "a new one: usd or tokens", 0 },
	{ "period", "PERIOD", "a new one: day or month, in UTC", 0 },
	{ "agent", "TYPE/NAME", "a new one: only of this agent", 0 },
	{ "key", "ID", "a new one: only of this API key, widget key or person",
	    0 },
	{ "soft", "PERCENT", "alert, once in a period, when so much is spent",
	    0 },
	{ "no-hard", NULL, "refuse nothing, only count and alert", 0 },
	{ "paused", NULL, "only count", 0 },
	{ 0 },
};

static const struct opt price_set_opts[] = {
	{ "input", "USD", "a million input tokens", OPT_NEEDED },
	{ "output", "USD", "a million output tokens", OPT_NEEDED },
	{ "cached", "USD",
	    "a million input tokens read from the provider's cache; default: "
	    "as input",
	    0 },
	{ "cache-write", "USD",
	    "a million input tokens written to that cache; default: as input",
	    0 },
	{ "from", "TIME", "UTC date or time from which it holds; default: now",
	    0 },
	{ 0 },
};

static const struct opt price_list_opts[] = {
	{ "all", NULL, "prices that no longer hold, too", 0 },
	{ 0 },
};

static const struct opt audit_list_opts[] = {
	{ "platform", NULL,
	    "the platform's own record (people, prices) instead of an "
	    "account's",
	    0 },
	{ "action", "ACTION",
	    "only this action, such as api_key.create, or a group: "
	    "\"api_key.*\"",
	    0 },
	{ "actor", "KIND:ID", "only what this user, api_key, cli or system did",
	    0 },
	{ "object", "KIND:ID", "only what was done to this", 0 },
	{ "since", "WHEN", "from when: 24h, 7d, 2026-01-31", 0 },
	{ "until", "WHEN", "until when", 0 },
	{ "limit", "N", "how many at most; default: 50", 0 },
	{ 0 },
};

static const struct opt audit_export_opts[] = {
	{ "platform", NULL, "the platform's own record instead of an account's",
	    0 },
	{ "from", "WHEN", "from when: 24h, 7d, 2026-01-31; default: the start",
	    0 },
	{ "to", "WHEN", "until when; default: now", 0 },
	{ "output", "FILE", "a new file; default: standard output", 0 },
	{ 0 },
};

static const struct opt audit_verify_opts[] = {
	{ "platform", NULL, "the platform's own record in the database", 0 },
	{ "key", "HEX",
	    "an export: the public key that must have signed it, as an "
	    "earlier verification named it",
	    0 },
	{ 0 },
};

static const struct opt demo_load_opts[] = {
	{ "dir", "DIR", "folder of the demo files; default: the installed one",
	    0 },
	{ "secrets", "FILE",
	    "keep keys and passwords in FILE (mode 0600): what stands there "
	    "is kept, what is missing is made anew",
	    0 },
	{ "platform", NULL,
	    "only prices and the platform administrator, no account", 0 },
	{ 0 },
};

static const struct opt demo_history_opts[] = {
	{ "days", "N", "how many days back, 1 to 366", OPT_NEEDED },
	{ "per-day", "N", "turns a day for each agent, about; default: 20", 0 },
	{ 0 },
};

static const struct opt simulate_llm_opts[] = {
	{ "port", "N", "where to listen; default: 0, any free one", 0 },
	{ "address", "IPV4",
	    "on this address; default: 127.0.0.1, so that only this host can "
	    "ask",
	    0 },
	{ "rpm", "N", "requests a minute for each key; default: no limit", 0 },
	{ "tpm", "N", "tokens a minute for each key; default: no limit", 0 },
	{ "itpm", "N",
	    "input tokens a minute for each key, of Anthropic without what was "
	    "cached; default: no limit",
	    0 },
	{ "key", "KEY=PLAN",
	    "how requests with this API key are answered, such as "
	    "sk-a=429-retry-3; *: those with any other key",
	    OPT_MANY },
	{ "threads", "N", "how many serve; default: 1", 0 },
	{ "forget", NULL, "keep no copies of requests: for load", 0 },
	{ "words", NULL, "list the words of a plan, and serve nothing", 0 },
	{ 0 },
};

static const struct opt doctor_opts[] = {
	{ "url", "URL", "the address that visitors use, to look at it too", 0 },
	{ "sql", "DIR",
	    "folder of the numbered SQL files; default: the installed one", 0 },
	{ 0 },
};

static const struct opt bench_opts[] = {
	{ "url", "URL",
	    "the address that visitors use; default: that of SB_URL, else "
	    "http://127.0.0.1:8080",
	    0 },
	{ "seconds", "N", "of each load; default: 3", 0 },
	{ "callers", "N", "at once; default: 32", 0 },
	{ "streams", "N", "at once; default: 100", 0 },
	{ "model", "MODEL", "what answers; default: builtin:concierge", 0 },
	{ 0 },
};

static const struct opt demo_scale_opts[] = {
	{ "accounts", "N", "how many accounts; default: 10000", 0 },
	{ "agents", "N", "agents of each; default: 5", 0 },
	{ "model", "MODEL",
	    "the model they all name; default: their templates' own", 0 },
	{ "keys", "FILE",
	    "make a new API key for each account and write FILE (mode 0600), "
	    "a line \"SLUG KEY\" each",
	    0 },
	{ "remove", NULL, "remove all such accounts with all they have", 0 },
	{ 0 },
};

#endif
