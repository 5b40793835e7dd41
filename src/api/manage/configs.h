/* Configurations that do not fit, in the words of an answer. */
#ifndef API_MANAGE_CONFIGS_H
#define API_MANAGE_CONFIGS_H

#include "agent/spec.h"

struct manage;

/* What a check of agent/admin.h has found. */
struct config_errors {
	struct spec_error list[SPEC_ERRORS];
	int n;
};

/* Turn it into m->errors below "/configuration"; where nothing was found the
 * error is that of ${otherwise}.  Leaves ${e} as it is and returns -1. */
int config_refused(struct manage *, const struct config_errors *,
    const char *otherwise, struct err *e);

#endif
