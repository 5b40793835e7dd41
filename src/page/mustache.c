/*
 * Rendering: a stack of values, outermost first, and of the blocks that parents
 * have been given.  Every loop is bounded: by the depth, by a number of steps,
 * by the output's size.
 */
#include "page/mustache.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "page/mustache_priv.h"
#include "util/mem.h"

#include "util/banned.h"

/* Sections, blocks and partials that are open at once; a request's thread has
 * a small stack. */
#define STACK 128
#define STEPS 2000000

/* What a parent was given; the outermost word counts. */
struct frame {
	const struct frame *outer;
	const struct node *blocks;
};

/* The indentation of the partials that are open, the outermost first. */
struct margin {
	const struct margin *outer;
	const char *text;
};

struct render {
	const struct mustache *m;
	const json_t *stack[STACK];
	int depth, level;
	long steps;
	struct buf *out;
	struct err *e;
};

static int nodes(struct render *r, const struct node *n,
    const struct frame *frame, const struct margin *margin);

struct mustache *
mustache_new(const void *ctx, bool strict)
{
	struct mustache *m = mem_new(ctx, struct mustache);

	m->strict = strict;
	return m;
}

const struct template *
mustache_find(const struct mustache *m, const char *name, size_t n)
{
	for (const struct template *t = m->first; t != NULL; t = t->next)
		if (strlen(t->name) == n && memcmp(t->name, name, n) == 0)
			return t;
	return NULL;
}

int
mustache_add(struct mustache *m, const char *name, const char *text, size_t n,
    struct err *e)
{
	struct template *t;

	if (n > MUSTACHE_TEXT_MAX || memchr(text, '\0', n) != NULL)
		return err_set(e, ERR_INVALID,
		    "%s:1: longer than %zu bytes, or no text", name,
		    MUSTACHE_TEXT_MAX);
	t = mem_new(m, struct template);
	t->name = mem_strdup(t, name);
	t->text = mem_strndup(t, text, n);
	t->len = n;
	if (mustache_parse(m, t, e) != 0) {
		mem_free(t);
		return -1;
	}
	t->next = m->first;
	m->first = t;
	return 0;
}

static int
check(const struct mustache *m, const struct template *t, const struct node *n,
    struct err *e)
{
	for (; n != NULL; n = n->next) {
		if ((n->kind == NODE_PARTIAL || n->kind == NODE_PARENT) &&
		    mustache_find(m, n->text, n->len) == NULL)
			return err_set(e, ERR_INVALID,
			    "%s:%d: there is no template %.*s", t->name,
			    n->line, (int)n->len, n->text);
		if (check(m, t, n->child, e) != 0)
			return -1;
	}
	return 0;
}

int
mustache_check(const struct mustache *m, struct err *e)
{
	for (const struct template *t = m->first; t != NULL; t = t->next)
		if (m->strict && check(m, t, t->body, e) != 0)
			return -1;
	return 0;
}

/* The member of ${v} that the first part of a dotted name means, and the rest
 * of the name. */
static const json_t *
member(const json_t *v, const char **name, size_t *n)
{
	const char *dot = memchr(*name, '.', *n);
	size_t len = dot != NULL ? (size_t)(dot - *name) : *n;
	char key[MUSTACHE_NAME];

	memcpy(key, *name, len);
	key[len] = '\0';
	*name += len + (dot != NULL);
	*n -= len + (dot != NULL);
	return json_object_get(v, key);
}

/* The first part is looked for from the innermost value out, the others in it
 * alone. */
static const json_t *
look_up(const struct render *r, const char *name, size_t n)
{
	const json_t *v = NULL;

	if (n == 1 && *name == '.')
		return r->stack[r->depth - 1];
	for (int i = r->depth - 1; i >= 0 && v == NULL; i--) {
		const char *rest = name;
		size_t len = n;

		v = member(r->stack[i], &rest, &len);
		if (v == NULL)
			continue;
		while (v != NULL && len > 0)
			v = member(v, &rest, &len);
		return v;
	}
	return NULL;
}

static bool
truthy(const json_t *v)
{
	if (v == NULL || json_is_null(v) || json_is_false(v))
		return false;
	if (json_is_array(v))
		return json_array_size(v) > 0;
	return !json_is_string(v) || json_string_length(v) > 0;
}

static void
escape(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		switch (s[i]) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '"':
			buf_adds(out, "&quot;");
			break;
		case '\'':
			buf_adds(out, "&#39;");
			break;
		default:
			buf_addc(out, s[i]);
		}
	}
}

static void
value(struct render *r, const json_t *v, bool raw)
{
	char number[40];

	if (json_is_string(v)) {
		if (raw)
			buf_add(r->out, json_string_value(v),
			    json_string_length(v));
		else
			escape(r->out, json_string_value(v),
			    json_string_length(v));
		return;
	}
	number[0] = '\0';
	if (json_is_integer(v))
		snprintf(number, sizeof(number), "%lld",
		    (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(number, sizeof(number), "%.15g", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(number, sizeof(number), "%s",
		    json_is_true(v) ? "true" : "false");
	buf_adds(r->out, number);
}

static void
indent(struct render *r, const struct margin *margin)
{
	if (margin == NULL)
		return;
	indent(r, margin->outer);
	buf_adds(r->out, margin->text);
}

static int
push(struct render *r, const json_t *v, const struct node *n,
    const struct frame *frame, const struct margin *margin)
{
	int rc;

	r->stack[r->depth++] = v;
	rc = nodes(r, n->child, frame, margin);
	r->depth--;
	return rc;
}

static int
section(struct render *r, const struct node *n, const struct frame *frame,
    const struct margin *margin)
{
	const json_t *v = look_up(r, n->text, n->len);

	if (n->kind == NODE_INVERTED)
		return truthy(v) ? 0 : nodes(r, n->child, frame, margin);
	if (!truthy(v))
		return 0;
	if (!json_is_array(v))
		return push(r, v, n, frame, margin);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (push(r, json_array_get(v, i), n, frame, margin) != 0)
			return -1;
	return 0;
}

static int
partial(struct render *r, const struct node *n, const struct frame *frame,
    const struct margin *margin)
{
	const struct template *t = mustache_find(r->m, n->text, n->len);
	const struct frame given = { frame, n->child };
	const struct margin inner = { margin, n->indent };

	if (t == NULL)
		return 0;
	return nodes(
	    r, t->body, n->kind == NODE_PARENT ? &given : frame, &inner);
}

/* The outermost parent's word for a block, in what was around it there; else
 * the block's own. */
static int
block(struct render *r, const struct node *own, const struct frame *frame,
    const struct margin *margin)
{
	const struct node *found = own->child;
	const struct frame *in = frame;

	for (const struct frame *f = frame; f != NULL; f = f->outer)
		for (const struct node *b = f->blocks; b != NULL; b = b->next)
			if (b->kind == NODE_BLOCK && b->len == own->len &&
			    memcmp(b->text, own->text, b->len) == 0) {
				found = b->child;
				in = f->outer;
			}
	return nodes(r, found, in, margin);
}

static int
one(struct render *r, const struct node *n, const struct frame *frame,
    const struct margin *margin)
{
	switch (n->kind) {
	case NODE_TEXT:
		buf_add(r->out, n->text, n->len);
		return 0;
	case NODE_LINE:
		indent(r, margin);
		return 0;
	case NODE_NAME:
	case NODE_RAW:
		value(r, look_up(r, n->text, n->len), n->kind == NODE_RAW);
		return 0;
	case NODE_SECTION:
	case NODE_INVERTED:
		return section(r, n, frame, margin);
	case NODE_PARTIAL:
	case NODE_PARENT:
		return partial(r, n, frame, margin);
	case NODE_BLOCK:
		return block(r, n, frame, margin);
	}
	return 0;
}

static int
nodes(struct render *r, const struct node *n, const struct frame *frame,
    const struct margin *margin)
{
	int rc = 0;

	if (++r->level >= STACK)
		return err_set(r->e, ERR_INTERNAL,
		    "sections or partials are nested too deeply");
	for (; rc == 0 && n != NULL; n = n->next)
		rc = --r->steps >= 0
		         ? one(r, n, frame, margin)
		         : err_set(r->e, ERR_INTERNAL,
			       "this page is more work than any is worth");
	r->level--;
	return rc;
}

int
mustache_render(const struct mustache *m, const char *name, const json_t *data,
    struct buf *out, struct err *e)
{
	const struct template *t = mustache_find(m, name, strlen(name));
	struct render *r;
	int rc;

	if (t == NULL)
		return err_set(
		    e, ERR_NOT_FOUND, "there is no template %s", name);
	r = mem_new(NULL, struct render);
	r->m = m;
	r->steps = STEPS;
	r->out = out;
	r->e = e;
	r->stack[r->depth++] = data;
	rc = nodes(r, t->body, NULL, NULL);
	mem_free(r);
	if (rc == 0 && buf_failed(out))
		rc = err_set(e, ERR_INTERNAL, "%s: the page is too long", name);
	return rc;
}
