/* A recursive descent over the grammar of the RFC, with a limit to its depth.
 */
#include "scim/filter.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define DEPTH_MAX 32
#define NAME_MAX_ 100
#define CORE "urn:ietf:params:scim:schemas:core:2.0:"

enum kind {
	F_AND,
	F_OR,
	F_NOT,
	F_LIST, /* name[filter] */
	F_EQ,
	F_NE,
	F_CO,
	F_SW,
	F_EW,
	F_GT,
	F_GE,
	F_LT,
	F_LE,
	F_PR
};

struct scim_filter {
	enum kind kind;
	struct scim_filter *a, *b;
	const char *urn, *name, *sub; /* sub NULL: none */
	json_t *value;
};

struct parser {
	const void *ctx;
	const char *text, *at;
	int depth;
	struct err *e;
};

static int
value_drop(struct scim_filter *f)
{
	json_decref(f->value);
	return 0;
}

static void *
fail(struct parser *p, const char *what)
{
	err_set_kind(p->e, ERR_MALFORMED, "invalidFilter", 0,
	    "the filter's character %zu: %s", (size_t)(p->at - p->text) + 1,
	    what);
	return NULL;
}

static struct scim_filter *
node(struct parser *p, enum kind kind)
{
	struct scim_filter *f = mem_new(p->ctx, struct scim_filter);

	f->kind = kind;
	talloc_set_destructor(f, value_drop);
	return f;
}

static void
blanks(struct parser *p)
{
	while (*p->at == ' ')
		p->at++;
}

/* Is the next word ${word}, and no more?  Then it is read. */
static bool
word(struct parser *p, const char *w)
{
	size_t n = strlen(w);

	blanks(p);
	if (strncasecmp(p->at, w, n) != 0 ||
	    (p->at[n] != '\0' && p->at[n] != ' ' && p->at[n] != '(' &&
		p->at[n] != ')' && p->at[n] != ']'))
		return false;
	p->at += n;
	return true;
}

static bool
name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '$';
}

/* [URN:]name[.sub]; 0 or -1. */
static int
attribute(
    struct parser *p, const char **urn, const char **name, const char **sub)
{
	const char *begin, *end, *colon, *dot;

	blanks(p);
	begin = p->at;
	if (strncasecmp(begin, "urn:", 4) == 0) {
		colon = begin + 3;
		for (end = begin; name_char(*end) || *end == ':' || *end == '.';
		     end++)
			if (*end == ':')
				colon = end;
		*urn = mem_strndup(p->ctx, begin, (size_t)(colon - begin));
		if (strncasecmp(*urn, CORE, strlen(CORE)) == 0)
			*urn = NULL;
		begin = colon + 1;
	}
	for (end = begin; name_char(*end); end++)
		;
	if (end == begin || !isalpha((unsigned char)*begin) ||
	    end - begin > NAME_MAX_)
		return -1;
	*name = mem_strndup(p->ctx, begin, (size_t)(end - begin));
	p->at = end;
	if (*end != '.')
		return 0;
	dot = end + 1;
	for (end = dot; name_char(*end); end++)
		;
	if (end == dot || end - dot > NAME_MAX_)
		return -1;
	*sub = mem_strndup(p->ctx, dot, (size_t)(end - dot));
	p->at = end;
	return 0;
}

/* A JSON text, number, true, false or null; NULL: none. */
static json_t *
value(struct parser *p)
{
	json_error_t je;
	json_t *v;

	blanks(p);
	v = json_loads(p->at,
	    JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &je);
	if (v == NULL || json_is_array(v) || json_is_object(v)) {
		json_decref(v);
		return NULL;
	}
	p->at += je.position;
	return v;
}

static struct scim_filter *either(struct parser *p);

static struct scim_filter *
inside(struct parser *p, char close)
{
	struct scim_filter *f;

	p->at++;
	f = either(p);
	if (f == NULL)
		return NULL;
	blanks(p);
	if (*p->at != close)
		return fail(p, close == ')' ? ") is missing" : "] is missing");
	p->at++;
	return f;
}

static struct scim_filter *
compare(struct parser *p)
{
	static const struct {
		const char *word;
		enum kind kind;
	} ops[] = { { "eq", F_EQ }, { "ne", F_NE }, { "co", F_CO },
		{ "sw", F_SW }, { "ew", F_EW }, { "gt", F_GT }, { "ge", F_GE },
		{ "lt", F_LT }, { "le", F_LE }, { "pr", F_PR } };
	struct scim_filter *f = node(p, F_EQ);
	size_t i, n = sizeof(ops) / sizeof(ops[0]);

	if (attribute(p, &f->urn, &f->name, &f->sub) != 0)
		return fail(p, "an attribute's name must stand here");
	if (*p->at == '[') {
		f->kind = F_LIST;
		f->a = inside(p, ']');
		return f->a != NULL ? f : NULL;
	}
	for (i = 0; i < n && !word(p, ops[i].word); i++)
		;
	if (i == n)
		return fail(p,
		    "eq, ne, co, sw, ew, gt, ge, lt, le or pr must stand here");
	f->kind = ops[i].kind;
	if (f->kind == F_PR)
		return f;
	f->value = value(p);
	if (f->value == NULL)
		return fail(p,
		    "a text in quotes, a number, true, false or null must "
		    "stand here");
	return f;
}

static struct scim_filter *
one(struct parser *p)
{
	struct scim_filter *f, *inner;

	blanks(p);
	if (++p->depth > DEPTH_MAX)
		return fail(p, "too many parentheses");
	if (*p->at == '(') {
		f = inside(p, ')');
	} else if (word(p, "not")) {
		blanks(p);
		if (*p->at != '(')
			return fail(p, "( must follow not");
		inner = inside(p, ')');
		f = inner != NULL ? node(p, F_NOT) : NULL;
		if (f != NULL)
			f->a = inner;
	} else {
		f = compare(p);
	}
	p->depth--;
	return f;
}

static struct scim_filter *
chain(struct parser *p, const char *w, enum kind kind,
    struct scim_filter *(*part)(struct parser *))
{
	struct scim_filter *f = part(p), *both;

	while (f != NULL && word(p, w)) {
		both = node(p, kind);
		both->a = f;
		both->b = part(p);
		f = both->b != NULL ? both : NULL;
	}
	return f;
}

static struct scim_filter *
both(struct parser *p)
{
	return chain(p, "and", F_AND, one);
}

static struct scim_filter *
either(struct parser *p)
{
	return chain(p, "or", F_OR, both);
}

static struct scim_filter *
whole(struct parser *p)
{
	struct scim_filter *f;

	if (strlen(p->text) > SCIM_FILTER_MAX ||
	    !str_utf8_valid(p->text, strlen(p->text)))
		return fail(p, "it is too long, or no UTF-8");
	f = either(p);
	blanks(p);
	if (f != NULL && *p->at != '\0')
		return fail(p, "and, or, or nothing must stand here");
	return f;
}

struct scim_filter *
scim_filter_parse(const void *ctx, const char *text, struct err *e)
{
	return whole(
	    &(struct parser){ .ctx = ctx, .text = text, .at = text, .e = e });
}

int
scim_path_parse(
    const void *ctx, const char *text, struct scim_path *out, struct err *e)
{
	struct parser p = { .ctx = ctx, .text = text, .at = text, .e = e };
	const char *end;

	*out = (struct scim_path){ 0 };
	if (strlen(text) > SCIM_FILTER_MAX ||
	    attribute(&p, &out->urn, &out->attribute, &out->sub) != 0)
		goto refuse;
	if (*p.at == '[') {
		out->filter = inside(&p, ']');
		if (out->filter == NULL || out->sub != NULL)
			goto refuse;
		if (*p.at == '.') {
			for (end = ++p.at; name_char(*end); end++)
				;
			if (end == p.at)
				goto refuse;
			out->sub = mem_strndup(ctx, p.at, (size_t)(end - p.at));
			p.at = end;
		}
	}
	if (*p.at == '\0')
		return 0;
refuse:
	return err_set_kind(e, ERR_MALFORMED, "invalidPath", 0,
	    "the path %.80s is none: attribute, attribute.sub, or "
	    "attribute[filter].sub",
	    text);
}

const char *
scim_key(const json_t *object, const char *name, size_t len)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)object, key, v)
	{
		if (strlen(key) == len && strncasecmp(key, name, len) == 0)
			return key;
	}
	return NULL;
}

static const json_t *
member(const json_t *object, const char *name)
{
	const char *key;

	if (!json_is_object(object))
		return NULL;
	key = scim_key(object, name, strlen(name));
	return key != NULL ? json_object_get(object, key) : NULL;
}

static int
sign_of(double a, double b)
{
	return a < b ? -1 : a > b;
}

/* One value, neither list nor object. */
static bool
holds(const struct scim_filter *f, const json_t *v)
{
	const char *a = json_string_value(v), *b = json_string_value(f->value);
	size_t n, m;
	int order;

	if (f->kind == F_PR)
		return !json_is_null(v) && (a == NULL || *a != '\0');
	if (a == NULL || b == NULL) {
		if (json_is_number(v) && json_is_number(f->value))
			order = sign_of(
			    json_number_value(v), json_number_value(f->value));
		else if (f->kind == F_EQ || f->kind == F_NE)
			order = !json_equal(v, f->value);
		else
			return false;
	} else {
		n = strlen(a);
		m = strlen(b);
		switch (f->kind) {
		case F_CO:
			return strcasestr(a, b) != NULL;
		case F_SW:
			return strncasecmp(a, b, m) == 0;
		case F_EW:
			return n >= m && strcasecmp(a + n - m, b) == 0;
		default:
			order = strcasecmp(a, b);
		}
	}
	return f->kind == F_EQ   ? order == 0
	       : f->kind == F_NE ? order != 0
	       : f->kind == F_GT ? order > 0
	       : f->kind == F_GE ? order >= 0
	       : f->kind == F_LT ? order < 0
	       : f->kind == F_LE ? order <= 0
	                         : false;
}

/* Any of a list; of an entry its ${sub}, or what it is by "value". */
static bool
any(const struct scim_filter *f, const json_t *v, const char *sub)
{
	const json_t *entry;
	size_t i;

	if (v == NULL)
		return false;
	if (json_is_array(v)) {
		json_array_foreach(v, i, entry)
		{
			if (any(f, entry, sub))
				return true;
		}
		return false;
	}
	if (f->kind == F_LIST)
		return scim_filter_match(f->a, v);
	if (json_is_object(v))
		return any(f, member(v, sub != NULL ? sub : "value"), NULL);
	return sub == NULL && holds(f, v);
}

bool
scim_filter_match(const struct scim_filter *f, const json_t *resource)
{
	const json_t *in = resource, *v;

	switch (f->kind) {
	case F_AND:
		return scim_filter_match(f->a, resource) &&
		       scim_filter_match(f->b, resource);
	case F_OR:
		return scim_filter_match(f->a, resource) ||
		       scim_filter_match(f->b, resource);
	case F_NOT:
		return !scim_filter_match(f->a, resource);
	default:
		break;
	}
	if (f->urn != NULL)
		in = member(resource, f->urn);
	v = member(in, f->name);
	if (f->kind == F_NE && (v == NULL || json_is_null(v)))
		return true;
	return any(f, v, f->sub);
}

const char *
scim_filter_equals(const struct scim_filter *f, const char *name)
{
	const char *text;

	if (f->kind == F_AND) {
		text = scim_filter_equals(f->a, name);
		return text != NULL ? text : scim_filter_equals(f->b, name);
	}
	return f->kind == F_EQ && f->urn == NULL && f->sub == NULL &&
	               strcasecmp(f->name, name) == 0
	           ? json_string_value(f->value)
	           : NULL;
}

bool
scim_filter_only(
    const struct scim_filter *f, const char **sub, const json_t **v)
{
	if (f->kind != F_EQ || f->urn != NULL || f->sub != NULL)
		return false;
	*sub = f->name;
	*v = f->value;
	return true;
}
