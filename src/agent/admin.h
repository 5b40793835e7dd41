/*
 * Making and changing agent instances: for the command, the API and pages. Each
 * change is recorded in the same transaction as done by ${who}, of which actor,
 * address and request id are read (audit/audit.h).
 */
#ifndef AGENT_ADMIN_H
#define AGENT_ADMIN_H

#include <jansson.h>

#include "agent/spec.h"
#include "db/db.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct templates;

struct agent_new {
	const char *type, *name, *display_name;
	const json_t *configuration;
	const char *author;            /* who, for the version's record */
	const char *created_at;        /* a timestamp's text; NULL: now */
	const struct audit_entry *who; /* for agent_create() */
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

/*
 * For a face whose transactions hold more than the change itself: the checks
 * as above, and the statements, to be run by it in one transaction of the
 * account.  Parameters stay valid as long as ctx.  What the database refuses
 * then, agent_refused() says in the words of this domain.
 */
#define AGENT_CALLS 3 /* one is left for the record of the change */
struct agent_change {
	struct db_call calls[AGENT_CALLS];
	int ncalls;
};
int agent_create_calls(const void *ctx, const struct templates *,
    const struct uuid *account, const struct uuid *id, const struct agent_new *,
    struct agent_change *out, struct spec_error *errors, int *nerrors,
    struct err *e);
/* ${type}: the instance's.  The second statement gives the version's number. */
int agent_configure_calls(const void *ctx, const struct templates *,
    const struct uuid *account, const struct uuid *id, const char *type,
    const json_t *configuration, const char *author, struct agent_change *out,
    struct spec_error *errors, int *nerrors, struct err *e);
int agent_change_calls(const void *ctx, const struct uuid *account,
    const struct uuid *id, const char *display_name, const char *status,
    struct agent_change *out, struct err *e);
/* ${n} may be NULL.  Returns -1. */
int agent_refused(const struct agent_new *n, struct err *e);

#endif
