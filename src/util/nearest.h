/* The known name that a mistyped one was probably meant to be. */
#ifndef UTIL_NEAREST_H
#define UTIL_NEAREST_H

/* The one of ${names} (${n}) that is nearest to ${name}, NULL when none is
 * near enough to be meant. */
const char *nearest_name(const char *name, const char *const *names, int n);

#endif
