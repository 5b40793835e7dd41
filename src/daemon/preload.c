/*
 * At its start and once an hour a worker reads ahead what was used most, so
 * that it does not meet the busiest hour with an empty cache.  One that cannot
 * be read is passed over: whoever wants it will be told why.
 */
#include "daemon/preload.h"

#include "account/account.h"
#include "agent/catalog.h"
#include "agent/spec.h"
#include "daemon/parts.h"
#include "daemon/store.h"
#include "gateway/credential.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define AGENTS 50
#define LIST_NS (2 * CLOCK_S)
#define EACH_NS (1 * CLOCK_S)

static int
preload_one(struct parts *p, const struct store_agent *a)
{
	int64_t deadline = clock_mono() + EACH_NS;
	const struct account *account;
	const struct credential_set *set;
	const struct agent_spec *spec;
	int rc;

	if (accounts_by_slug(
		p->app.accounts, a->slug, deadline, &account, NULL) != 0)
		return -1;
	rc = catalog_get(
	    p->catalog, account, a->type, a->name, deadline, &spec, NULL);
	if (rc == 0)
		agent_spec_unref(spec);
	if (credentials_of(
		p->credentials, &account->id, deadline, &set, NULL) == 0)
		credential_set_unref(set);
	account_unref(account);
	return rc;
}

int
preload_agents(struct parts *p, struct err *e)
{
	void *ctx = mem_root("preload");
	struct store_agent *agents;
	int n, loaded = 0;

	if (store_most_used(p->db, AGENTS, clock_mono() + LIST_NS, ctx, &agents,
		&n, e) != 0) {
		mem_free(ctx);
		return -1;
	}
	for (int i = 0; i < n; i++)
		loaded += preload_one(p, &agents[i]) == 0;
	if (n > 0)
		log_event(
		    LOG_INFO, "preloaded", "agents", log_int(loaded), NULL);
	mem_free(ctx);
	return 0;
}
