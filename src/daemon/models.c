/* The way of a chat worker to its models: keys of the environment, the
 * credentials of accounts and the platform, and the gateway between them. */
#include "daemon/models.h"

#include "chat/live.h"
#include "conf/conf.h"
#include "daemon/parts.h"
#include "daemon/title.h"
#include "gateway/complete.h"
#include "gateway/credential.h"
#include "llm/llm.h"
#include "net/call.h"
#include "net/egress.h"
#include "util/mem.h"

#include "util/banned.h"

static void
build_models(struct parts *p)
{
	const struct conf *c = p->process->conf;
	struct llm_opts o = { .connect_ms = (int)c->provider_connect,
		.first_byte_ms = (int)c->provider_first_byte,
		.idle_ms = (int)c->provider_idle,
		.total_ms = (int)c->provider_total,
		.response_max = (size_t)c->provider_response_max,
		.openai_key = title_provider("OPENAI_API_KEY"),
		.openai_base = title_provider("OPENAI_BASE_URL"),
		.anthropic_key = title_provider("ANTHROPIC_API_KEY"),
		.anthropic_base = title_provider("ANTHROPIC_BASE_URL"),
		.default_models = c->default_models };

	p->net = net_new((unsigned)c->provider_warm);
	p->llm = llm_new(p->net, &o);
	live_waker(net_wake);
}

/* Which key answers. */
int
models_build(struct parts *p, struct err *e)
{
	const struct conf *c = p->process->conf;

	build_models(p);
	p->egress = egress_new(NULL, c->egress_allow, e);
	if (p->egress == NULL)
		return -1;
	p->credentials = credentials_new(
	    &p->tiers, p->app.vault, p->egress, (unsigned)c->cache_accounts);
	p->gateway = gateway_new(p->llm, p->credentials);
	return 0;
}

void
models_free(struct parts *p)
{
	gateway_free(p->gateway);
	credentials_free(p->credentials);
	mem_free(p->egress);
	if (p->llm != NULL)
		llm_free(p->llm);
}
