/*
 * The limits are read from /proc, so that they can be those of another
 * process.  Beside its streams a worker has descriptors for a wake a process
 * slot, database, sockets and log; mappings for libraries, arenas and caches.
 */
#include "util/limit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/banned.h"

#define FDS_A_STREAM 5
#define FDS_OTHER 640
#define MAPS_A_THREAD 2
#define MAPS_OTHER 4096
#define TASKS_OTHER 256

/* A number; LLONG_MAX for "max", "unlimited" and what is none. */
static long long
number(const char *text)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	return end == text ? LLONG_MAX : n;
}

static long long
file_number(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[64];
	long long n = LLONG_MAX;

	if (f == NULL)
		return n;
	if (fgets(line, sizeof(line), f) != NULL)
		n = number(line);
	fclose(f);
	return n;
}

static FILE *
proc_open(pid_t pid, const char *name)
{
	char path[64];

	if (pid == 0)
		snprintf(path, sizeof(path), "/proc/self/%s", name);
	else
		snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	return fopen(path, "re");
}

/* "Max open files            1024                 524288               files"
 */
static long long
rlimit(pid_t pid, const char *name, int hard)
{
	FILE *f = proc_open(pid, "limits");
	char line[256], soft[32], most[32];
	long long n = LLONG_MAX;
	size_t len = strlen(name);

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, len) == 0 &&
		    sscanf(line + len, " %31s %31s", soft, most) == 2)
			n = number(hard ? most : soft);
	if (f != NULL)
		fclose(f);
	return n;
}

/* The effective user; RLIMIT_NPROC does not hold for root. */
static bool
is_root(pid_t pid)
{
	FILE *f = proc_open(pid, "status");
	char line[256], *end;
	long long effective = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Uid:", 4) == 0) {
			(void)strtoll(line + 4, &end, 10); /* the real one */
			effective = strtoll(end, NULL, 10);
		}
	if (f != NULL)
		fclose(f);
	return effective == 0;
}

/* pids.max of the control group (version 2, or version 1's own tree). */
static long long
cgroup_pids(pid_t pid)
{
	char line[1024], path[1200], *at;
	FILE *f = proc_open(pid, "cgroup");
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

static struct limit
limit(const char *name, long long value, long long other, long long each)
{
	struct limit l = { name, value, LLONG_MAX };

	if (value != LLONG_MAX)
		l.threads = value > other ? (value - other) / each : 0;
	return l;
}

void
limit_read(pid_t pid, int hard, unsigned workers, struct limit out[LIMITS])
{
	long long each = workers > 0 ? workers : 1;

	out[LIMIT_NOFILE] = limit("RLIMIT_NOFILE",
	    rlimit(pid, "Max open files", hard), FDS_OTHER, FDS_A_STREAM);
	out[LIMIT_NPROC] = limit("RLIMIT_NPROC",
	    is_root(pid) ? LLONG_MAX : rlimit(pid, "Max processes", hard),
	    TASKS_OTHER, each);
	out[LIMIT_CGROUP] =
	    limit("pids.max", cgroup_pids(pid), TASKS_OTHER, each);
	out[LIMIT_THREADS_MAX] = limit("kernel.threads-max",
	    file_number("/proc/sys/kernel/threads-max"), TASKS_OTHER, each);
	out[LIMIT_PID_MAX] = limit("kernel.pid_max",
	    file_number("/proc/sys/kernel/pid_max"), TASKS_OTHER, each);
	out[LIMIT_MAPS] =
	    limit("vm.max_map_count", file_number("/proc/sys/vm/max_map_count"),
		MAPS_OTHER, MAPS_A_THREAD);
}
