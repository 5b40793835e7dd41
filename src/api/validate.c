/*
 * A value and a schema are walked together.  Each keyword is a row of a table,
 * so that one which has no row is found before anything is believed.
 */
#include "api/validate.h"

#include <regex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "api/schema.h"
#include "util/id.h"
#include "util/rfc3339.h"
#include "util/str.h"

#include "util/banned.h"

#define ERRORS_MAX 32
#define POINTER_MAX 256
#define DEPTH_MAX 32
#define UNIQUE_MOST 1000
#define REF "#/components/schemas/"

struct walk {
	json_t *errors;
	struct err *e;
	int depth;
};

void
validate_add(
    json_t *errors, const char *pointer, const char *key, const char *fmt, ...)
{
	char where[POINTER_MAX], what[200];
	size_t n = strlen(pointer);
	va_list ap;

	if (json_array_size(errors) >= ERRORS_MAX)
		return;
	n = n < sizeof(where) ? n : sizeof(where) - 1;
	memcpy(where, pointer, n);
	if (key != NULL && n < sizeof(where) - 1)
		where[n++] = '/';
	for (; key != NULL && *key != '\0' && n < sizeof(where) - 2; key++) {
		if (*key == '~' || *key == '/') { /* RFC 6901 */
			where[n++] = '~';
			where[n++] = *key == '~' ? '0' : '1';
		} else {
			where[n++] = *key;
		}
	}
	n = str_utf8_prefix(where, n);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	json_array_append_new(errors,
	    json_pack("{s:o, s:o}", "pointer", json_stringn(where, n), "detail",
		json_stringn(what, str_utf8_prefix(what, strlen(what)))));
}

/* --- keywords ------------------------------------------------------------ */

static int check(
    struct walk *, const json_t *schema, const json_t *v, const char *pointer);

static int
broken(const struct walk *w, const char *what)
{
	return err_set(w->e, ERR_INTERNAL, "schema: %s", what);
}

static bool
has_type(const char *type, const json_t *v)
{
	if (strcmp(type, "integer") == 0)
		return json_is_integer(v);
	if (strcmp(type, "number") == 0)
		return json_is_number(v);
	if (strcmp(type, "string") == 0)
		return json_is_string(v);
	if (strcmp(type, "boolean") == 0)
		return json_is_boolean(v);
	if (strcmp(type, "object") == 0)
		return json_is_object(v);
	if (strcmp(type, "array") == 0)
		return json_is_array(v);
	return strcmp(type, "null") == 0 && json_is_null(v);
}

static const char *
type_words(const char *type)
{
	static const char *const words[][2] = { { "integer", "a whole number" },
		{ "number", "a number" }, { "string", "a text" },
		{ "boolean", "true or false" }, { "object", "an object" },
		{ "array", "a list" }, { "null", "null" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], type) == 0)
			return words[i][1];
	return NULL;
}

static int
key_type(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	char said[120] = "";
	size_t i, n = json_is_array(arg) ? json_array_size(arg) : 1;
	bool fits = false;

	(void)schema;
	for (i = 0; i < n; i++) {
		const char *type = json_string_value(
		    json_is_array(arg) ? json_array_get(arg, i) : arg);
		const char *words = type != NULL ? type_words(type) : NULL;
		size_t have = strlen(said);

		if (words == NULL)
			return broken(w, "an unknown type");
		fits = fits || (v != NULL && has_type(type, v));
		snprintf(said + have, sizeof(said) - have, "%s%s",
		    i == 0 ? "" : " or ", words);
	}
	if (v != NULL && !fits)
		validate_add(w->errors, pointer, NULL, "must be %s", said);
	return 0;
}

static int
key_enum(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	char said[160] = "";
	const json_t *one;
	size_t i;

	(void)schema;
	if (!json_is_array(arg))
		return broken(w, "an enum that is no list");
	json_array_foreach(arg, i, one)
	{
		size_t have = strlen(said);

		if (v != NULL && json_equal(one, v))
			return 0;
		if (json_is_string(one))
			snprintf(said + have, sizeof(said) - have, "%s%s",
			    have == 0 ? "" : ", ", json_string_value(one));
	}
	if (v != NULL)
		validate_add(
		    w->errors, pointer, NULL, "must be one of: %s", said);
	return 0;
}

static int
key_required(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	const json_t *one;
	size_t i;

	(void)schema;
	json_array_foreach(arg, i, one)
	{
		const char *name = json_string_value(one);

		if (name == NULL)
			return broken(w, "required without names");
		if (json_is_object(v) && json_object_get(v, name) == NULL)
			validate_add(w->errors, pointer, name, "is missing");
	}
	return 0;
}

/* Schemas without a value are walked too, to be checked themselves. */
static int
key_properties(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	const char *name;
	json_t *one;

	(void)schema;
	json_object_foreach((json_t *)arg, name, one)
	{
		const json_t *member = json_object_get(v, name);
		char where[POINTER_MAX];

		if (v != NULL && member == NULL)
			continue;
		snprintf(where, sizeof(where), "%s/%s", pointer, name);
		if (check(w, one, member, where) != 0)
			return -1;
	}
	return 0;
}

static int
key_additional(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	const json_t *known = json_object_get(schema, "properties");
	const char *name;
	json_t *one;

	if (!json_is_false(arg))
		return broken(w, "additionalProperties that are not false");
	json_object_foreach((json_t *)v, name, one)
	{
		if (json_object_get(known, name) == NULL)
			validate_add(
			    w->errors, pointer, name, "is not known here");
	}
	return 0;
}

static int
key_min_properties(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	(void)schema;
	if (json_is_object(v) &&
	    (json_int_t)json_object_size(v) < json_integer_value(arg))
		validate_add(w->errors, pointer, NULL, "says nothing");
	return 0;
}

/* Characters of valid UTF-8. */
static json_int_t
characters(const char *s)
{
	json_int_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int
key_min_length(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	json_int_t least = json_integer_value(arg);

	(void)schema;
	if (json_is_string(v) && characters(json_string_value(v)) < least)
		validate_add(w->errors, pointer, NULL,
		    "must have at least %lld character%s", (long long)least,
		    least == 1 ? "" : "s");
	return 0;
}

static int
key_max_length(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	(void)schema;
	if (json_is_string(v) &&
	    characters(json_string_value(v)) > json_integer_value(arg))
		validate_add(w->errors, pointer, NULL,
		    "must have at most %lld characters",
		    (long long)json_integer_value(arg));
	return 0;
}

static int
key_pattern(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	const char *pattern = json_string_value(arg);
	regex_t re;
	bool fits;

	(void)schema;
	if (pattern == NULL ||
	    regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return broken(w, "a pattern that is none");
	fits = !json_is_string(v) ||
	       regexec(&re, json_string_value(v), 0, NULL, 0) == 0;
	regfree(&re);
	if (!fits)
		validate_add(
		    w->errors, pointer, NULL, "must match %s", pattern);
	return 0;
}

static int
key_format(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	const char *format = json_string_value(arg), *s = json_string_value(v);
	struct uuid id;
	int64_t us;

	(void)schema;
	if (format != NULL && strcmp(format, "uuid") == 0) {
		if (s != NULL && id_parse(s, strlen(s), &id) != 0)
			validate_add(
			    w->errors, pointer, NULL, "must be a UUID");
		return 0;
	}
	if (format != NULL && strcmp(format, "date-time") == 0) {
		if (s != NULL && rfc3339_read(s, &us) != 0)
			validate_add(w->errors, pointer, NULL,
			    "must be a time as RFC 3339 writes it, such as "
			    "2026-01-31T12:00:00Z");
		return 0;
	}
	return broken(w, "an unknown format");
}

static int
key_minimum(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	(void)schema;
	if (!json_is_number(arg))
		return broken(w, "a minimum that is no number");
	if (json_is_number(v) && json_number_value(v) < json_number_value(arg))
		validate_add(w->errors, pointer, NULL, "must be at least %g",
		    json_number_value(arg));
	return 0;
}

static int
key_maximum(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	(void)schema;
	if (!json_is_number(arg))
		return broken(w, "a maximum that is no number");
	if (json_is_number(v) && json_number_value(v) > json_number_value(arg))
		validate_add(w->errors, pointer, NULL, "must be at most %.15g",
		    json_number_value(arg));
	return 0;
}

static int
key_items(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	char where[POINTER_MAX];

	(void)schema;
	if (v == NULL)
		return check(w, arg, NULL, pointer);
	for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++) {
		snprintf(where, sizeof(where), "%s/%zu", pointer, i);
		if (check(w, arg, json_array_get(v, i), where) != 0)
			return -1;
	}
	return 0;
}

static int
key_min_items(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	(void)schema;
	if (json_is_array(v) &&
	    (json_int_t)json_array_size(v) < json_integer_value(arg))
		validate_add(w->errors, pointer, NULL,
		    "must have at least %lld entries",
		    (long long)json_integer_value(arg));
	return 0;
}

static int
key_max_items(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	(void)schema;
	if (json_is_array(v) &&
	    (json_int_t)json_array_size(v) > json_integer_value(arg))
		validate_add(w->errors, pointer, NULL,
		    "must have at most %lld entries",
		    (long long)json_integer_value(arg));
	return 0;
}

static int
key_unique(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	char where[POINTER_MAX];

	(void)schema;
	(void)arg;
	if (json_array_size(v) > UNIQUE_MOST)
		return 0; /* maxItems has refused it */
	for (size_t i = 1; json_is_array(v) && i < json_array_size(v); i++)
		for (size_t k = 0; k < i; k++)
			if (json_equal(
				json_array_get(v, i), json_array_get(v, k))) {
				snprintf(
				    where, sizeof(where), "%s/%zu", pointer, i);
				validate_add(
				    w->errors, where, NULL, "is there twice");
				break;
			}
	return 0;
}

static int
key_ref(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	const char *to = json_string_value(arg), *text = NULL;
	json_auto_t *other = NULL;

	(void)schema;
	if (to != NULL && str_starts(to, REF))
		text = schema_json(to + strlen(REF));
	other = text != NULL ? json_loads(text, 0, NULL) : NULL;
	if (other == NULL)
		return broken(w, "a $ref that leads nowhere");
	return check(w, other, v, pointer);
}

static int
key_words(struct walk *w, const json_t *schema, const json_t *arg,
    const json_t *v, const char *pointer)
{
	(void)w;
	(void)schema;
	(void)arg;
	(void)v;
	(void)pointer;
	return 0;
}

static const struct {
	const char *name;
	/* ${v} NULL: only the schema is looked at */
	int (*check)(struct walk *, const json_t *schema, const json_t *arg,
	    const json_t *v, const char *pointer);
} keywords[] = {
	{ "type", key_type },
	{ "enum", key_enum },
	{ "required", key_required },
	{ "properties", key_properties },
	{ "additionalProperties", key_additional },
	{ "minProperties", key_min_properties },
	{ "minLength", key_min_length },
	{ "maxLength", key_max_length },
	{ "pattern", key_pattern },
	{ "format", key_format },
	{ "minimum", key_minimum },
	{ "maximum", key_maximum },
	{ "items", key_items },
	{ "minItems", key_min_items },
	{ "maxItems", key_max_items },
	{ "uniqueItems", key_unique },
	{ "$ref", key_ref },
	{ "description", key_words },
	{ "default", key_words },
	{ "examples", key_words },
};

static int
check_keyword(struct walk *w, const char *name, const json_t *schema,
    const json_t *arg, const json_t *v, const char *pointer)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(keywords[i].name, name) == 0)
			return keywords[i].check(w, schema, arg, v, pointer);
	return err_set(
	    w->e, ERR_INTERNAL, "schema: unknown keyword %.60s", name);
}

static int
check(
    struct walk *w, const json_t *schema, const json_t *v, const char *pointer)
{
	const json_t *type = json_object_get(schema, "type");
	size_t before = json_array_size(w->errors);
	const char *name;
	json_t *arg;

	if (!json_is_object(schema))
		return broken(w, "one that is no object");
	if (++w->depth > DEPTH_MAX)
		return broken(w, "too deep");
	if (type != NULL && key_type(w, schema, type, v, pointer) != 0)
		return -1;
	json_object_foreach((json_t *)schema, name, arg)
	{
		/* what has the wrong type is told once */
		if (v != NULL && json_array_size(w->errors) > before &&
		    strcmp(name, "enum") == 0)
			continue;
		if (strcmp(name, "type") != 0 &&
		    check_keyword(w, name, schema, arg, v, pointer) != 0)
			return -1;
	}
	w->depth--;
	return 0;
}

static int
walk(const char *name, const json_t *v, json_t **errors, struct err *e)
{
	const char *text = schema_json(name);
	json_auto_t *schema = text != NULL ? json_loads(text, 0, NULL) : NULL;
	struct walk w = { .errors = json_array(), .e = e };

	*errors = NULL;
	if (schema == NULL) {
		json_decref(w.errors);
		return err_set(e, ERR_INTERNAL, "no schema %s", name);
	}
	if (check(&w, schema, v, "") != 0) {
		json_decref(w.errors);
		return err_prefix(e, "%s", name);
	}
	*errors = w.errors;
	return 0;
}

int
validate(const char *name, const json_t *v, json_t **errors, struct err *e)
{
	json_t *list;

	if (walk(name, v, &list, e) != 0)
		return -1;
	if (json_array_size(list) == 0) {
		json_decref(list);
		return 0;
	}
	*errors = list;
	return err_set(e, ERR_INVALID, "the body breaks %zu rule%s",
	    json_array_size(list), json_array_size(list) == 1 ? "" : "s");
}

json_t *
validate_one(const char *pointer, const char *detail)
{
	json_t *errors = json_array();

	validate_add(errors, pointer, NULL, "%s", detail);
	return errors;
}

int
validate_schema(const char *name, struct err *e)
{
	json_t *list;

	if (walk(name, NULL, &list, e) != 0)
		return -1;
	json_decref(list);
	return 0;
}
