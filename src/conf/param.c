/*
 * Values of parameters: from text to their type, and the limits of the row.
 */
#include "conf/param_priv.h"

#include <inttypes.h>
#include <string.h>

#include "conf/conf.h"
#include "util/mem.h"
#include "util/nearest.h"
#include "util/str.h"

#include "util/banned.h"

#define RELOAD false
#define RESTART true
const struct param params[] = {
#define PARAM(name, type, def, min, max, when, text)                           \
	{ #name, PARAM_##type, offsetof(struct conf, name), def, min, max,     \
		when, text },
#include "conf/params.def"
#undef PARAM
};
#undef RELOAD
#undef RESTART
const size_t params_count = sizeof(params) / sizeof(params[0]);

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: param_format takes the first that divides. */
static const struct unit times[] = { { "d", 86400000 }, { "h", 3600000 },
	{ "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 } };
static const struct unit sizes[] = { { "g", INT64_C(1) << 30 },
	{ "m", 1 << 20 }, { "k", 1 << 10 }, { "", 1 }, { NULL, 0 } };
static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *
units_of(enum param_type type)
{
	if (type == PARAM_TIME)
		return times;
	return type == PARAM_SIZE ? sizes : plain;
}

const struct param *
param_find(const char *name)
{
	for (size_t i = 0; i < params_count; i++)
		if (strcmp(params[i].name, name) == 0)
			return &params[i];
	return NULL;
}

const char *
param_nearest(const char *name)
{
	const char *names[sizeof(params) / sizeof(params[0])];

	for (size_t i = 0; i < params_count; i++)
		names[i] = params[i].name;
	return nearest_name(name, names, (int)params_count);
}

void
param_format(enum param_type type, int64_t v, char out[PARAM_TEXT_SIZE])
{
	const struct unit *u = units_of(type);

	while (u[1].name != NULL && (v % u->factor != 0 || v == 0))
		u++;
	(void)snprintf(
	    out, PARAM_TEXT_SIZE, "%" PRId64 "%s", v / u->factor, u->name);
}

static int
bad_unit(enum param_type type, const char *value, struct err *e)
{
	if (type == PARAM_TIME)
		return err_set(e, ERR_INVALID,
		    "\"%.40s\" is not a time: a number and ms, s, m, h or d",
		    value);
	if (type == PARAM_SIZE)
		return err_set(e, ERR_INVALID,
		    "\"%.40s\" is not a size: a number of bytes, or with k, "
		    "m or g",
		    value);
	return err_set(
	    e, ERR_INVALID, "\"%.40s\" is not a whole number", value);
}

static int
store_number(
    const struct param *p, const char *value, int64_t *out, struct err *e)
{
	const struct unit *u = units_of(p->type);
	char number[24], low[PARAM_TEXT_SIZE], high[PARAM_TEXT_SIZE];
	size_t n = strspn(value, "-0123456789");
	int64_t v, scaled;

	if (n == 0 || n >= sizeof(number))
		return bad_unit(p->type, value, e);
	memcpy(number, value, n);
	number[n] = '\0';
	if (str_int(number, INT64_MIN, INT64_MAX, &v) != 0)
		return bad_unit(p->type, value, e);
	/* Zero is zero in any unit. */
	while (u->name != NULL && strcmp(u->name, value + n) != 0)
		u++;
	if (u->name == NULL && !(v == 0 && value[n] == '\0'))
		return bad_unit(p->type, value, e);
	if (u->name != NULL && __builtin_mul_overflow(v, u->factor, &scaled))
		scaled = v < 0 ? INT64_MIN : INT64_MAX;
	else if (u->name == NULL)
		scaled = 0;
	param_format(p->type, p->min, low);
	param_format(p->type, p->max, high);
	if (scaled < p->min)
		return err_set(e, ERR_INVALID,
		    "%.40s is below the minimum %s (the maximum is %s)", value,
		    low, high);
	if (scaled > p->max)
		return err_set(e, ERR_INVALID,
		    "%.40s is above the maximum %s (the minimum is %s)", value,
		    high, low);
	*out = scaled;
	return 0;
}

static int
store_bool(const char *value, bool *out, struct err *e)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return err_set(
		    e, ERR_INVALID, "\"%.40s\" is neither on nor off", value);
	*out = strcmp(value, "on") == 0;
	return 0;
}

static int
check_length(const struct param *p, const char *value, struct err *e)
{
	size_t n = strlen(value);

	if ((int64_t)n < p->min)
		return n == 0
		           ? err_set(e, ERR_INVALID, "must not be empty")
		           : err_set(e, ERR_INVALID,
				 "\"%.40s\" has %zu characters, the minimum is "
				 "%" PRId64,
				 value, n, p->min);
	if ((int64_t)n > p->max)
		return err_set(e, ERR_INVALID,
		    "has %zu characters, the maximum is %" PRId64, n, p->max);
	return 0;
}

static const char *const *
split(const void *ctx, const char *value)
{
	size_t n = strlen(value), count = 0;
	char **list = mem_array(ctx, char *, n / 2 + 2);

	for (;;) {
		size_t len;

		value += strspn(value, " \t");
		len = strcspn(value, " \t");
		if (len == 0)
			break;
		list[count++] = mem_strndup(list, value, len);
		value += len;
	}
	return (const char *const *)list;
}

/* What a row cannot say of its own value. */
static int
check_special(const struct param *p, const char *value, struct err *e)
{
	if (strcmp(p->name, "log_level") == 0 && strcmp(value, "debug") != 0 &&
	    strcmp(value, "info") != 0 && strcmp(value, "warn") != 0 &&
	    strcmp(value, "error") != 0)
		return err_set(e, ERR_INVALID,
		    "\"%.40s\" is not one of debug, info, warn, error", value);
	if (strcmp(p->name, "socket_mode") == 0 &&
	    value[strspn(value, "01234567")] != '\0')
		return err_set(
		    e, ERR_INVALID, "%.40s is not an octal mode", value);
	return 0;
}

int
param_store(const void *ctx, const struct param *p, const char *value,
    void *conf, struct err *e)
{
	char *at = (char *)conf + p->offset;

	if (check_special(p, value, e) != 0)
		return -1;
	switch (p->type) {
	case PARAM_INT:
	case PARAM_SIZE:
	case PARAM_TIME:
		return store_number(p, value, (int64_t *)(void *)at, e);
	case PARAM_BOOL:
		return store_bool(value, (bool *)(void *)at, e);
	case PARAM_TEXT:
		if (check_length(p, value, e) != 0)
			return -1;
		*(const char **)(void *)at = mem_strdup(ctx, value);
		return 0;
	case PARAM_LIST:
		if (check_length(p, value, e) != 0)
			return -1;
		*(const char *const **)(void *)at = split(ctx, value);
		return 0;
	}
	return err_set(e, ERR_INTERNAL, "unknown type");
}
