/* Children die with their parent, so that a bench which is killed leaves
 * nothing behind. */
#include "prefork.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "util/banned.h"

static void
child(int64_t threads, void *(*serve)(void *listener), int *listener)
{
	pthread_attr_t attr;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	FCGX_Init();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (int64_t i = 1; i < threads; i++) {
		pthread_t t;

		if (pthread_create(&t, &attr, serve, listener) == 0)
			pthread_detach(t);
	}
	serve(listener);
	_exit(1);
}

int
prefork(const char *path, int64_t processes, int64_t threads,
    void *(*serve)(void *listener))
{
	int listener;

	unlink(path);
	FCGX_Init();
	listener = FCGX_OpenSocket(path, 1024);
	if (listener < 0 || chmod(path, 0666) != 0) {
		perror(path);
		return 1;
	}
	for (int64_t i = 0; i < processes; i++)
		if (fork() == 0)
			child(threads, serve, &listener);
	while (wait(NULL) > 0)
		continue;
	return 0;
}
