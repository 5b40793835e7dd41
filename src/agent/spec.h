/*
 * A spec: one immutable, counted object per agent instance: template and
 * instance configuration merged, checked and resolved.  Never edited, only
 * replaced.
 */
#ifndef AGENT_SPEC_H
#define AGENT_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct agent_template;

struct spec_tool {
	char *name;
	char *description; /* the template's; may be NULL */
	bool available;    /* built and switched on: offered to the model */
	json_t *settings;  /* merged; owned by the spec, read only */
};

struct agent_spec {
	struct uuid id, account_id;
	uint32_t slot, account_slot;
	uint64_t epoch;
	char type[65], name[65];
	char display_name[801]; /* 200 characters */
	int64_t config_version;
	char *system_prompt; /* merged */
	char *model;         /* provider:name */
	bool model_fallback;
	char *embedding_model; /* provider:name, or NULL: it makes none */
	int max_tokens;
	double temperature;                           /* < 0: none */
	int64_t requests_per_minute, tokens_per_hour; /* -1: no limit */
	bool finish_on_disconnect;
	int search_results; /* passages retrieved for a turn; 0 none */
	struct spec_tool *tools;
	int ntools;
	json_t *feature_flags; /* object, never NULL */
	json_t *merged;        /* what the rules made of it, for pages; NULL
	                          unless it was built by spec_build_shown() */
};

/* A configuration may have at most this size as compact JSON. */
#define SPEC_CONFIGURATION_MAX 65536
/* Most passages retrieved for a turn, whatever max_results says. */
#define SPEC_SEARCH_MAX 20

/* An error of a configuration: where (JSON pointer) and what. */
struct spec_error {
	char pointer[160];
	char detail[200];
};
#define SPEC_ERRORS 32

/*
 * Merge ${configuration} (object) over ${t} by the rules of docs/agents.md and
 * check the result.  0 with a new spec (reference 1; ids, names and epochs
 * for the caller to fill before anybody else sees it), or -1 with all errors,
 * at most SPEC_ERRORS: ${errors} has that many places.
 */
int spec_build(const struct agent_template *t, const json_t *configuration,
    struct agent_spec **ret, struct spec_error errors[SPEC_ERRORS],
    int *nerrors);
/* The same with s->merged; and it checks the size of what may be stored. */
int spec_build_shown(const struct agent_template *t,
    const json_t *configuration, struct agent_spec **ret,
    struct spec_error errors[SPEC_ERRORS], int *nerrors);
const struct agent_spec *agent_spec_ref(const struct agent_spec *);
void agent_spec_unref(const struct agent_spec *);

#endif
