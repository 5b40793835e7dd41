/*
 * Access tokens: what a person who has signed in shows with each request.  A
 * JWT of ours, good for minutes, that names the person, her sign-in and the
 * version of her tokens; what she may do is not in it.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;
struct tokens;

struct token {
	struct uuid user, sign_in;
	uint32_t slot;    /* the person's, in shm/person.h */
	uint64_t version; /* her token_version when it was made */
	bool factor;      /* a second factor was shown at the sign-in */
};

/* Derives the root of the signing keys from the master key file; the pool must
 * outlive it.  Asks the database for nothing yet. */
int tokens_new(struct db_pool *, const char *master_key_file,
    struct tokens **ret, struct err *e);
void tokens_free(struct tokens *);
/* Read which signing keys there are: at the start and when the platform's
 * epoch has moved.  0, or -1 with ERR_UNAVAILABLE; what was known stays. */
int tokens_read(struct tokens *, int64_t deadline, struct err *e);

/* A token that ends in ${seconds}, talloc'd below ${ctx}; ERR_UNAVAILABLE
 * while no signing key is known. */
int token_make(struct tokens *, const struct token *, int64_t seconds,
    const void *ctx, char **ret, struct err *e);
/* Does ${text} look like one, so that no key is looked for? */
bool token_form(const char *text);
/*
 * 0 with *out when the token is ours, not too old, and of the newest version
 * anybody has heard of; ERR_UNKNOWN with one text for every other case.  No
 * query, except for a signing key that this process has not heard of, once a
 * second.  Any thread.
 */
int token_check(struct tokens *, const char *text, int64_t deadline,
    struct token *out, struct err *e);

/* The same for what stands in a browser's cookie: of another type, so that
 * neither is ever good for the other. */
int token_make_browser(struct tokens *, const struct token *, int64_t seconds,
    const void *ctx, char **ret, struct err *e);
int token_check_browser(struct tokens *, const char *text, int64_t deadline,
    struct token *out, struct err *e);

/* The first eight hex digits of the installation's id; ERR_UNAVAILABLE while
 * it has not been read. */
#define INSTALLATION_TEXT 9
int tokens_installation(
    struct tokens *, char out[INSTALLATION_TEXT], struct err *e);

#define SIGNING_KID 33
/* Make a new signing key, whose name goes to ${kid}; the others are good for an
 * hour more, or (${now}) no longer.  Needs sb_admin's pool. */
int tokens_rotate(struct db_pool *, bool now, int64_t deadline,
    char kid[SIGNING_KID], struct err *e);

/* Read whose tokens have ended and raise what is behind (shm/person.h): for the
 * listener, when it has begun to hear. */
int person_read_all(struct db_pool *, int64_t deadline, struct err *e);

/* A refresh token: 256 random bits as text, and the hash that is stored. */
#define REFRESH_TEXT 56
void refresh_make(char text[REFRESH_TEXT], unsigned char hash[32]);
/* 0, or -1 when ${text} cannot be one. */
int refresh_hash(const char *text, unsigned char hash[32]);

#endif
