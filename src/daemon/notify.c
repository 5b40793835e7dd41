/*
 * sd_notify(3), "Implementation": one datagram to the Unix socket that
 * NOTIFY_SOCKET names; a leading @ stands for the abstract name space.
 */
#include "daemon/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/str.h"

#include "util/banned.h"

static struct sockaddr_un manager;
static socklen_t manager_len; /* 0: nobody listens */
static int64_t watchdog_every, watchdog_due;

static void
watchdog_setup(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *whose = getenv("WATCHDOG_PID");
	int64_t n, pid;

	if (usec == NULL || str_int(usec, 1, INT64_MAX / 1000, &n) != 0)
		return;
	if (whose != NULL && (str_int(whose, 1, INT32_MAX, &pid) != 0 ||
				 pid != (int64_t)getpid()))
		return;
	/* Twice in each span, as sd_watchdog_enabled(3) advises. */
	watchdog_every = n * 1000 / 2;
}

void
notify_setup(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path != NULL ? strlen(path) : 0;

	manager_len = 0;
	watchdog_every = watchdog_due = 0;
	if (n > 1 && n < sizeof(manager.sun_path) &&
	    (path[0] == '/' || path[0] == '@')) {
		manager.sun_family = AF_UNIX;
		memcpy(manager.sun_path, path, n + 1);
		manager_len =
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		if (path[0] == '@')
			manager.sun_path[0] = '\0';
		else
			manager_len++;
		watchdog_setup();
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
notify_send(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int fd, n;

	if (manager_len == 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	/* A socket each time: a manager that was restarted hears us too. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* One that is not heard is no reason to stop serving. */
	(void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (const void *)&manager,
	    manager_len);
	close(fd);
}

int64_t
notify_watchdog(void)
{
	int64_t now = clock_mono();

	if (watchdog_every == 0)
		return 0;
	if (now >= watchdog_due) {
		notify_send("WATCHDOG=1");
		watchdog_due = now + watchdog_every;
	}
	return watchdog_due;
}
