/*
 * A browser that stays signed in.  Its cookie holds two things: a token of
 * minutes that proves itself without a query (auth/token.h, of a type of its
 * own), and behind it a secret, of which the hash is stored, that gives the
 * next one.  The secret is replaced whenever something about the person has
 * changed, and one that was replaced is no longer good: who shows it later
 * ends the sign-in, for then two hold it.
 *
 * For the admin workers: the pool is sb_admin's.  Any thread.
 */
#ifndef AUTH_BROWSER_H
#define AUTH_BROWSER_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/sign_in.h"
#include "auth/token.h"
#include "util/err.h"
#include "util/id.h"

/* A secret as text, with the version of the person's tokens in it. */
#define BROWSER_SECRET 72
/* How long a replaced secret is still taken, from requests that were on their
 * way. */
#define BROWSER_GRACE 10

struct browser {
	struct token token;
	char secret[BROWSER_SECRET]; /* "": the browser keeps the one it has */
	bool late; /* and its cookie too: another answer has replaced it */
};

/*
 * Begin a sign-in of ${who->user}, who has proven to be her.  ${who->version}:
 * of her tokens, when she did (0: whatever it is now); ${who->factor}: by a
 * second factor, too.  ERR_UNKNOWN: disabled, or not of that version any more.
 */
int browser_new(struct db_pool *, const struct token *who,
    const struct sign_in_from *, int64_t refresh_s, int64_t deadline,
    struct browser *out, struct err *e);
/*
 * What ${secret} stands for now.  ${anew}: replace it in any case.
 * ERR_UNKNOWN: it is not good; one that was used before ends its sign-in and
 * all tokens of the person.
 */
int browser_renew(struct db_pool *, const char *secret, bool anew,
    int64_t refresh_s, int64_t deadline, struct browser *out, struct err *e);

/* The cookie's value, below ctx, for ${seconds} without a query. */
int browser_cookie(struct tokens *, const struct browser *, const char *secret,
    int64_t seconds, const void *ctx, char **ret, struct err *e);
/* The two parts of a cookie's value, below ctx; 0 or -1. */
int browser_parts(
    const void *ctx, const char *value, char **token, char **secret);

#endif
