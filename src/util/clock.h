/* Time.  Deadlines are absolute, monotonic nanoseconds; 0 means none. */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

#define CLOCK_MS INT64_C(1000000)
#define CLOCK_S INT64_C(1000000000)

int64_t clock_mono(void);    /* ns, CLOCK_MONOTONIC: one for all processes */
int64_t clock_wall_us(void); /* us since 1970 */
/* ms until ${deadline}, rounded up, 0 when past; ${cap} ms at the most. */
int clock_left_ms(int64_t deadline, int cap);
/* RFC 3339 UTC with milliseconds, "2026-11-22T03:04:05.678Z". */
#define CLOCK_RFC3339_SIZE 32
void clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_SIZE]);

#endif
