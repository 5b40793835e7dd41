/* Types of a tool's settings: read where they stand, checked against values. */
#include "agent/setting.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/banned.h"

#define TYPE_MAX 1000
#define NESTING_MAX 4

enum kind {
	KIND_STRING,
	KIND_BOOLEAN,
	KIND_OBJECT,
	KIND_ANY,
	KIND_INTEGER,
	KIND_NUMBER,
	KIND_ENUM,
	KIND_ARRAY,
};

/* What stands in brackets after the name. */
enum bracket { BRACKET_NO, BRACKET_MAY, BRACKET_MUST };

static const struct {
	const char *name;
	enum kind kind;
	enum bracket bracket;
} kinds[] = {
	{ "string", KIND_STRING, BRACKET_NO },
	{ "boolean", KIND_BOOLEAN, BRACKET_NO },
	{ "object", KIND_OBJECT, BRACKET_NO },
	{ "any", KIND_ANY, BRACKET_NO },
	{ "integer", KIND_INTEGER, BRACKET_MAY },
	{ "number", KIND_NUMBER, BRACKET_MAY },
	{ "enum", KIND_ENUM, BRACKET_MUST },
	{ "array", KIND_ARRAY, BRACKET_MAY },
};

/* A type, read: the text in its brackets stays where it is. */
struct type {
	enum kind kind;
	bool ranged;
	double min, max;
	const char *in;
	size_t in_len;
};

static void
trim(const char **s, size_t *n)
{
	while (*n > 0 && isspace((unsigned char)**s)) {
		(*s)++;
		(*n)--;
	}
	while (*n > 0 && isspace((unsigned char)(*s)[*n - 1]))
		(*n)--;
}

/* Cut the next word of a list at its comma; false at the end. */
static bool
next_word(const char **s, size_t *n, const char **word, size_t *len)
{
	const char *comma;

	if (*s == NULL)
		return false;
	comma = memchr(*s, ',', *n);
	*word = *s;
	*len = comma != NULL ? (size_t)(comma - *s) : *n;
	*n -= comma != NULL ? *len + 1 : *len;
	*s = comma != NULL ? comma + 1 : NULL;
	trim(word, len);
	return true;
}

static bool
words_ok(const struct type *t)
{
	const char *s = t->in, *word;
	size_t n = t->in_len, len;

	while (next_word(&s, &n, &word, &len)) {
		if (len == 0 || len > 100)
			return false;
		for (size_t i = 0; i < len; i++)
			if (!isalnum((unsigned char)word[i]) &&
			    strchr("_-.:/ ", word[i]) == NULL)
				return false;
	}
	return true;
}

/* "MIN..MAX" */
static bool
range_read(struct type *t)
{
	char text[64], *dots, *end;

	if (t->in_len >= sizeof(text))
		return false;
	memcpy(text, t->in, t->in_len);
	text[t->in_len] = '\0';
	if (text[strspn(text, "0123456789.-")] != '\0')
		return false;
	dots = strstr(text, "..");
	if (dots == NULL || dots == text || dots[2] == '\0')
		return false;
	*dots = '\0';
	t->min = strtod(text, &end);
	if (*end != '\0')
		return false;
	t->max = strtod(dots + 2, &end);
	t->ranged = true;
	return *end == '\0' && t->min <= t->max;
}

static bool type_read(
    const char *s, size_t n, int depth, struct type *t, char *why, size_t size);

/* Check what stands in the brackets of ${t}. */
static bool
inside_ok(struct type *t, int depth, char *why, size_t size)
{
	struct type element;

	switch (t->kind) {
	case KIND_ENUM:
		if (words_ok(t))
			return true;
		snprintf(why, size, "enum[...] is a list of words with commas");
		return false;
	case KIND_INTEGER:
	case KIND_NUMBER:
		if (range_read(t))
			return true;
		snprintf(why, size, "a range is written [LEAST..MOST]");
		return false;
	default:
		return type_read(
		    t->in, t->in_len, depth + 1, &element, why, size);
	}
}

static bool
type_read(
    const char *s, size_t n, int depth, struct type *t, char *why, size_t size)
{
	const char *open;
	size_t name_len;

	trim(&s, &n);
	*t = (struct type){ 0 };
	if (n > TYPE_MAX || depth > NESTING_MAX) {
		snprintf(why, size, "the type is too long or nested too deep");
		return false;
	}
	open = memchr(s, '[', n);
	name_len = open != NULL ? (size_t)(open - s) : n;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].name) != name_len ||
		    memcmp(kinds[i].name, s, name_len) != 0)
			continue;
		t->kind = kinds[i].kind;
		if (open == NULL && kinds[i].bracket != BRACKET_MUST)
			return true;
		if (open == NULL || kinds[i].bracket == BRACKET_NO ||
		    s[n - 1] != ']') {
			snprintf(why, size, "%s %s", kinds[i].name,
			    open == NULL ? "needs [...]"
			    : kinds[i].bracket == BRACKET_NO
				? "takes no [...]"
				: "lacks its closing ]");
			return false;
		}
		t->in = open + 1;
		t->in_len = n - name_len - 2;
		return inside_ok(t, depth, why, size);
	}
	snprintf(why, size,
	    "unknown type \"%.*s\": string, integer, number, boolean, object, "
	    "array, any, enum[...] or array[...]",
	    (int)(n < 60 ? n : 60), s);
	return false;
}

bool
setting_type_ok(const char *type, char *why, size_t size)
{
	struct type t;

	return type_read(type, strlen(type), 0, &t, why, size);
}

static bool
in_range(const struct type *t, double v, char *why, size_t size)
{
	if (!t->ranged || (v >= t->min && v <= t->max))
		return true;
	snprintf(why, size, "must be between %.15g and %.15g", t->min, t->max);
	return false;
}

static bool
is_word(const struct type *t, const json_t *v, char *why, size_t size)
{
	const char *s = t->in, *word, *text = json_string_value(v);
	size_t n = t->in_len, len;

	while (text != NULL && next_word(&s, &n, &word, &len))
		if (len == json_string_length(v) &&
		    memcmp(word, text, len) == 0)
			return true;
	snprintf(why, size, "must be one of: %.*s",
	    (int)(t->in_len < 120 ? t->in_len : 120), t->in);
	return false;
}

static bool fits(
    const char *s, size_t n, const json_t *v, char *why, size_t size);

static bool
array_fits(const struct type *t, const json_t *v, char *why, size_t size)
{
	const json_t *element;
	char inner[120];
	size_t i;

	if (!json_is_array(v)) {
		snprintf(why, size, "must be an array");
		return false;
	}
	if (t->in == NULL)
		return true;
	json_array_foreach(v, i,
	    element) if (!fits(t->in, t->in_len, element, inner, sizeof(inner)))
	{
		snprintf(why, size, "element %zu: %s", i, inner);
		return false;
	}
	return true;
}

static bool
is(bool yes, const char *what, char *why, size_t size)
{
	if (!yes)
		snprintf(why, size, "must be %s", what);
	return yes;
}

static bool
fits(const char *s, size_t n, const json_t *v, char *why, size_t size)
{
	struct type t;

	if (!type_read(s, n, 0, &t, why, size))
		return false;
	switch (t.kind) {
	case KIND_STRING:
		return is(json_is_string(v), "text", why, size);
	case KIND_BOOLEAN:
		return is(json_is_boolean(v), "true or false", why, size);
	case KIND_OBJECT:
		return is(json_is_object(v), "an object", why, size);
	case KIND_INTEGER:
		return is(json_is_integer(v), "a whole number", why, size) &&
		       in_range(&t, json_number_value(v), why, size);
	case KIND_NUMBER:
		return is(json_is_number(v), "a number", why, size) &&
		       in_range(&t, json_number_value(v), why, size);
	case KIND_ENUM:
		return is_word(&t, v, why, size);
	case KIND_ARRAY:
		return array_fits(&t, v, why, size);
	case KIND_ANY:
		break;
	}
	return true;
}

bool
setting_fits(const char *type, const json_t *v, char *why, size_t size)
{
	return fits(type, strlen(type), v, why, size);
}
