/*
 * Making and changing agent instances (CLI now, API and pages later).  Each
 * change is recorded in the same transaction as done by ${who}, of which actor,
 * address and request id are read (audit/audit.h).
 */
#ifndef AGENT_ADMIN_H
#define AGENT_ADMIN_H

#include <jansson.h>

#include "agent/spec.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;
struct templates;

struct agent_new {
	const char *type, *name, *display_name;
	const json_t *configuration;
	const char *author; /* who, for the version's record */
	const struct audit_entry *who;
};

/* Create an active instance with version 1.  ERR_LIMIT (max_agents, decided in
 * the database), ERR_CONFLICT (name taken), ERR_INVALID with errors. */
int agent_create(struct db_pool *, const struct templates *,
    const struct uuid *account, const struct agent_new *, struct uuid *id,
    struct spec_error *errors, int *nerrors, struct err *e);
/* Save ${configuration} as a new version; *version is its number. */
int agent_configure(struct db_pool *, const struct templates *,
    const struct uuid *account, const struct uuid *id,
    const json_t *configuration, const char *author,
    const struct audit_entry *who, int64_t *version, struct spec_error *errors,
    int *nerrors, struct err *e);
/* status: active, inactive or archived. */
int agent_set_status(struct db_pool *, const struct uuid *account,
    const struct uuid *id, const char *status, const struct audit_entry *who,
    struct err *e);

#endif
