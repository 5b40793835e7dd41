/*
 * The keys and passwords of a demo, kept in a file of NAME=value lines (shell
 * syntax, mode 0600) so that a second run finds them.  All values are of
 * letters, digits and "-_.@:", so that no line needs quotes.
 */
#ifndef CLI_DEMO_SECRETS_H
#define CLI_DEMO_SECRETS_H

#include <jansson.h>

#include "cli/cli.h"

struct secrets {
	const char *path; /* NULL: not kept */
	json_t *values;
	bool changed;
};

/* Read ${path} (NULL, or not there yet: empty).  Free with secrets_drop. */
int secrets_read(
    struct cli *, const char *path, struct secrets *, struct err *);
/* A value, or NULL.  Good until the next secrets_set of that name. */
const char *secrets_get(const struct secrets *, const char *name);
void secrets_set(struct secrets *, const char *name, const char *value);
/* Write the file, if there is one and something changed. */
int secrets_write(struct cli *, const struct secrets *, struct err *);
void secrets_drop(struct secrets *);

#endif
