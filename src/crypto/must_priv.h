/* For what can only fail for want of memory or of a library. */
#ifndef CRYPTO_MUST_PRIV_H
#define CRYPTO_MUST_PRIV_H

#include <stdbool.h>

/* Stop the process unless ${ok}: going on without the right bytes is no
 * choice. */
void crypto_must(bool ok);

#ifdef SB_ANALYSE
/* Analysers look into one file at a time: tell them that it does not return. */
#define crypto_must(ok) ((ok) ? (void)0 : __builtin_trap())
#endif

#endif
