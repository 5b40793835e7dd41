/* What the compiler of templates makes and the renderer walks. */
#ifndef PAGE_MUSTACHE_PRIV_H
#define PAGE_MUSTACHE_PRIV_H

#include "page/mustache.h"

enum node_kind {
	NODE_TEXT,
	NODE_LINE, /* a line begins here: what a partial is indented by */
	NODE_NAME, /* escaped */
	NODE_RAW,
	NODE_SECTION,
	NODE_INVERTED,
	NODE_PARTIAL,
	NODE_PARENT, /* a partial; its blocks stand for the partial's */
	NODE_BLOCK,
};

struct node {
	enum node_kind kind;
	int line;
	const char *text; /* a name, or text */
	size_t len;
	const char *indent; /* NODE_PARTIAL, NODE_PARENT */
	struct node *child, *next;
};

struct template
{
	const char *name, *text;
	size_t len;
	struct node *body;
	struct template *next;
};

struct mustache {
	bool strict;
	struct template *first;
};

/* Parse t->text into t->body. */
int mustache_parse(struct mustache *, struct template *t, struct err *e);
/* NULL: none. */
const struct template *mustache_find(
    const struct mustache *, const char *name, size_t n);

#endif
