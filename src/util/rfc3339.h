/* Times as others write them; ours are written by util/clock.h. */
#ifndef UTIL_RFC3339_H
#define UTIL_RFC3339_H

#include <stdint.h>

/* An RFC 3339 date-time, 1970 and later, in any zone, to microseconds since
 * 1970; what is finer is cut off.  0, or -1 when ${text} is none (a leap
 * second is none either) and *us is untouched. */
int rfc3339_read(const char *text, int64_t *us);

#endif
