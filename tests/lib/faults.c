/*
 * A library to preload that lets calls fail (ROBUSTNESS A20, A21); used by
 * tests/run-faults, which says what fails by the environment:
 *
 *	SB_FAULT_PROGRAM  the executable it is meant for; idle in all others
 *	SB_FAULT_TEXT     "from-to,from-to": where in the executable our own
 *	                  code lies; only calls made by it, directly or through
 *	                  a library, are counted: the tests' own succeed
 *	SB_FAULT_KIND     malloc: memory is gone; fail: a call has an error;
 *	                  intr: it is interrupted; short: it takes one byte
 *	SB_FAULT_PLACE    the place whose first call fails: a path of calls,
 *	                  the same in each run of the same executable
 *	SB_FAULT_FOREVER  set: and all that follow, from wherever
 *	SB_FAULT_TRACE    a file: nothing fails, and each place is written
 *	                  into it: its kind, its name, and where in the
 *	                  executable the path leads, innermost frame first
 *	SB_FAULT_SHOW     a file: where in the executable the call that
 *	                  failed came from, innermost frame first
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

#define RANGES 64
#define MODULES 64
#define FRAMES 24
#define PLACES (1 << 16)

enum kind { K_NONE, K_MALLOC, K_FAIL, K_INTR, K_SHORT, K_COUNT };
static const char *const names[] = { "", "malloc", "fail", "intr", "short" };

static struct range {
	uintptr_t from, to;
} ours[RANGES], program, /* its code */
    modules[MODULES];    /* all code there is when main() begins */
static int nours, nmodules;
static enum kind kind;
static uint64_t chosen; /* the place that fails */
static bool forever, ready;
static int trace_fd = -1, show_fd = -1;
static uintptr_t base;
static atomic_bool failed;               /* the chosen one has */
static _Atomic(uint64_t) places[PLACES]; /* hashes seen, open addressing */
static _Thread_local bool inside;        /* of this library */

/* What is asked for before this library has begun (AddressSanitizer, which is
 * behind it, may not have either) comes from here and is never freed. */
static char early[1 << 20] __attribute__((aligned(16)));
static size_t early_used;
static bool begun;

#define NEXT(name)                                                             \
	static __typeof__(&name) next;                                         \
	if (next == NULL)                                                      \
	next = (__typeof__(&name))next_of(#name)

static void *
next_of(const char *name)
{
	bool was = inside;
	void *p;

	inside = true;
	p = dlsym(RTLD_NEXT, name);
	inside = was;
	if (p == NULL)
		_exit(120);
	return p;
}

/* --- which calls -----------------------------------------------------------
 */

static int
module_look(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum && nmodules < MODULES; i++)
		if (info->dlpi_phdr[i].p_flags & PF_X)
			modules[nmodules++] = (struct range){
				info->dlpi_addr + info->dlpi_phdr[i].p_vaddr,
				info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
				    info->dlpi_phdr[i].p_memsz
			};
	if (program.to == 0) { /* the first is the executable */
		base = info->dlpi_addr;
		program = modules[0];
	}
	return 0;
}

static void
ranges_read(const char *text)
{
	char *end;

	dl_iterate_phdr(module_look, NULL);
	while (*text != '\0' && nours < RANGES) {
		ours[nours].from = base + strtoul(text, &end, 16);
		if (*end != '-')
			return;
		ours[nours++].to = base + strtoul(end + 1, &end, 16);
		text = *end == ',' ? end + 1 : end;
	}
}

static bool
within(const struct range *r, uintptr_t at)
{
	return at >= r->from && at < r->to;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *name = getenv("SB_FAULT_PROGRAM"), *s;
	char self[4096];
	ssize_t n;

	begun = true;
	inside = true;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (name == NULL || n < 0)
		return;
	self[n] = '\0';
	s = getenv("SB_FAULT_KIND");
	for (int i = 1; s != NULL && i <= K_SHORT; i++)
		if (strcmp(s, names[i]) == 0)
			kind = (enum kind)i;
	if (strcmp(self, name) != 0)
		return;
	if ((s = getenv("SB_FAULT_TEXT")) != NULL)
		ranges_read(s);
	if ((s = getenv("SB_FAULT_PLACE")) != NULL)
		chosen = strtoull(s, NULL, 16);
	forever = getenv("SB_FAULT_FOREVER") != NULL;
	if ((s = getenv("SB_FAULT_TRACE")) != NULL)
		trace_fd = open(s, O_WRONLY | O_APPEND | O_CLOEXEC);
	if ((s = getenv("SB_FAULT_SHOW")) != NULL)
		show_fd = open(s, O_WRONLY | O_APPEND | O_CLOEXEC);
	inside = false;
	ready = true;
}

/* Is this place new? */
static bool
place_new(uint64_t hash)
{
	for (size_t i = hash % PLACES, n = 0; n < 64;
	     i = (i + 1) % PLACES, n++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&places[i], &none, hash))
			return true;
		if (none == hash)
			return false;
	}
	return false;
}

struct trail {
	uintptr_t frame[FRAMES];
	int n;
};

static _Unwind_Reason_Code
trail_add(struct _Unwind_Context *c, void *arg)
{
	struct trail *t = arg;

	t->frame[t->n++] = _Unwind_GetIP(c);
	return t->n < FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/* An address as it is in each run, wherever the loader has put its module. */
static uintptr_t
steady(uintptr_t at)
{
	for (int i = 0; i < nmodules; i++)
		if (within(&modules[i], at))
			return at - modules[i].from + ((uintptr_t)i << 40);
	return 0;
}

/* Is the innermost frame of the executable ours?  Then *hash is the place of
 * the call, which is ${what}. */
static bool
by_us(struct trail *t, int what, uint64_t *hash)
{
	bool found = false;
	int deep = 0;

	t->n = 0;
	_Unwind_Backtrace(trail_add, t);
	*hash = (1469598103934665603u ^ (uint64_t)what) * 1099511628211u;
	for (int i = 2; i < t->n && deep < 6; i++) {
		uintptr_t at = t->frame[i];

		*hash = (*hash ^ steady(at)) * 1099511628211u;
		for (int k = 0; !found && k < nours; k++)
			found = within(&ours[k], at);
		if (!found && within(&program, at))
			return false; /* a test's own */
		deep += found;
	}
	return found;
}

static void
show(const struct trail *t)
{
	char line[32];

	for (int i = 2; i < t->n; i++)
		if (within(&program, t->frame[i]))
			(void)!write(show_fd, line,
			    (size_t)snprintf(line, sizeof(line), "%lx\n",
				t->frame[i] - base - 1));
	close(show_fd);
	show_fd = -1;
}

static void
trace(const struct trail *t, enum kind k, uint64_t hash)
{
	char line[64 + FRAMES * 20];
	int n = snprintf(line, sizeof(line), "%s %016llx", names[k],
	    (unsigned long long)hash);

	for (int i = 2; i < t->n; i++)
		if (within(&program, t->frame[i]))
			n += snprintf(line + n, sizeof(line) - (size_t)n,
			    " %lx", t->frame[i] - base - 1);
	line[n++] = '\n';
	(void)!write(trace_fd, line, (size_t)n);
}

/* Shall this call fail? */
static bool
fails(enum kind k, int what)
{
	bool yes = false, before = false;
	struct trail t;
	uint64_t hash;

	if (!ready || inside || nours == 0 || (trace_fd < 0 && k != kind) ||
	    (atomic_load(&failed) && !forever))
		return false;
	inside = true;
	if (by_us(&t, what, &hash)) {
		if (trace_fd >= 0 && place_new(hash + (uint64_t)k))
			trace(&t, k, hash);
		if (trace_fd < 0 && hash == chosen)
			yes = atomic_compare_exchange_strong(
			    &failed, &before, true);
		if (yes && show_fd >= 0)
			show(&t);
		yes = yes || (forever && atomic_load(&failed));
	}
	inside = false;
	return yes;
}

/* --- memory -----------------------------------------------------------------
 */

static bool
is_early(const void *p)
{
	return (const char *)p >= early &&
	       (const char *)p < early + sizeof(early);
}

static void *
early_alloc(size_t n)
{
	void *p = early + early_used;

	early_used += (n + 15) & ~(size_t)15;
	if (early_used > sizeof(early))
		_exit(121);
	return p;
}

void *
malloc(size_t n)
{
	if (!begun)
		return early_alloc(n);
	NEXT(malloc);
	if (fails(K_MALLOC, 1)) {
		errno = ENOMEM;
		return NULL;
	}
	return next(n);
}

void *
calloc(size_t n, size_t size)
{
	if (!begun)
		return early_alloc(n * size);
	NEXT(calloc);
	if (fails(K_MALLOC, 2)) {
		errno = ENOMEM;
		return NULL;
	}
	return next(n, size);
}

void *
realloc(void *p, size_t n)
{
	void *q;

	if (!begun || is_early(p)) {
		q = malloc(n);
		if (q != NULL && p != NULL) /* within early, whatever n is */
			memcpy(q, p,
			    (size_t)(early + early_used - (char *)p) < n
				? (size_t)(early + early_used - (char *)p)
				: n);
		return q;
	}
	NEXT(realloc);
	if (fails(K_MALLOC, 3)) {
		errno = ENOMEM;
		return NULL;
	}
	return next(p, n);
}

void
free(void *p)
{
	if (p == NULL || is_early(p))
		return;
	NEXT(free);
	next(p);
}

/* --- calls into the system ---------------------------------------------------
 */

#define FAIL(what, error)                                                      \
	do {                                                                   \
		if (fails(K_FAIL, what)) {                                     \
			errno = (error);                                       \
			return -1;                                             \
		}                                                              \
	} while (0)
#define INTR(what)                                                             \
	do {                                                                   \
		if (fails(K_INTR, what)) {                                     \
			errno = EINTR;                                         \
			return -1;                                             \
		}                                                              \
	} while (0)

/* Streams and files may take a part; an eventfd takes all or nothing. */
static size_t
shortened(int fd, size_t n, int what)
{
	struct stat st;

	if (n < 2 || !ready || inside || fstat(fd, &st) != 0)
		return n;
	if (!S_ISSOCK(st.st_mode) && !S_ISREG(st.st_mode) &&
	    !S_ISFIFO(st.st_mode))
		return n;
	return fails(K_SHORT, what) ? 1 : n;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	NEXT(write);
	FAIL(10, ENOSPC);
	INTR(10);
	return next(fd, p, shortened(fd, n, 10));
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	NEXT(pwrite);
	FAIL(11, ENOSPC);
	INTR(11);
	return next(fd, p, shortened(fd, n, 11), at);
}

ssize_t
read(int fd, void *p, size_t n)
{
	NEXT(read);
	FAIL(12, EIO);
	INTR(12);
	return next(fd, p, shortened(fd, n, 12));
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	NEXT(send);
	FAIL(13, ECONNRESET);
	INTR(13);
	return next(fd, p, shortened(fd, n, 13), flags);
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
	NEXT(recv);
	FAIL(14, ECONNRESET);
	INTR(14);
	return next(fd, p, shortened(fd, n, 14), flags);
}

int
fsync(int fd)
{
	NEXT(fsync);
	FAIL(15, EIO);
	return next(fd);
}

int
fdatasync(int fd)
{
	NEXT(fdatasync);
	FAIL(16, EIO);
	return next(fd);
}

int
connect(int fd, const struct sockaddr *a, socklen_t n)
{
	NEXT(connect);
	FAIL(17, ECONNREFUSED);
	return next(fd, a, n);
}

int
accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
	NEXT(accept4);
	FAIL(18, EMFILE);
	INTR(18);
	return next(fd, a, n, flags);
}

int
socket(int domain, int type, int protocol)
{
	NEXT(socket);
	FAIL(19, EMFILE);
	return next(domain, type, protocol);
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	NEXT(open);
	va_start(ap, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	FAIL(20, EMFILE);
	return next(path, flags, mode);
}

FILE *
fopen(const char *path, const char *mode)
{
	NEXT(fopen);
	if (fails(K_FAIL, 21)) {
		errno = EMFILE;
		return NULL;
	}
	return next(path, mode);
}

int
eventfd(unsigned value, int flags)
{
	NEXT(eventfd);
	FAIL(22, EMFILE);
	return next(value, flags);
}

int
epoll_create1(int flags)
{
	NEXT(epoll_create1);
	FAIL(23, EMFILE);
	return next(flags);
}

int
poll(struct pollfd *p, nfds_t n, int ms)
{
	NEXT(poll);
	INTR(24);
	return next(p, n, ms);
}

int
epoll_wait(int fd, struct epoll_event *e, int n, int ms)
{
	NEXT(epoll_wait);
	INTR(25);
	return next(fd, e, n, ms);
}
