/* The texts of pages: a file for each language, "text.en.json". */
#ifndef PAGE_TEXTS_H
#define PAGE_TEXTS_H

#include <jansson.h>
#include <stdbool.h>

#include "page/pages.h"
#include "util/err.h"

/* Is a file of this name one? */
bool texts_file(const char *name);
/* Read them all.  Every language has exactly the texts of the first one, and
 * each is a string: 0, or -1 with ERR_INVALID. */
int texts_load(
    const void *ctx, const char *dir, json_t *out[PAGES_LANGS], struct err *e);
/* By its dotted name; "" when there is none. */
const char *texts_find(const json_t *texts, const char *name);

#endif
