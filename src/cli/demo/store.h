/* Rows of the demo: what agents know, and invented conversations. */
#ifndef CLI_DEMO_STORE_H
#define CLI_DEMO_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

/*
 * Bring the account's demo rows to what the arrays say.  Members as the
 * columns are called; each row brings its id, which follows from its content's
 * name.  Chunks of these documents that are no longer meant go.  *changed
 * counts rows that were not there or were different.
 */
int store_demo_knowledge(struct db_pool *, const struct uuid *account,
    const json_t *products, const json_t *documents, const json_t *chunks,
    int64_t *changed, struct err *);

/* {"agents", "products", "documents", "chunks"} of an account; new ref. */
int store_demo_counts(
    struct db_pool *, const struct uuid *account, json_t **ret, struct err *);

/*
 * Past days need partitions, and history is a back-fill: ${owner} is a pool of
 * sb_owner.  Make the partitions from ${since_us} on.
 */
int store_demo_partitions(
    struct db_pool *owner, int64_t since_us, struct err *);
/* Write sessions and turns with their 5-minute sums; rows that are there
 * already stay as they are and are not counted again.  *written: new turns. */
int store_demo_day(struct db_pool *owner, const struct uuid *account,
    const json_t *sessions, const json_t *turns, int64_t *written,
    struct err *);
/* Hours and days from the 5-minute sums since ${since_us}; a pool of sb_job. */
int store_demo_sums(struct db_pool *job, int64_t since_us, struct err *);

#endif
