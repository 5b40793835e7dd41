/* Between blocks and what is within a line. */
#ifndef PAGE_MARKDOWN_PRIV_H
#define PAGE_MARKDOWN_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

#define MARKDOWN_DEPTH 12 /* of lists, quotes and emphasis in one another */

/* A line, or a part of one, of the text. */
struct piece {
	const char *p;
	size_t n;
};

/* Emphasis, code and links of a line; ${linked}: within a link. */
void markdown_inline(struct buf *, struct piece, int deep, bool linked);

#endif
