/* Memory for secrets: neither swapped nor dumped where the system lets us,
 * between pages that nobody may touch, wiped when it is freed. */
#ifndef CRYPTO_LOCKED_H
#define CRYPTO_LOCKED_H

#include <stddef.h>

/* ${n} zeroed bytes, never NULL; some pages each, so for few or large ones. */
void *crypto_locked(size_t n);
/* NULL does nothing. */
void crypto_locked_free(void *);

#endif
