/*
 * Agent templates: etc/agent_templates/<agent_type>.yaml, read at start and on
 * reload. A bad file is refused with file, line and reason while the old one
 * stays.
 */
#ifndef AGENT_TEMPLATE_H
#define AGENT_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

/* What templates and configurations may say at most. */
#define AGENT_PROMPT_MAX 32768
#define AGENT_TOKENS_MAX 200000
#define AGENT_TEMPERATURE_MAX 2.0

struct template_tool {
	char *name;
	char *description; /* may be NULL */
	bool required;
	bool built; /* this program has it; else listed as unavailable */
	json_t *config_schema; /* name: type (agent/setting.h); an object */
	json_t *settings;      /* defaults that fit it; an object */
};

struct agent_template {
	char *agent_type, *version, *system_prompt, *default_model;
	char *display_name; /* may be NULL */
	char **required_dependencies, **optional_dependencies;
	int nrequired, noptional;
	struct template_tool *tools;
	int ntools;
	int max_tokens;
	double temperature; /* < 0: none */
	char hash[65];      /* SHA-256 of the file's bytes, hex */
};

struct templates; /* an immutable set, shared by all threads */

/*
 * Load every *.yaml of ${dir}, in the order of their names.  A file that is bad
 * is reported through ${report}(arg, text) and its place taken by the one of
 * ${old} (NULL: none), which may be freed afterwards.  -1 only when the
 * directory cannot be read or no template is left.
 */
int templates_load(const char *dir, const struct templates *old,
    void (*report)(void *arg, const char *text), void *arg,
    struct templates **ret, struct err *e);
void templates_free(struct templates *);
const struct agent_template *templates_find(
    const struct templates *, const char *agent_type);
int templates_count(const struct templates *);
const struct agent_template *templates_at(const struct templates *, int i);

/* One template from memory, below ctx; ${name} stands in messages
 * ("FILE:7: ...").  0 or -1 with ERR_INVALID or ERR_MALFORMED. */
int template_parse(const void *ctx, const char *yaml, size_t len,
    const char *name, struct agent_template **ret, struct err *e);

/* Does this program have a tool of that name? */
bool template_tool_built(const char *name);

#endif
