/* The rules by which a configuration changes what its template says. */
#ifndef AGENT_MERGE_PRIV_H
#define AGENT_MERGE_PRIV_H

#include "agent/spec.h"
#include "agent/template.h"

struct merge {
	const struct agent_template *t;
	const json_t *configuration;
	struct agent_spec *spec; /* memory of texts and lists below it */
	bool shown; /* to be looked at, perhaps stored: not for a request */
	struct spec_error *errors;
	int nerrors;
};

/* Fill m->spec from template and configuration; what is wrong is added to
 * m->errors and the rest is looked at all the same. */
void merge_apply(struct merge *m);

/* Of the rules for tools (merge_tools.c). */
void merge_tools(struct merge *m, const json_t *tools);

/* Add an error at ${pointer}, or at its member ${key} if not NULL. */
void merge_error(struct merge *m, const char *pointer, const char *key,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Add "unknown NOUN", with the nearest of the ${n} known ones. */
void merge_unknown(struct merge *m, const char *pointer, const char *key,
    const char *noun, const char *const *known, int n);

#endif
