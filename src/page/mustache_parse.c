/*
 * Two passes: the text becomes pieces (text, at most a line each, and tags), in
 * which tags that have a line to themselves take it with them; the pieces
 * become a tree.
 */
#include <string.h>
#include <strings.h>

#include "page/mustache_priv.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define DELIMITER 8 /* bytes of one, at most */
#define SPACE " \t\r\n"

/* kind: of the tag, '=' and '!' too; 't' text, 'n' a name, '&' raw. */
struct piece {
	char kind;
	bool gone; /* of a line that a tag has to itself */
	bool line; /* begins a line that stays */
	int at;    /* line number */
	const char *text, *indent;
	size_t len, indent_len;
};

struct parser {
	const struct template *t;
	bool strict;
	const char *p, *end;
	int line;
	char open[DELIMITER + 1], close[DELIMITER + 1];
	struct piece *piece;
	size_t n, room, at;
	const void *ctx;
	struct err *e;
};

static int
wrong(const struct parser *p, int line, const char *what)
{
	return err_set(p->e, ERR_INVALID, "%s:%d: %s", p->t->name, line, what);
}

static struct piece *
add(struct parser *p, char kind, const char *text, size_t len)
{
	struct piece *more;

	if (p->n == p->room) {
		p->room = p->room == 0 ? 64 : 2 * p->room;
		more = mem_array(p->ctx, struct piece, p->room);
		if (p->n > 0)
			memcpy(more, p->piece, p->n * sizeof(*more));
		mem_free(p->piece);
		p->piece = more;
	}
	p->piece[p->n] = (struct piece){
		.kind = kind, .at = p->line, .text = text, .len = len
	};
	return &p->piece[p->n++];
}

static int
count_lines(const char *s, size_t n)
{
	int lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += s[i] == '\n';
	return lines;
}

static void
add_text(struct parser *p, const char *stop)
{
	while (p->p < stop) {
		const char *nl = memchr(p->p, '\n', (size_t)(stop - p->p));
		const char *to = nl != NULL ? nl + 1 : stop;

		add(p, 't', p->p, (size_t)(to - p->p));
		p->line += nl != NULL;
		p->p = to;
	}
}

static const char *
find(const char *s, const char *end, const char *what)
{
	return memmem(s, (size_t)(end - s), what, strlen(what));
}

static void
trim(const char **s, size_t *n)
{
	while (*n > 0 && strchr(SPACE, **s) != NULL) {
		(*s)++;
		(*n)--;
	}
	while (*n > 0 && strchr(SPACE, (*s)[*n - 1]) != NULL)
		(*n)--;
}

/* "{{=<% %>=}}": the text between the two "=". */
static int
set_delimiters(struct parser *p, const char *s, size_t n)
{
	size_t first = 0, gap;

	trim(&s, &n);
	while (first < n && strchr(SPACE, s[first]) == NULL)
		first++;
	gap = first;
	while (gap < n && strchr(SPACE, s[gap]) != NULL)
		gap++;
	if (first == 0 || first > DELIMITER || n - gap == 0 ||
	    n - gap > DELIMITER || memchr(s, '=', n) != NULL)
		return wrong(p, p->line, "these are no two delimiters");
	for (size_t i = gap; i < n; i++)
		if (strchr(SPACE, s[i]) != NULL)
			return wrong(p, p->line, "these are no two delimiters");
	memcpy(p->open, s, first);
	p->open[first] = '\0';
	memcpy(p->close, s + gap, n - gap);
	p->close[n - gap] = '\0';
	return 0;
}

static bool
name_good(const char *s, size_t n)
{
	if (n == 0 || n >= MUSTACHE_NAME)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strchr(SPACE, s[i]) != NULL || s[i] == '\0')
			return false;
	return (n == 1 && *s == '.') ||
	       (*s != '.' && s[n - 1] != '.' && memmem(s, n, "..", 2) == NULL);
}

/* What ends a tag that begins with ${kind}. */
static const char *
tag_end(const struct parser *p, char kind, const char *s, char end[16])
{
	char *to = end;

	if (kind == '{')
		*to++ = '}';
	if (kind == '=')
		*to++ = '=';
	memcpy(to, p->close, strlen(p->close) + 1);
	return find(s, p->end, end);
}

static int
add_tag(struct parser *p)
{
	const char *s = p->p + strlen(p->open), *stop, *name;
	char kind, end[16];
	size_t n;
	int line = p->line;

	while (s < p->end && strchr(SPACE, *s) != NULL)
		s++;
	kind = s < p->end && strchr("#^/>!=&{<$*", *s) != NULL ? *s++ : 'n';
	stop = tag_end(p, kind, s, end);
	if (stop == NULL)
		return wrong(p, line, "a tag without an end");
	name = s;
	n = (size_t)(stop - s);
	p->line += count_lines(p->p, (size_t)(stop - p->p));
	p->p = stop + strlen(end);
	if (kind == '=' && set_delimiters(p, name, n) != 0)
		return -1;
	trim(&name, &n);
	if (kind == '{')
		kind = '&';
	if (kind == '*' ||
	    (strchr("><", kind) != NULL && n > 0 && *name == '*'))
		return wrong(p, line, "names made of data are not known here");
	if (strchr("!=", kind) == NULL && !name_good(name, n))
		return wrong(p, line, "this is no name");
	if (p->strict && kind == '&')
		return wrong(p, line, "everything is to be escaped here");
	add(p, kind, name, n)->at = line;
	return 0;
}

static int
split(struct parser *p)
{
	while (p->p < p->end) {
		const char *tag = find(p->p, p->end, p->open);

		add_text(p, tag != NULL ? tag : p->end);
		if (tag != NULL && add_tag(p) != 0)
			return -1;
	}
	return 0;
}

static bool
blank(const struct piece *x)
{
	for (size_t i = 0; i < x->len; i++)
		if (strchr(SPACE, x->text[i]) == NULL)
			return false;
	return true;
}

/*
 * Does the line of pieces [a, b) vanish?  When it is blank but for one tag that
 * prints nothing itself, or but for parents and blocks that begin or end on it.
 */
static bool
vanishes(const struct parser *p, size_t a, size_t b)
{
	size_t tags = 0, frames = 0;

	for (size_t i = a; i < b; i++) {
		const struct piece *x = &p->piece[i];

		if (x->kind == 't') {
			if (!blank(x))
				return false;
			continue;
		}
		if (strchr("#^/>!=<$", x->kind) == NULL)
			return false;
		tags++;
		frames += strchr("<$/", x->kind) != NULL;
	}
	return tags == 1 || (tags > 1 && tags == frames);
}

static void
do_line(struct parser *p, size_t a, size_t b)
{
	const struct piece *first = &p->piece[a];

	if (!vanishes(p, a, b)) {
		/* an empty line stays empty */
		p->piece[a].line = first->kind != 't' || *first->text != '\n';
		return;
	}
	for (size_t i = a; i < b; i++) {
		struct piece *x = &p->piece[i];

		if (x->kind == 't')
			x->gone = true;
		else if (first->kind == 't' && i == a + 1) {
			x->indent = first->text;
			x->indent_len = first->len;
		}
	}
}

static void
do_lines(struct parser *p)
{
	size_t a = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct piece *x = &p->piece[i];

		if (x->kind == 't' && x->len > 0 &&
		    x->text[x->len - 1] == '\n') {
			do_line(p, a, i + 1);
			a = i + 1;
		}
	}
	if (a < p->n)
		do_line(p, a, p->n);
}

/* Does the text end in what begins the address of a script? */
static bool
is_address(const struct piece *x)
{
	static const char begin[] = "<script src=\"";
	size_t n = sizeof(begin) - 1;

	return x != NULL && x->kind == 't' && x->len >= n &&
	       memcmp(x->text + x->len - n, begin, n) == 0;
}

/* A tag right behind "=", or in a script or style: nothing escapes it well. But
 * the address of a script is an attribute like others. */
static int
check_place(const struct parser *p)
{
	const char *inside = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct piece *x = &p->piece[i];
		const struct piece *before = i > 0 ? &p->piece[i - 1] : NULL;

		if (x->kind == 't') {
			for (size_t k = 0; k < x->len; k++) {
				if (strncasecmp(x->text + k, "<script", 7) == 0)
					inside = "in a script";
				if (strncasecmp(x->text + k, "<style", 6) == 0)
					inside = "in a style";
				if (strncasecmp(x->text + k, "</s", 3) == 0)
					inside = NULL;
			}
			continue;
		}
		if (x->kind != 'n')
			continue;
		if (inside != NULL && !is_address(before))
			return wrong(p, x->at,
			    "nothing is filled in here: a "
			    "script or a style");
		if (before != NULL && before->kind == 't' &&
		    before->text[before->len - 1] == '=')
			return wrong(
			    p, x->at, "an attribute's value wants quotes");
	}
	return 0;
}

static struct node *
node_new(const struct parser *p, enum node_kind kind, const struct piece *x)
{
	struct node *n = mem_new(p->t, struct node);

	n->kind = kind;
	n->line = x->at;
	n->text = x->text;
	n->len = x->len;
	n->indent = mem_strndup(n, x->indent != NULL ? x->indent : "",
	    x->indent != NULL ? x->indent_len : 0);
	return n;
}

static bool
kind_of(char c, enum node_kind *out)
{
	static const char chars[] = "tn&#^><$";
	static const enum node_kind kinds[] = { NODE_TEXT, NODE_NAME, NODE_RAW,
		NODE_SECTION, NODE_INVERTED, NODE_PARTIAL, NODE_PARENT,
		NODE_BLOCK };
	const char *found = strchr(chars, c);

	if (found == NULL)
		return false;
	*out = kinds[found - chars];
	return true;
}

/* Nodes until the end of ${in} (NULL: of the template). */
static int
build(struct parser *p, const struct piece *in, int depth, struct node **list)
{
	enum node_kind kind;

	if (depth > MUSTACHE_NEST)
		return wrong(p, in->at, "sections are nested too deeply");
	while (p->at < p->n) {
		const struct piece *x = &p->piece[p->at++];

		if (x->line) {
			*list = node_new(p, NODE_LINE, x);
			list = &(*list)->next;
		}
		if (x->kind == '/') {
			if (in != NULL && in->len == x->len &&
			    memcmp(in->text, x->text, x->len) == 0)
				return 0;
			return wrong(p, x->at,
			    in != NULL ? "this ends another section than the "
					 "one that is open"
				       : "this ends a section that nothing "
					 "began");
		}
		if (x->gone || !kind_of(x->kind, &kind))
			continue;
		*list = node_new(p, kind, x);
		if (strchr("#^<$", x->kind) != NULL &&
		    build(p, x, depth + 1, &(*list)->child) != 0)
			return -1;
		list = &(*list)->next;
	}
	return in == NULL ? 0 : wrong(p, in->at, "a section without an end");
}

int
mustache_parse(struct mustache *m, struct template *t, struct err *e)
{
	struct parser p = { .t = t,
		.strict = m->strict,
		.p = t->text,
		.end = t->text + t->len,
		.line = 1,
		.open = "{{",
		.close = "}}",
		.ctx = mem_root("mustache"),
		.e = e };
	int rc = split(&p);

	if (rc == 0 && m->strict)
		rc = check_place(&p);
	if (rc == 0) {
		do_lines(&p);
		rc = build(&p, NULL, 0, &t->body);
	}
	mem_free((void *)(uintptr_t)p.ctx);
	return rc;
}
