/*
 * The server's configuration: one file of "name = value" lines.  params.def
 * is the table of parameters; from it come this struct, the parser, its error
 * messages and the manual page switchboard.conf(5).
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "util/err.h"

/*
 * Types: INT and SIZE (bytes; k, m, g) and TIME (kept in ms; ms, s, m, h, d)
 * are int64_t; BOOL is bool (on/off); TEXT is const char * ("" when empty);
 * LIST is a NULL-terminated array of words.
 */
struct conf {
#define CONF_T_INT int64_t
#define CONF_T_SIZE int64_t
#define CONF_T_TIME int64_t
#define CONF_T_BOOL bool
#define CONF_T_TEXT const char *
#define CONF_T_LIST const char *const *
#define PARAM(name, type, def, min, max, when, text) CONF_T_##type name;
#include "conf/params.def"
#undef PARAM
	const char *file; /* where it was read from */
};

/*
 * Read and check ${path}.  Store a new configuration (talloc'd below ctx) in
 * *ret.  Errors name file, line and parameter: "FILE:12: threads: 0 is below
 * the minimum 1".  An unknown name is an error that suggests the nearest one.
 * Relative paths in PATH-like values are taken as they are.  0 or -1.
 */
int conf_read(
    const void *ctx, const char *path, const struct conf **ret, struct err *e);
/* As conf_read, from memory; ${name} stands in messages. */
int conf_parse(const void *ctx, const char *text, size_t len, const char *name,
    const struct conf **ret, struct err *e);
/* The file to use: ${given}, else SB_CONF, else the installed default. */
const char *conf_path(const char *given);
/* Did a parameter that only a restart changes differ?  Its name, or NULL. */
const char *conf_needs_restart(const struct conf *a, const struct conf *b);
/* The parameters as roff (section of the manual page) or as a commented
 * example file. */
void conf_write_roff(FILE *);
void conf_write_example(FILE *);

#endif
