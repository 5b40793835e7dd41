/* Clean-up at the end of a scope, for lives shorter than a request's. */
#ifndef UTIL_AUTO_H
#define UTIL_AUTO_H

#include <unistd.h>

static inline void
auto_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define auto_fd __attribute__((cleanup(auto_close_fd))) int

#endif
