/*
 * Between the password and the second factor: what says that the first was
 * right, for a browser to bring back with the code.  It is signed, good for
 * minutes and a few tries, and worth nothing without the code.
 */
#ifndef AUTH_CHALLENGE_H
#define AUTH_CHALLENGE_H

#include <stdint.h>

#include "auth/token.h"

#define CHALLENGE_SECONDS 300
#define CHALLENGE_TRIES 5

struct challenge {
	struct token token; /* user and version */
	char name[32];      /* of this one, to count its tries by */
	char email[256];
};

/* As text for a cookie, below ctx. */
char *challenge_make(const void *ctx, const struct token *, const char *email);
/* 0, or -1: not ours, or too old. */
int challenge_read(const char *text, struct challenge *out);

#endif
