/* The table of faults, and what each looks like to the failover. */
#include "gateway/fault.h"

#include <string.h>

#include "util/banned.h"

static const struct row {
	const char *name;
	int status;
	enum llm_class class;
	enum err_code code;
	const char *kind;
	int wait_ms;
} rows[] = {
	{ "429", 429, LLM_LIMIT, ERR_UNAVAILABLE, "upstream-limit", 0 },
	{ "401", 401, LLM_DENIED, ERR_UPSTREAM, "upstream-auth", 0 },
	{ "500", 500, LLM_SERVER, ERR_UPSTREAM, "upstream-failed", 0 },
	{ "529", 529, LLM_SERVER, ERR_UNAVAILABLE, "upstream-overloaded", 0 },
	{ "slow", 0, LLM_SERVER, ERR_TIMEOUT, "upstream-timeout", 1000 },
	{ "cut", 200, LLM_SERVER, ERR_UPSTREAM, "upstream-broken", 0 },
};

static const struct row *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const char *
fault_named(const char *name)
{
	const struct row *r = find(name);

	return r != NULL ? r->name : NULL;
}

int
fault_wait_ms(const char *fault)
{
	const struct row *r = find(fault);

	return r != NULL ? r->wait_ms : 0;
}

int
fault_reply(const char *fault, const char *provider, struct llm_reply *reply,
    struct err *e)
{
	const struct row *r = find(fault);

	if (r == NULL)
		return err_set(e, ERR_INVALID, "no fault %.20s", fault);
	reply->status = r->status;
	reply->class = r->class;
	reply->finish = LLM_ERROR;
	return err_set_kind(e, r->code, r->kind, 0,
	    "%s: the fault %s of a drill", provider, r->name);
}
