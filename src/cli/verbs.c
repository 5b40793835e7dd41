/*
 * The table of verbs.  Dispatch, --help and the manual page are made from
 * these rows, so that none of them can say something else than the program
 * does.
 */
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

#include "cli/verb_opts_priv.h"
#include "util/nearest.h"
#include "util/str.h"

#include "util/banned.h"

#define SLUG_AGENT "SLUG TYPE/NAME"
#define WORDS_MAX 256

const struct verb verbs[] = {
	{ "init", "", 0, 0,
	    "make the database, its roles and schema, the configuration "
	    "files and the first administrator",
	    "Writes DIR/switchboard.conf, DIR/pgpass and DIR/master.key, each "
	    "readable by the server's user only, and copies the agent "
	    "templates. It refuses where files, database or roles are there "
	    "already; --keep mends an interrupted start, or restores. Back "
	    "master.key up: secrets in the database are sealed with it.",
	    init_opts, false, verb_init },
	{ "migrate", "", 0, 0, "bring the database's schema up to date",
	    "Runs the numbered SQL files that are missing, in order, each in "
	    "its own transaction under a lock. Refuses a file that changed "
	    "after it ran, and a database that is newer than this program.",
	    migrate_opts, false, verb_migrate },
	{ "account create", "SLUG", 1, 1, "make an account", NULL,
	    account_create_opts, false, verb_account_create },
	{ "account list", "", 0, 0, "list all accounts", NULL, NULL, false,
	    verb_account_list },
	{ "account show", "SLUG", 1, 1, "show one account", NULL, NULL, false,
	    verb_account_show },
	{ "account set-tier", "SLUG TIER", 2, 2, "put an account on a tier",
	    "The tier's limits are rows of the table tiers.", NULL, false,
	    verb_account_set_tier },
	{ "account set-limit", "SLUG NAME VALUE", 3, 3,
	    "give an account a limit of its own",
	    "NAME is max_agents or requests_per_hour; VALUE a number, "
	    "\"unlimited\", or \"default\" for the tier's.",
	    NULL, false, verb_account_set_limit },
	{ "account set-strategy", "SLUG STRATEGY", 2, 2,
	    "say which of an account's provider keys is asked first",
	    "STRATEGY is least-loaded, weighted, round-robin, priority or "
	    "cost-aware.",
	    NULL, false, verb_account_set_strategy },
	{ "account set-second-factor", "SLUG WHOM", 2, 2,
	    "want a second factor of an account's members",
	    "WHOM is none, admins (whoever may change its settings, members, "
	    "roles or keys), all, or roles with commas between. This is also "
	    "how nobody stays locked out of an account that wants one.",
	    NULL, false, verb_account_set_second_factor },
	{ "account activate", "SLUG", 1, 1, "let an account be used again",
	    NULL, NULL, false, verb_account_activate },
	{ "account deactivate", "SLUG", 1, 1,
	    "answer 404 for all of an account",
	    "Nothing is removed; the change is live in every worker at once.",
	    NULL, false, verb_account_deactivate },
	{ "account delete", "SLUG", 1, 1,
	    "suspend an account, and remove all it has after a time of grace",
	    "Until then, account_grace_days, it can be brought back with "
	    "account restore.",
	    NULL, false, verb_account_delete },
	{ "account restore", "SLUG", 1, 1,
	    "bring back an account that is going to be removed", NULL, NULL,
	    false, verb_account_restore },
	{ "account export", "SLUG", 1, 1,
	    "write all that an account has as JSON lines",
	    "Only its own rows, no secrets. The last line counts them: without "
	    "it the export is not whole.",
	    account_export_opts, false, verb_account_export },
	{ "activity list", "SLUG", 1, 1,
	    "list what an account's agents do and have done, newest first",
	    "A turn that has run 100 ms is running, then completed or failed; "
	    "what was cancelled, or lost with its worker, has failed.",
	    activity_list_opts, false, verb_activity_list },
	{ "agent create", SLUG_AGENT, 2, 2, "make an agent instance",
	    "TYPE is that of a template: sales, research, rag, "
	    "digital_expert. The configuration is merged over the template.",
	    agent_create_opts, false, verb_agent_create },
	{ "agent list", "SLUG", 1, 1, "list an account's agents", NULL,
	    agent_list_opts, false, verb_agent_list },
	{ "agent show", SLUG_AGENT, 2, 2,
	    "show an agent with its own configuration", NULL, NULL, false,
	    verb_agent_show },
	{ "agent configure", SLUG_AGENT " FILE", 3, 3,
	    "save a new version of an agent's configuration",
	    "FILE is a JSON object that replaces the configuration as a "
	    "whole; -: standard input. Nothing is saved when it has errors.",
	    NULL, false, verb_agent_configure },
	{ "agent activate", SLUG_AGENT, 2, 2, "let an agent answer", NULL, NULL,
	    false, verb_agent_activate },
	{ "agent deactivate", SLUG_AGENT, 2, 2, "answer 404 for an agent", NULL,
	    NULL, false, verb_agent_deactivate },
	{ "agent archive", SLUG_AGENT, 2, 2,
	    "put an agent away: it no longer counts against max_agents", NULL,
	    NULL, false, verb_agent_archive },
	{ "key create", "SLUG", 1, 1, "make a key and show it once",
	    "Only a hash is stored. ROLE is one of viewer, support, analyst, "
	    "agent_manager, account_admin, account_owner.",
	    key_create_opts, false, verb_key_create },
	{ "key list", "SLUG", 1, 1, "list an account's keys", NULL, NULL, false,
	    verb_key_list },
	{ "key revoke", "SLUG KEY", 2, 2, "end a key at once",
	    "KEY is its id or its prefix as \"key list\" shows them.", NULL,
	    false, verb_key_revoke },
	{ "credential list", "[SLUG]", 0, 1,
	    "list an account's keys for model providers, and how they fare",
	    "Never the keys themselves. The state is that of this host.",
	    credential_opts, false, verb_credential_list },
	{ "credential add", "[SLUG]", 0, 1, "add a key for a model provider",
	    "The key is read from standard input or a file, never from the "
	    "command line, and kept sealed. It is used from the next call on.",
	    credential_add_opts, false, verb_credential_add },
	{ "credential set", "[SLUG] NAME", 1, 2,
	    "change one, or put another key in its place",
	    "NAME is its name or its id.", credential_set_opts, false,
	    verb_credential_set },
	{ "credential remove", "[SLUG] NAME", 1, 2, "delete one", NULL,
	    credential_opts, false, verb_credential_remove },
	{ "credential test", "[SLUG] NAME", 1, 2,
	    "ask the provider for its list of models by it", NULL,
	    credential_opts, false, verb_credential_test },
	{ "credential open", "[SLUG] NAME", 1, 2,
	    "have it not asked on this host, until it is closed", NULL,
	    credential_opts, false, verb_credential_open },
	{ "credential close", "[SLUG] NAME", 1, 2,
	    "have it asked again at once", NULL, credential_opts, false,
	    verb_credential_close },
	{ "credential reset", "[SLUG] NAME", 1, 2,
	    "forget all that was learnt of it on this host", NULL,
	    credential_opts, false, verb_credential_reset },
	{ "user create", "EMAIL", 1, 1, "make a user", NULL, user_create_opts,
	    false, verb_user_create },
	{ "user list", "", 0, 0, "list users and their roles", NULL,
	    user_list_opts, false, verb_user_list },
	{ "user set-password", "EMAIL", 1, 1, "give a user a new password",
	    NULL, password_opts, false, verb_user_set_password },
	{ "user activate", "EMAIL", 1, 1, "let a user sign in again", NULL,
	    NULL, false, verb_user_activate },
	{ "user deactivate", "EMAIL", 1, 1, "keep a user from signing in", NULL,
	    NULL, false, verb_user_deactivate },
	{ "user sign-out", "EMAIL", 1, 1,
	    "end a user's sign-ins and tokens everywhere", NULL, NULL, false,
	    verb_user_sign_out },
	{ "user grant", "EMAIL SLUG ROLE", 3, 3,
	    "make a user a member of an account, or change the role", NULL,
	    NULL, false, verb_user_grant },
	{ "user revoke", "EMAIL SLUG", 2, 2, "end a membership", NULL, NULL,
	    false, verb_user_revoke },
	{ "token rotate", "", 0, 0,
	    "sign access tokens with a new key from now on",
	    "Tokens of the key before stay good for as long as they live, so "
	    "nobody is signed out.",
	    token_rotate_opts, false, verb_token_rotate },
	{ "config show", "[" SLUG_AGENT "]", 0, 2,
	    "show the server's parameters, or an agent's merged configuration",
	    "For an agent: what its template and its own configuration make "
	    "together, each tool, and whether this version has it.",
	    NULL, false, verb_config_show },
	{ "config check", "", 0, 0,
	    "check the configuration file and the agent templates", NULL, NULL,
	    false, verb_config_check },
	{ "config example", "", 0, 0,
	    "print a configuration file with every parameter and its default",
	    NULL, NULL, false, verb_config_example },
	{ "config propagation", "SLUG", 1, 1,
	    "say how far the account's latest change has gone round",
	    "Waits up to two seconds until every worker of this host has seen "
	    "it. The time is from the change to the last worker; it is known "
	    "for the latest 1,024 changes since the server's start.",
	    NULL, false, verb_config_propagation },
	{ "cache stats", "", 0, 0,
	    "show what the configuration cache of this host holds and does",
	    "Tiers: hot, in each worker; warm, shared by the host's workers; "
	    "cold, the database. A miss of one tier asks the next. Counts are "
	    "since the server's start, all workers together.",
	    NULL, false, verb_cache_stats },
	{ "usage", "SLUG", 1, 1,
	    "sum up requests, tokens and cost by agent, model, key or "
	    "credential",
	    NULL, usage_opts, false, verb_usage },
	{ "budget list", "SLUG", 1, 1,
	    "list an account's budgets and what of them is spent", NULL, NULL,
	    false, verb_budget_list },
	{ "budget set", "SLUG NAME", 2, 2,
	    "make a budget, or change the one of that name",
	    "A request that might exceed a hard budget is refused with 429 "
	    "(budget-exceeded). What was used since the period began counts.",
	    budget_set_opts, false, verb_budget_set },
	{ "budget remove", "SLUG NAME", 2, 2, "remove a budget", NULL, NULL,
	    false, verb_budget_remove },
	{ "price list", "", 0, 0, "list what models cost", NULL,
	    price_list_opts, false, verb_price_list },
	{ "price set", "MODEL", 1, 1, "set what a model costs",
	    "MODEL is provider:name; a trailing * stands for any rest. Prices "
	    "are US dollars for a million tokens. The price before ends where "
	    "the new one begins; costs of earlier turns stay.",
	    price_set_opts, false, verb_price_set },
	{ "audit list", "[SLUG]", 0, 1, "list who changed what, newest first",
	    "Every change of an account stands in its record together with "
	    "who made it, from where, and what was before and after; secrets "
	    "are masked.",
	    audit_list_opts, false, verb_audit_list },
	{ "audit export", "[SLUG]", 0, 1,
	    "write a record as JSON lines that prove themselves",
	    "Entries in order, each with the hash of the one before, signed "
	    "checkpoints, and a signed seal that says from where to where the "
	    "export reaches.",
	    audit_export_opts, false, verb_audit_export },
	{ "audit verify", "[FILE|SLUG]", 0, 1,
	    "see whether a record stands as it was written",
	    "FILE is an export (-: standard input); nothing but the file is "
	    "needed. A name with a slash or a dot is a file, else an account's "
	    "record in the database is verified. What was changed, removed, "
	    "inserted or put elsewhere is named by the first entry that is "
	    "wrong; the exit status is 1.",
	    audit_verify_opts, false, verb_audit_verify },
	{ "secrets status", "", 0, 0,
	    "list the master keys and how many data keys each has sealed",
	    "Secrets of accounts are sealed by a data key of the account, data "
	    "keys by the master key: the file master_key_file, or the variable "
	    "SB_MASTER_KEY of server and command.",
	    NULL, false, verb_secrets_status },
	{ "secrets rotate", "", 0, 0, "exchange the master key",
	    "Puts a new key in front of master_key_file and seals all data "
	    "keys anew, while the server runs. If it is interrupted, running "
	    "it again goes on. The old key stays in the file until it is "
	    "retired.",
	    NULL, false, verb_secrets_rotate },
	{ "secrets retire", "", 0, 0,
	    "remove old master keys that nothing is sealed by",
	    "Sessions of visitors that began under such a key end.", NULL,
	    false, verb_secrets_retire },
	{ "demo load", "", 0, 0,
	    "load the demo accounts, agents, products, documents and people",
	    "A second run changes nothing that is as it should be.",
	    demo_load_opts, false, verb_demo_load },
	{ "demo status", "", 0, 0, "show what of the demo is loaded", NULL,
	    NULL, false, verb_demo_status },
	{ "demo history", "SLUG", 1, 1,
	    "write invented conversations of past days",
	    "For trying pages with figures in them. Every turn is marked: "
	    "metadata {\"demo\": true} and model demo:invented. A day that has "
	    "been written is not written again.",
	    demo_history_opts, false, verb_demo_history },
	{ "demo scale", "", 0, 0,
	    "load many accounts with a few agents each, for measuring",
	    "Slugs are scale-00001 and on, agents sales/scale_1, "
	    "research/scale_2, rag/scale_3, digital_expert/scale_4 and again; "
	    "no limits hold for them. A second run adds what is missing.",
	    demo_scale_opts, false, verb_demo_scale },
	{ "simulate llm", "", 0, 0,
	    "be a model provider that does what it is told, faults too",
	    "Speaks OpenAI (chat completions, embeddings, models) and "
	    "Anthropic (messages, models), streamed or not, with tools, usage "
	    "and rate headers. It prints \"port N\" when it listens; set "
	    "OPENAI_BASE_URL to http://127.0.0.1:N/v1 and ANTHROPIC_BASE_URL "
	    "to http://127.0.0.1:N. How a request is answered its plan says, "
	    "words joined with \"-\" (--words lists them): what is set for "
	    "its API key, else [[do:PLAN]] in its text, else a model called "
	    "mock-PLAN. POST /_control {\"key\", \"plan\", \"times\", "
	    "\"rpm\", \"tpm\", \"itpm\"} sets a key while it runs; "
	    "GET /_stats counts calls and what each key was billed, "
	    "GET /_last and GET /_log show requests, POST /_reset forgets "
	    "all.",
	    simulate_llm_opts, false, verb_simulate_llm },
	{ "bench", "", 0, 0,
	    "measure turns and streams of the running installation",
	    "Beside each figure stands that of the health answer, measured the "
	    "same way: the floor of web server, network and this client. It "
	    "works in an account of its own, which it removes at the end with "
	    "all it has gathered. Other providers' models cost what they "
	    "cost.",
	    bench_opts, false, verb_bench },
	{ "doctor", "", 0, 0,
	    "look at each part of the installation and say what to do",
	    "Each line is ok, warn or fail; it fails when one of them does. "
	    "With --url it asks the web server for a paced stream and "
	    "measures whether events pass at once. Model providers whose key "
	    "stands in the environment, or in provider.env beside the "
	    "configuration, are asked for their list of models. Nothing is "
	    "changed. Run it as the server's user.",
	    doctor_opts, false, verb_doctor },
	{ "docs", "PAGE", 1, 1,
	    "print a page that is made from the program's own tables",
	    "PAGE is verbs or conf (manual pages), routes, permissions or "
	    "metrics (Markdown).",
	    NULL, true, verb_docs },
	{ 0 },
};

const struct verb *
verbs_find(const char *a, const char *b, int *words)
{
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		const char *space = strchr(v->name, ' ');
		size_t len;

		if (space == NULL) {
			if (strcmp(v->name, a) == 0) {
				*words = 1;
				return v;
			}
			continue;
		}
		len = (size_t)(space - v->name);
		if (b != NULL && strlen(a) == len &&
		    memcmp(v->name, a, len) == 0 && strcmp(space + 1, b) == 0) {
			*words = 2;
			return v;
		}
	}
	return NULL;
}

bool
verbs_in_group(const struct verb *v, const char *group)
{
	size_t len = strlen(group);

	return str_starts(v->name, group) && v->name[len] == ' ';
}

bool
verbs_group(const char *a)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (verbs_in_group(v, a))
			return true;
	return false;
}

const char *
verbs_nearest(const char *a, const char *b)
{
	static char text[WORDS_MAX][32]; /* what the answer points into */
	const char *names[WORDS_MAX];
	int n = 0;

	if (a == NULL)
		return NULL;
	for (const struct verb *v = verbs; v->name != NULL && n < WORDS_MAX;
	     v++) {
		size_t len = strcspn(v->name, " ");

		if (v->hidden || (b != NULL && !verbs_in_group(v, a)))
			continue;
		if (b != NULL)
			snprintf(text[n], sizeof text[n], "%s",
			    v->name + len + (v->name[len] == ' '));
		else
			snprintf(
			    text[n], sizeof text[n], "%.*s", (int)len, v->name);
		names[n] = text[n];
		n++;
	}
	return nearest_name(b != NULL ? b : a, names, n);
}
