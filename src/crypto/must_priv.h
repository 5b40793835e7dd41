/* For what can only fail for want of memory or of a library. */
#ifndef CRYPTO_MUST_PRIV_H
#define CRYPTO_MUST_PRIV_H

#include <stdbool.h>

/* Stop the process unless ${ok}: going on without the right bytes is no
 * choice. */
void crypto_must(bool ok);

#endif
