/* The words of throttle.c, for its tests. */
#ifndef AUTH_THROTTLE_PRIV_H
#define AUTH_THROTTLE_PRIV_H

#define THROTTLE_WAYS 8
#define THROTTLE_SETS (1U << 16) /* of 8 words each, in each of two tables */

#endif
