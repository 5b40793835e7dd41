/* The pages' templates, their texts in each language, their style sheets and
 * scripts, read from a folder once and never changed. */
#ifndef PAGE_PAGES_H
#define PAGE_PAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "page/assets.h"
#include "util/buf.h"
#include "util/err.h"

struct pages;

/* Languages; the first one is what others fall back to. */
enum pages_lang { PAGES_EN, PAGES_DE, PAGES_LANGS };

/*
 * Read *.html, *.json, *.css and *.js of ${dir}.  0 with *ret, to be freed with
 * pages_free(); -1 with ERR_INVALID: what is missing, a text that one language
 * lacks, or "DIR/name.html:line: what is wrong".
 */
int pages_load(const char *dir, struct pages **ret, struct err *e);
void pages_free(struct pages *); /* NULL does nothing */
/* Is a file of this name one of those that are read? */
bool pages_file(const char *name);

/* Append the page ${name} ("login") with ${data}; see mustache_render(). */
int pages_render(const struct pages *, const char *name, const json_t *data,
    struct buf *out, struct err *e);

/* "en", "de"; and the language of such a word, -1: none of ours. */
const char *pages_lang_name(enum pages_lang);
int pages_lang_parse(const char *word, size_t n);
/* What Accept-Language (may be NULL) wants most of what there is; weights are
 * looked at (RFC 9110, 12.5.4). */
enum pages_lang pages_lang_wanted(const char *accept);
/* All texts of a language, an object of strings in objects; borrowed. */
json_t *pages_texts(const struct pages *, enum pages_lang);
/* One of them by its dotted name, "" when there is none. */
const char *pages_text(const struct pages *, enum pages_lang, const char *name);

/* {"site_css": "/assets/site-0123abcd.css", ...}; borrowed. */
json_t *pages_assets(const struct pages *);
/* By the name in such an address; NULL: none. */
const struct asset *pages_asset(const struct pages *, const char *name);

#endif
