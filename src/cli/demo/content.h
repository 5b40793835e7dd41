/*
 * A demo file (etc/demo/<slug>.json) as rows.  The ids of rows follow from the
 * account and the row's name, so that a second load finds the first one's.
 */
#ifndef CLI_DEMO_CONTENT_H
#define CLI_DEMO_CONTENT_H

#include <jansson.h>

#include "cli/cli.h"

/* The demo's accounts, one file each; ends with NULL. */
extern const char *const content_accounts[];

struct content {
	json_t *products, *documents, *chunks; /* as demo/store.h wants them */
};

/* An id of version 7 for ${time_ms}, the rest from a hash of ${account} and
 * ${name}; its last two bits are 00 as those of every id of ours. */
void content_id(const struct uuid *account, int64_t time_ms, const char *name,
    struct uuid *out);

/*
 * Make the rows of ${file} (members "products" and "documents") for
 * ${account}, whose agents exist.  Free with content_drop.
 */
int content_rows(struct db_pool *, const struct uuid *account,
    const json_t *file, struct content *, struct err *);
void content_drop(struct content *);

#endif
