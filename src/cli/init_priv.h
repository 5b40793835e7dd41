/* The files of an installation, which switchboard init writes. */
#ifndef CLI_INIT_PRIV_H
#define CLI_INIT_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "db/bootstrap.h"

#define INIT_ROLES 5

struct init {
	struct cli *c;
	bool keep; /* go on with what is there */
	/* as root: whose the files shall be; (uid_t)-1: the caller's */
	uid_t uid;
	gid_t gid;
	const char *etc; /* absolute */
	const char *super, *dbname, *url;
	char *conf, *pgpass, *master_key, *templates;
	struct db_role_password password[INIT_ROLES];
	json_t *made; /* files written now */
};

/* Where the files go; makes the folder. */
int init_paths(struct init *, const char *etc, struct err *);
/* The files that are there already, "a, b"; "" when none is. */
char *init_files_found(const struct init *);
/* Write what is missing; fills ${password}. */
int init_files(struct init *, struct err *);

#endif
