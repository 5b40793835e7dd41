/*
 * The master keys of the installation.  They stand in a file (or in the
 * environment): one key in hexadecimal, or, while keys are exchanged, several
 * lines "key HEX", of which the first is in use and the others still open what
 * was made with them.  A key's id follows from the key.  The keys themselves
 * lie in locked memory.
 */
#ifndef SECRET_KEYRING_H
#define SECRET_KEYRING_H

#include <stdbool.h>

#include "util/err.h"

#define KEYRING_MOST 4
#define KEYRING_ID 17 /* 16 hex digits and a NUL */

struct keyring;

/*
 * Take the master keys from ${text} (separated by commas or lines) instead of a
 * file from now on; NULL: nothing changes.  The text must live on.  Once,
 * before threads.
 */
void keyring_given(const char *text);
/* Do the keys come from there? */
bool keyring_is_given(void);

/* Read ${file}.  ERR_INTERNAL: it is missing, others can read it, it is no
 * hexadecimal, a key has fewer than 32 bytes.  Freed with keyring_free(). */
int keyring_read(const char *file, struct keyring **ret, struct err *e);
void keyring_free(struct keyring *);
/* Has the file changed since it was read? */
bool keyring_stale(const struct keyring *);

int keyring_count(const struct keyring *);
/* The id of the ${i}th; 0 is the one in use. */
const char *keyring_id(const struct keyring *, int i);
/* Where ${id} is, or -1. */
int keyring_find(const struct keyring *, const char *id);
/* The key that derives from the ${i}th for a purpose (purpose.h). */
void keyring_derive(
    const struct keyring *, int i, const char *purpose, unsigned char out[32]);

/* Write the file anew, as a whole and for good, with the mode and owner it had:
 * with a new key in front of all, or with those keys of the ring only whose bit
 * is set in ${keep} (the first stays in any case). */
int keyring_add(const char *file, struct err *e);
int keyring_keep(const struct keyring *, unsigned keep, struct err *e);

#endif
