/* The pages' templates, their style sheet and their script, read from a folder
 * once and never changed. */
#ifndef PAGE_PAGES_H
#define PAGE_PAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

struct pages;

/*
 * Read *.html, site.css and passkey.js of ${dir}.  0 with *ret, to be freed
 * with pages_free(); -1 with ERR_INVALID: what is missing, or
 * "DIR/name.html:line: what is wrong".
 */
int pages_load(const char *dir, struct pages **ret, struct err *e);
void pages_free(struct pages *); /* NULL does nothing */
/* Is a file of this name one of those that are read? */
bool pages_file(const char *name);

/* Append the page ${name} ("login") with ${data}; see mustache_render(). */
int pages_render(const struct pages *, const char *name, const json_t *data,
    struct buf *out, struct err *e);
/* "site-0123abcd.css": another name when another text. */
const char *pages_style_name(const struct pages *);
const char *pages_style(const struct pages *, size_t *len);
/* The same for the script of the pages with passkeys: "passkey-0123abcd.js". */
const char *pages_script_name(const struct pages *);
const char *pages_script(const struct pages *, size_t *len);

#endif
