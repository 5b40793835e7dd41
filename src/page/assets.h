/*
 * What the pages load: style sheets and scripts, under names that change with
 * their text, so that browsers may keep them for ever.
 */
#ifndef PAGE_ASSETS_H
#define PAGE_ASSETS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

#define ASSET_MAX ((size_t)1024 * 1024) /* bytes of one */
#define ASSET_NAME 96

/* One form of an asset; data is NULL where there is none. */
struct asset_form {
	const char *data;
	size_t len;
};

struct asset {
	char name[ASSET_NAME]; /* "site-0123abcd.css" */
	const char *type;      /* media type */
	struct asset_form plain, gzip, br;
	struct asset *next;
};

/* Is a file of this name one, or one of its compressed forms
 * ("site-0123abcd.css.gz")? */
bool asset_file(const char *name);
/*
 * All of ${dir}, below ${ctx}.  Beside a file may lie what the build has
 * compressed of this very text: its name has the text's hash, so that one of
 * another text is never sent.  ${names} gets a member for each: "site_css" is
 * "/assets/site-0123abcd.css".  0, or -1 with ERR_INVALID.
 */
int assets_load(const void *ctx, const char *dir, struct asset **ret,
    json_t *names, struct err *e);
/* By its full name; NULL: none. */
const struct asset *assets_find(const struct asset *, const char *name);
/* Read ${path} into ${b}; ERR_INVALID says why not. */
int asset_read(const char *path, struct buf *b, struct err *e);

#endif
