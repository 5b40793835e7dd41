/*
 * The providers we know: a row each.
 */
#include "llm/provider_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/banned.h"

const struct llm_provider *const providers[PROVIDERS] = {
	&llm_openai,
	&llm_anthropic,
	&llm_builtin,
};

/* Names of models go into URLs' bodies, logs and answers. */
static bool
name_ok(const char *s)
{
	size_t n =
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		      "0123456789._:/@+-");

	return n > 0 && s[n] == '\0';
}

const struct llm_provider *
provider_find(const char *model, const char **name)
{
	const char *colon = strchr(model, ':');
	size_t n;

	/* The name stands in struct llm_reply with its provider. */
	if (!colon || strlen(model) >= sizeof(((struct llm_reply *)0)->model))
		return NULL;
	n = (size_t)(colon - model);
	for (size_t i = 0; i < PROVIDERS; i++) {
		const struct llm_provider *p = providers[i];
		if (strlen(p->name) != n || memcmp(p->name, model, n) != 0)
			continue;
		if (!name_ok(colon + 1) || (p->knows && !p->knows(colon + 1)))
			return NULL;
		*name = colon + 1;
		return p;
	}
	return NULL;
}

bool
llm_known(const char *model)
{
	const char *name;

	return provider_find(model, &name) != NULL;
}

bool
llm_embeds(const char *model)
{
	const char *name;
	const struct llm_provider *p = provider_find(model, &name);

	return p && p->embed_path;
}

bool
llm_takes_format(const char *model)
{
	const char *name;
	const struct llm_provider *p = provider_find(model, &name);

	return p && p->formats;
}

int
llm_header_add(struct llm_headers *h, const char *fmt, ...)
{
	va_list ap;
	int n;

	size_t room = sizeof(h->text) - h->used;

	if (h->n == LLM_HEADERS)
		return -1;
	va_start(ap, fmt);
	n = vsnprintf(h->text + h->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return -1;
	h->line[h->n++] = h->text + h->used;
	h->line[h->n] = NULL;
	h->used += (size_t)n + 1;
	return 0;
}

void
llm_tool_open(struct buf *b, const json_t *tool)
{
	const json_t *text = json_object_get(tool, "description");

	buf_adds(b, "{\"name\":");
	json_write(b, json_object_get(tool, "name"));
	if (json_is_string(text)) {
		buf_adds(b, ",\"description\":");
		json_write(b, text);
	}
}
