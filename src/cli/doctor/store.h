/* What the doctor asks of the database, as sb_owner; 0, or -1 with e as
 * db_run() sets it. */
#ifndef CLI_DOCTOR_STORE_H
#define CLI_DOCTOR_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

struct db_pool;

/* Findings: sentences without a full stop, "a; b; c" below ctx; "" is what
 * should be.  Roles: too much power, or missing. */
int store_bad_roles(
    struct db_pool *, const void *ctx, char **ret, struct err *);
/* Row security that is not forced, policies that are missing or too wide. */
int store_bad_rows(struct db_pool *, const void *ctx, char **ret, struct err *);
/* Partitions for today and a month from now that are missing. */
int store_bad_partitions(
    struct db_pool *, const void *ctx, char **ret, struct err *);

struct store_server {
	int64_t version; /* 150017 */
	int64_t connections, connections_max;
	int64_t clock_us;              /* microseconds since 1970 */
	int64_t asked_us, answered_us; /* ours, before and after */
};
int store_server(struct db_pool *, struct store_server *, struct err *);

/* What the primary has written by now, as text below ctx, ... */
int store_written(struct db_pool *, const void *ctx, char **ret, struct err *);
/* ... and whether this server is a standby, and has replayed it. */
int store_replayed(struct db_pool *, const char *written, bool *standby,
    bool *there, struct err *);

#endif
