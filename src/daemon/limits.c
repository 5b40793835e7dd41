/*
 * A stream in a worker takes up to four descriptors (its connection, the
 * provider's, the wait of that call, a name being looked up), a thread two
 * mappings (stack and guard page): util/limit.c counts.
 */
#include "daemon/limits.h"

#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "util/limit.h"

#include "util/banned.h"

#define NOFILE_WANTED 1048576

void
limits_setup(void)
{
	struct rlimit rl, none = { 0, 0 };

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		if (rl.rlim_cur == RLIM_INFINITY || rl.rlim_cur > NOFILE_WANTED)
			rl.rlim_cur = NOFILE_WANTED;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	setrlimit(RLIMIT_CORE, &none);
	limits_seal();
}

void
limits_seal(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

unsigned
limits_threads(unsigned threads, unsigned workers, const char **why)
{
	struct limit limit[LIMITS];
	long long n = threads;
	int i;

	*why = NULL;
	limit_read(0, 0, workers, limit);
	for (i = 0; i < LIMITS; i++)
		if (limit[i].threads < n) {
			n = limit[i].threads < 1 ? 1 : limit[i].threads;
			*why = limit[i].name;
		}
	return (unsigned)n;
}
