/*
 * What a form of ours carries, so that no other site can send one in a person's
 * name (ROBUSTNESS C9): a random number and a MAC over it and what the form is
 * bound to, the sign-in or, before there is one, a cookie.  Each is another
 * text, so that no compressed page gives it away; there is nothing to store.
 */
#ifndef AUTH_FORM_TOKEN_H
#define AUTH_FORM_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

#define FORM_TOKEN_TEXT 65
/* Bytes that a token may be bound to. */
#define FORM_TOKEN_BOUND 64

/* Derive the keys from the master key file; before threads. 0 or -1. */
int form_token_setup(const char *master_key_file, struct err *e);
/* For ${bound}[0..${n}), at most FORM_TOKEN_BOUND bytes. */
void form_token_make(const void *bound, size_t n, char out[FORM_TOKEN_TEXT]);
/* Is ${text} (NULL: no) one of ours for exactly that?  Any thread. */
bool form_token_check(const char *text, const void *bound, size_t n);

#endif
