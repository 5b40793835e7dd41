/*
 * Markdown of answers to HTML that may stand in a page of ours: what
 * static/widget/markdown.js makes, for pages without scripts.  Every tag is one
 * of a few that are written here; all else is text, escaped.  Raw HTML is shown
 * as it was written, images are links, and links lead to https, http, mailto
 * and tel only.
 */
#ifndef PAGE_MARKDOWN_H
#define PAGE_MARKDOWN_H

#include <stddef.h>

#include "util/buf.h"

/* Append ${n} bytes as text in HTML. */
void markdown_escape(struct buf *, const char *p, size_t n);
/* Append ${text} as HTML.  Time is in proportion to the text, whatever it is;
 * memory below the buffer's context is given back. */
void markdown_html(struct buf *out, const char *text, size_t len);

#endif
