/*
 * Is a provider there, and does it take our key?  Asked with one GET of its
 * list of models, which costs nothing.
 */
#include <stdio.h>
#include <string.h>

#include "llm/provider_priv.h"
#include "net/call.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define ANSWER_MAX ((size_t)4 * 1024 * 1024)

static int
drop(void *arg, const char *p, size_t n)
{
	(void)arg, (void)p, (void)n;
	return NET_ENOUGH;
}

int
llm_try(struct net *net, const char *provider, const struct llm_access *access,
    int64_t deadline, struct llm_probe *out, struct err *e)
{
	const struct llm_provider *p = NULL;
	struct llm_headers *h;
	struct net_reply reply;
	int64_t began = clock_mono();
	void *ctx;
	int rc;

	for (size_t i = 0; i < PROVIDERS; i++)
		if (strcmp(providers[i]->name, provider) == 0)
			p = providers[i];
	if (!p || !p->base)
		return err_set(e, ERR_INVALID, "no provider with keys");
	ctx = mem_root("probe");
	h = mem_new(ctx, struct llm_headers);
	if (p->headers(access, h) != 0) {
		mem_free(ctx);
		return err_set(e, ERR_INVALID, "the key is too long");
	}
	struct net_call call = { .method = "GET",
		.url = mem_printf(ctx, "%s%s",
		    access->base ? access->base : p->base, p->models_path),
		.headers = h->line,
		.egress = access->egress,
		.deadline = deadline,
		.response_max = ANSWER_MAX,
		.on_body = drop,
		.gone_fd = -1 };

	rc = net_call(net, &call, &reply, e);
	out->provider = p->name;
	out->status = reply.status;
	out->took = clock_mono() - began;
	explicit_bzero(h, sizeof(*h));
	mem_free(ctx);
	return rc;
}

int
llm_probe(struct llm *l, struct net *net, int i, int64_t deadline,
    struct llm_probe *out, struct err *e)
{
	const struct llm_access *access;
	const struct llm_provider *p;

	*out = (struct llm_probe){ 0 };
	if (i < 0 || i >= PROVIDERS)
		return 0;
	p = providers[i];
	out->provider = p->name;
	out->key_env = p->key_env;
	access = llm_access_of(l, p);
	if (!p->base || !access)
		return 1;
	out->base = access->base;
	out->key = access->key[0] != '\0';
	if (!out->key && !(p->key_optional && access->own_base))
		return 1;
	out->asked = true;
	return llm_try(net, p->name, access, deadline, out, e) == 0 ? 1 : -1;
}
