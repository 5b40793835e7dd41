/*
 * Mustache over JSON (mustache(5) and the specification's core, with blocks and
 * parents; no lambdas and no names made of data).  A set of templates is
 * compiled once and never changed: any thread may render it.  {{x}} escapes;
 * a strict set knows no way not to.
 */
#ifndef PAGE_MUSTACHE_H
#define PAGE_MUSTACHE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

struct mustache;

#define MUSTACHE_TEXT_MAX ((size_t)256 * 1024) /* bytes of a template */
#define MUSTACHE_NEST 32 /* sections in sections, and partials in partials */
#define MUSTACHE_NAME 64 /* bytes of a name, less one */

/*
 * An empty set below ${ctx}.  ${strict}: what is not escaped is refused, and so
 * is a tag that begins an attribute's value without a quote or stands inside of
 * <script> or <style>; a partial that is not there is an error.
 */
struct mustache *mustache_new(const void *ctx, bool strict);
/* Compile ${text} as ${name}.  0, or -1 with ERR_INVALID: "name:line: what". */
int mustache_add(struct mustache *, const char *name, const char *text,
    size_t n, struct err *e);
/* Is all that the templates name there?  Strict sets only; the last step. */
int mustache_check(const struct mustache *, struct err *e);
/*
 * Append ${name} with ${data} to ${out}.  0, or -1: ERR_NOT_FOUND (no such
 * template), ERR_INTERNAL (partials nested too deeply, more work than any page
 * is worth, or more output than ${out} takes).
 */
int mustache_render(const struct mustache *, const char *name,
    const json_t *data, struct buf *out, struct err *e);

#endif
