/*
 * Widget tokens: what a page shows after it has shown a widget key once.  A JWT
 * of ours with a type of its own, good for one origin and some minutes.  It
 * holds no right: the widget key it came from is looked up at each use, so what
 * becomes of that becomes of its tokens.
 */
#ifndef AUTH_WIDGET_TOKEN_H
#define AUTH_WIDGET_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct tokens;

#define WIDGET_KEY_HASH 32
#define WIDGET_ORIGIN 301

struct widget_token {
	unsigned char key_hash[WIDGET_KEY_HASH]; /* of the widget key's text */
	char origin[WIDGET_ORIGIN];              /* its audience */
	/* who shows it, and the secret she was named with (auth/visitor.h);
	 * both nil: nobody in particular */
	struct uuid visitor, secret;
};

/* A token that ends in ${seconds}, talloc'd below ${ctx}; ERR_UNAVAILABLE while
 * no signing key is known. */
int widget_token_make(struct tokens *, const struct widget_token *,
    int64_t seconds, const void *ctx, char **ret, struct err *e);
/* Does ${text} call itself one? */
bool widget_token_form(const char *text);
/* 0 with *out when it is ours and not too old; ERR_UNKNOWN with one text for
 * every other case.  Queries as for token_check().  Any thread. */
int widget_token_check(struct tokens *, const char *text, int64_t deadline,
    struct widget_token *out, struct err *e);

#endif
