/* The rows of params.def as data, shared by the parser and the writers. */
#ifndef CONF_PARAM_PRIV_H
#define CONF_PARAM_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/err.h"

enum param_type {
	PARAM_INT,
	PARAM_SIZE,
	PARAM_TIME,
	PARAM_BOOL,
	PARAM_TEXT,
	PARAM_LIST
};

struct param {
	const char *name;
	enum param_type type;
	size_t offset; /* in struct conf */
	const char *def;
	int64_t min, max;
	bool restart;
	const char *text;
};

extern const struct param params[];
extern const size_t params_count;

/* A row by name, or NULL. */
const struct param *param_find(const char *name);
/* The name nearest to ${name}, or NULL when none is near. */
const char *param_nearest(const char *name);

/*
 * Turn ${value} into the row's type and store it at ${conf} + offset; texts
 * and lists lie below ${ctx}.  0, or -1 with ERR_INVALID ("0 is below the
 * minimum 1").
 */
int param_store(const void *ctx, const struct param *p, const char *value,
    void *conf, struct err *e);
/* A number as the file would have it: "250ms", "64k". */
#define PARAM_TEXT_SIZE 32
void param_format(enum param_type type, int64_t v, char out[PARAM_TEXT_SIZE]);

#endif
