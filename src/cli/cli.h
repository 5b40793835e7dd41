/*
 * The operator's command.  One table of verbs (verbs.c) feeds dispatch, the
 * --help texts and the manual page; a verb's options are rows of its own
 * table.  A handler reads its words and options through these functions, does
 * one thing and hands its result to cli/out.h.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct cli;
struct conf;
struct db_pool;
struct spec_error;
struct templates;

enum {
	OPT_MANY = 1,   /* may stand more than once */
	OPT_NEEDED = 2, /* must stand */
};

/* An option: --name, with a value when ${arg} names one. */
struct opt {
	const char *name;
	const char *arg; /* NULL: a flag */
	const char *text;
	unsigned flags;
};

#define CLI_WORDS 16 /* words and option values of a command line */

struct verb {
	const char *name; /* one or two words: "account create" */
	const char *args; /* how its words are called in the usage line */
	int min, max;     /* how many words it takes */
	const char *summary;
	const char *detail; /* more for --help and the manual; may be NULL */
	const struct opt *opts; /* ends with a NULL name; NULL: none */
	bool hidden;            /* not in lists */
	/* 0, or -1 with e; cli_misuse() for a wrong command line. */
	int (*run)(struct cli *, struct err *);
};

struct cli {
	void *ctx; /* lives as long as the command */
	const struct verb *verb;
	const char *conf_file; /* -c, or NULL */
	bool json, help;
	bool misused;   /* exit 2 instead of 1 */
	bool silent;    /* failed, and has said so itself */
	json_t *errors; /* [{pointer, detail}] of a configuration, or NULL */
	const char *word[CLI_WORDS];
	int nwords;
	struct {
		const struct opt *opt;
		const char *value;
	} given[CLI_WORDS];
	int ngiven;
	const struct conf *conf; /* cli_conf() */
	struct db_pool *db;      /* cli_db() */
};

/* Parse the command line after the verb's ${skip} words.  0, or -1 with e. */
int cli_parse(struct cli *, int argc, char **argv, int skip, struct err *);

/* Is the flag given?  The value of an option, or NULL. */
bool cli_flag(const struct cli *, const char *name);
const char *cli_opt(const struct cli *, const char *name);
/* The next value of an option that may stand often; *i starts at 0. */
const char *cli_opt_next(const struct cli *, const char *name, int *i);
/* An error of usage: err_set() with exit status 2. */
int cli_misuse(struct cli *, struct err *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Split TYPE/NAME below c->ctx; a misuse if it is no such thing. */
int cli_agent_path(struct cli *, const char *path, const char **type,
    const char **name, struct err *);

/* The configuration, read at the first call. */
int cli_conf(struct cli *, const struct conf **ret, struct err *);
/* The pool of role sb_admin, made at the first call. */
int cli_db(struct cli *, struct db_pool **ret, struct err *);
/* What may be a moment old that pool reads from the standby, if there is one
 * and it is fresh enough. */
void cli_replica(struct cli *);
/* A pool of another role, below no other; the caller frees it. */
int cli_db_as(
    struct cli *, const char *role, struct db_pool **ret, struct err *);
/* The agent templates of the configuration's folder; warnings go to stderr. */
int cli_templates(struct cli *, struct templates **ret, struct err *);
/* Keep what is wrong with a configuration for the error that follows. */
void cli_errors(struct cli *, const struct spec_error *, int n);
/* Pool and id of the account named by the first word. */
int cli_account(
    struct cli *, struct db_pool **db, struct uuid *id, struct err *);

/* Who runs the command, for the audit log: the system's user, on this host;
 * what is done is for the caller to add to a copy.  Lives as long as c. */
const struct audit_entry *cli_who(struct cli *);

/*
 * Read all of ${path} ("-": standard input), up to ${max} bytes, below
 * c->ctx.  0 with *text (NUL-terminated) and *len, or -1.
 */
int cli_read(struct cli *, const char *path, size_t max, char **text,
    size_t *len, struct err *);
/* As cli_read, and parse: one JSON text; a new reference. */
int cli_read_json(struct cli *, const char *path, json_t **ret, struct err *);

/* A moment: "24h", "30m", "7d" ago, or a date or time in RFC 3339 (UTC).
 * Microseconds since 1970; a misuse if it is neither. */
int cli_since(struct cli *, const char *text, int64_t *us, struct err *);

#endif
