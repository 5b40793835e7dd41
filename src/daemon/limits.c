/*
 * A stream in a worker takes up to four descriptors (its connection, the
 * provider's, the wait of that call, a name being looked up), a thread two
 * mappings (stack and guard page).
 */
#include "daemon/limits.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/banned.h"

#define NOFILE_WANTED 1048576
#define FDS_A_STREAM 4
#define FDS_OTHER 640 /* a wake a process slot, database, sockets, log */
#define MAPS_A_THREAD 2
#define MAPS_OTHER 4096 /* libraries, arenas, caches */
#define TASKS_OTHER 256

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

/* The number in a file of /proc or /sys; LLONG_MAX when there is none. */
static long long
file_number(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[64], *end;
	long long n = LLONG_MAX;

	if (f == NULL)
		return n;
	if (fgets(line, sizeof(line), f) != NULL) {
		n = strtoll(line, &end, 10);
		if (end == line) /* "max" */
			n = LLONG_MAX;
	}
	fclose(f);
	return n;
}

/* pids.max of our control group (version 2, or version 1's own tree). */
static long long
cgroup_pids(void)
{
	char line[1024], path[1200], *at;
	FILE *f = fopen("/proc/self/cgroup", "re");
	long long n, least = LLONG_MAX;
	bool v1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		v1 = strstr(line, ":pids:") != NULL;
		at = strchr(line, '/');
		if (at == NULL || (!v1 && strncmp(line, "0::", 3) != 0))
			continue;
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s/pids.max",
		    v1 ? "/pids" : "", strcmp(at, "/") == 0 ? "" : at);
		n = file_number(path);
		if (n < least)
			least = n;
	}
	if (f != NULL)
		fclose(f);
	return least;
}

static void
cut(long long *have, long long limit, const char *name, const char **why)
{
	if (limit >= *have)
		return;
	*have = limit < 1 ? 1 : limit;
	*why = name;
}

unsigned
limits_threads(unsigned threads, unsigned workers, const char **why)
{
	long long n = threads, pids;
	struct rlimit rl;

	*why = NULL;
	if (workers < 1)
		workers = 1;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)
		cut(&n, ((long long)rl.rlim_cur - FDS_OTHER) / FDS_A_STREAM,
		    "RLIMIT_NOFILE", why);
	if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &rl) == 0 &&
	    rl.rlim_cur != RLIM_INFINITY)
		cut(&n, ((long long)rl.rlim_cur - TASKS_OTHER) / workers,
		    "RLIMIT_NPROC", why);
	pids = cgroup_pids();
	cut(&n, (pids - TASKS_OTHER) / workers, "pids.max", why);
	pids = file_number("/proc/sys/kernel/threads-max");
	cut(&n, (pids - TASKS_OTHER) / workers, "kernel.threads-max", why);
	pids = file_number("/proc/sys/kernel/pid_max");
	cut(&n, (pids - TASKS_OTHER) / workers, "kernel.pid_max", why);
	cut(&n,
	    (file_number("/proc/sys/vm/max_map_count") - MAPS_OTHER) /
		MAPS_A_THREAD,
	    "vm.max_map_count", why);
	return (unsigned)n;
}
