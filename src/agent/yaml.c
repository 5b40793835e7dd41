/* libyaml's events as jansson values; the subset that yaml.h names. */
#include "agent/yaml.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "util/banned.h"

#define DEPTH_MAX 32
#define POINTER_MAX 400

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t len;
	const char *name;
	json_t *lines;
	char pointer[POINTER_MAX]; /* of the node being read */
	size_t pointer_len;
	bool pointer_lost; /* too long to follow; lines of parents serve */
	struct err *e;
};

static int
bad(struct reader *r, size_t line, const char *what)
{
	return err_set(
	    r->e, ERR_MALFORMED, "%s:%zu: %s", r->name, line + 1, what);
}

static int
bad_at(struct reader *r, const yaml_event_t *ev, const char *what)
{
	return bad(r, ev->start_mark.line, what);
}

/* The next event, to be deleted by the caller unless this fails. */
static int
next(struct reader *r, yaml_event_t *ev)
{
	const yaml_parser_t *p = &r->parser;
	size_t line;

	if (yaml_parser_parse(&r->parser, ev))
		return 0;
	line = p->problem_mark.line;
	if (p->error == YAML_READER_ERROR) {
		/* This one knows an offset only. */
		line = 0;
		for (size_t i = 0; i < p->problem_offset && i < r->len; i++)
			line += r->text[i] == '\n';
	}
	return bad(r, line,
	    p->problem != NULL ? p->problem : "cannot be read as YAML");
}

/* Append "/<part>" to the pointer; the length to go back to. */
static size_t
pointer_down(struct reader *r, const char *part)
{
	size_t back = r->pointer_len, n = back;

	if (r->pointer_lost || n + 2 * strlen(part) + 2 > POINTER_MAX) {
		r->pointer_lost = true;
		return back;
	}
	r->pointer[n++] = '/';
	for (; *part != '\0'; part++) {
		if (*part == '~' || *part == '/') {
			r->pointer[n++] = '~';
			r->pointer[n++] = *part == '~' ? '0' : '1';
		} else
			r->pointer[n++] = *part;
	}
	r->pointer[n] = '\0';
	r->pointer_len = n;
	return back;
}

static void
pointer_up(struct reader *r, size_t back)
{
	r->pointer_lost = false;
	r->pointer_len = back;
	r->pointer[back] = '\0';
}

static void
note_line(struct reader *r, const yaml_event_t *ev)
{
	if (!r->pointer_lost)
		json_object_set_new(r->lines, r->pointer,
		    json_integer((json_int_t)ev->start_mark.line + 1));
}

/* [-+]?digits, then a dot, digits and an exponent where they stand. */
static bool
looks_number(const char *s, bool *whole, bool *leading_zero)
{
	size_t n, digits;

	if (*s == '-' || *s == '+')
		s++;
	digits = strspn(s, "0123456789");
	*whole = s[digits] == '\0' && digits > 0;
	*leading_zero = digits > 1 && s[0] == '0';
	s += digits;
	if (*s == '.') {
		n = strspn(++s, "0123456789");
		digits += n;
		s += n;
	}
	if (digits == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		if (*s == '-' || *s == '+')
			s++;
		n = strspn(s, "0123456789");
		if (n == 0)
			return false;
		s += n;
	}
	return *s == '\0';
}

static bool
one_of(const char *s, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

static int
number(struct reader *r, const yaml_event_t *ev, const char *s, bool whole,
    json_t **ret)
{
	json_error_t je;
	/* JSON has no plus sign, and wants a digit before the dot and after. */
	char text[128];
	double d;
	char *end;

	if (strlen(s) >= sizeof(text))
		return bad_at(r, ev, "a number of more than 127 characters");
	if (whole) {
		*ret = json_loads(*s == '+' ? s + 1 : s, JSON_DECODE_ANY, &je);
		if (*ret == NULL)
			return bad_at(
			    r, ev, "an integer that does not fit 64 bits");
		return 0;
	}
	d = strtod(s, &end);
	*ret = json_real(d); /* NULL for what overflows */
	if (*end != '\0' || *ret == NULL)
		return bad_at(r, ev, "a number out of range");
	return 0;
}

static int
plain(struct reader *r, const yaml_event_t *ev, const char *s, json_t **ret)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL",
		NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	static const char *const others[] = { ".inf", ".Inf", ".INF", "+.inf",
		"+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN",
		".NAN", NULL };
	bool whole, leading_zero;

	*ret = NULL;
	if (one_of(s, nulls))
		*ret = json_null();
	else if (one_of(s, trues))
		*ret = json_true();
	else if (one_of(s, falses))
		*ret = json_false();
	else if (one_of(s, others))
		return bad_at(r, ev, "infinity and NaN have no place here");
	else if (looks_number(s, &whole, &leading_zero)) {
		if (whole && leading_zero)
			return bad_at(r, ev,
			    "an integer with leading zeros: quote it if it is "
			    "text, write it without them if it is a number");
		return number(r, ev, s, whole, ret);
	} else
		*ret = json_string(s);
	return *ret != NULL ? 0 : bad_at(r, ev, "text that is not UTF-8");
}

/* What nothing here may have: anchors, tags, NUL. */
static int
scalar_check(struct reader *r, const yaml_event_t *ev)
{
	if (ev->data.scalar.anchor != NULL)
		return bad_at(r, ev, "anchors are not taken here");
	if (ev->data.scalar.tag != NULL)
		return bad_at(r, ev, "tags are not taken here");
	if (memchr(ev->data.scalar.value, '\0', ev->data.scalar.length) != NULL)
		return bad_at(r, ev, "text with a NUL");
	return 0;
}

static int
scalar(struct reader *r, const yaml_event_t *ev, json_t **ret)
{
	const char *s = (const char *)ev->data.scalar.value;

	if (scalar_check(r, ev) != 0)
		return -1;
	if (ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return plain(r, ev, s, ret);
	*ret = json_stringn(s, ev->data.scalar.length);
	return *ret != NULL ? 0 : bad_at(r, ev, "text that is not UTF-8");
}

static int node(struct reader *, const yaml_event_t *, int depth, json_t **);

/* The value after a key or in a list: its first event is still to come. */
static int
child(struct reader *r, int depth, json_t **ret)
{
	yaml_event_t ev;
	int rc;

	if (next(r, &ev) != 0)
		return -1;
	rc = node(r, &ev, depth, ret);
	yaml_event_delete(&ev);
	return rc;
}

/* A key and its value into ${object}. */
static int
member(struct reader *r, const yaml_event_t *ev, int depth, json_t *object)
{
	const char *key = (const char *)ev->data.scalar.value;
	json_t *v;
	size_t back;
	int rc;

	if (ev->type == YAML_ALIAS_EVENT)
		return bad_at(r, ev, "aliases are not taken here");
	if (ev->type != YAML_SCALAR_EVENT)
		return bad_at(r, ev, "a key that is not text");
	if (scalar_check(r, ev) != 0)
		return -1;
	if (*key == '\0')
		return bad_at(r, ev, "an empty key");
	if (json_object_get(object, key) != NULL)
		return bad_at(r, ev, "a key that stands here twice");
	back = pointer_down(r, key);
	note_line(r, ev);
	rc = child(r, depth + 1, &v);
	pointer_up(r, back);
	if (rc == 0 && json_object_set_new(object, key, v) != 0)
		rc = bad_at(r, ev, "a key that is not UTF-8");
	return rc;
}

static int
mapping(struct reader *r, int depth, json_t **ret)
{
	json_auto_t *object = json_object();
	yaml_event_t ev;
	bool end;
	int rc;

	for (;;) {
		if (next(r, &ev) != 0)
			return -1;
		end = ev.type == YAML_MAPPING_END_EVENT;
		rc = end ? 0 : member(r, &ev, depth, object);
		yaml_event_delete(&ev);
		if (rc != 0)
			return -1;
		if (end)
			break;
	}
	*ret = json_incref(object);
	return 0;
}

static int
sequence(struct reader *r, int depth, json_t **ret)
{
	json_auto_t *array = json_array();
	yaml_event_t ev;
	json_t *v;
	char part[24];
	size_t back;
	bool end;
	int rc;

	for (;;) {
		if (next(r, &ev) != 0)
			return -1;
		end = ev.type == YAML_SEQUENCE_END_EVENT;
		rc = 0;
		if (!end) {
			snprintf(
			    part, sizeof(part), "%zu", json_array_size(array));
			back = pointer_down(r, part);
			note_line(r, &ev);
			rc = node(r, &ev, depth + 1, &v);
			pointer_up(r, back);
			if (rc == 0)
				json_array_append_new(array, v);
		}
		yaml_event_delete(&ev);
		if (rc != 0)
			return -1;
		if (end)
			break;
	}
	*ret = json_incref(array);
	return 0;
}

static int
node(struct reader *r, const yaml_event_t *ev, int depth, json_t **ret)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (depth > DEPTH_MAX)
		return bad_at(r, ev, "nested deeper than 32");
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return scalar(r, ev, ret);
	case YAML_ALIAS_EVENT:
		return bad_at(r, ev, "aliases are not taken here");
	case YAML_MAPPING_START_EVENT:
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
		break;
	default:
		return bad_at(r, ev, "a value was expected");
	}
	if (anchor != NULL)
		return bad_at(r, ev, "anchors are not taken here");
	if (tag != NULL)
		return bad_at(r, ev, "tags are not taken here");
	return ev->type == YAML_MAPPING_START_EVENT ? mapping(r, depth, ret)
	                                            : sequence(r, depth, ret);
}

/* Read one event that must be of ${type}. */
static int
expect(struct reader *r, yaml_event_type_t type, const char *otherwise)
{
	yaml_event_t ev;
	int rc = 0;

	if (next(r, &ev) != 0)
		return -1;
	if (ev.type != type)
		rc = bad_at(r, &ev, otherwise);
	else if (type == YAML_DOCUMENT_START_EVENT &&
		 ev.data.document_start.tag_directives.start !=
		     ev.data.document_start.tag_directives.end)
		rc = bad_at(r, &ev, "tag directives are not taken here");
	yaml_event_delete(&ev);
	return rc;
}

int
agent_yaml_parse(const char *text, size_t len, const char *name, json_t **ret,
    json_t **lines, struct err *e)
{
	struct reader r = { .text = text, .len = len, .name = name, .e = e };
	json_t *v = NULL;
	int rc = -1;

	if (len > AGENT_YAML_MAX)
		return err_set(e, ERR_MALFORMED, "%s:1: more than %zu KiB",
		    name, AGENT_YAML_MAX / 1024);
	if (!yaml_parser_initialize(&r.parser))
		return err_set(e, ERR_INTERNAL, "%s: out of memory", name);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &r.parser, (const unsigned char *)text, len);
	r.lines = json_object();
	if (expect(&r, YAML_STREAM_START_EVENT, "no text") == 0 &&
	    expect(&r, YAML_DOCUMENT_START_EVENT, "there is nothing in it") ==
		0 &&
	    child(&r, 1, &v) == 0 &&
	    expect(&r, YAML_DOCUMENT_END_EVENT, "more than one value") == 0 &&
	    expect(&r, YAML_STREAM_END_EVENT, "a second document") == 0)
		rc = 0;
	yaml_parser_delete(&r.parser);
	if (rc != 0) {
		json_decref(v);
		json_decref(r.lines);
		return -1;
	}
	*ret = v;
	*lines = r.lines;
	return 0;
}

int
agent_yaml_line(const json_t *lines, const char *pointer)
{
	char at[POINTER_MAX];
	const json_t *line;
	char *slash;

	snprintf(at, sizeof(at), "%s", pointer);
	for (;;) {
		line = json_object_get(lines, at);
		if (line != NULL)
			return (int)json_integer_value(line);
		slash = strrchr(at, '/');
		if (slash == NULL)
			return 1;
		*slash = '\0';
	}
}
