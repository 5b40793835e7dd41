/*
 * The machine's own floor: the least a FastCGI server can do behind the same
 * web server.  Pre-forked processes of plain libfcgi threads that answer a
 * fixed JSON body: what a turn costs beyond this is ours.
 *
 *	floor SOCKET PROCESSES THREADS
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "util/str.h"

#include "util/banned.h"

static int listener;

static const char BODY[] = "{\"reply\":\"hello\"}\n";

static void *
serve(void *arg)
{
	FCGX_Request r;

	(void)arg;
	if (FCGX_InitRequest(&r, listener, 0) != 0)
		return NULL;
	while (FCGX_Accept_r(&r) >= 0) {
		char in[8192];

		while (FCGX_GetStr(in, sizeof(in), r.in) > 0)
			continue;
		FCGX_FPrintF(r.out,
		    "Content-Type: application/json\r\n"
		    "Content-Length: %d\r\n\r\n%s",
		    (int)(sizeof(BODY) - 1), BODY);
		FCGX_Finish_r(&r);
	}
	return NULL;
}

static void
child(int threads)
{
	pthread_attr_t attr;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	FCGX_Init();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (int i = 1; i < threads; i++) {
		pthread_t t;

		if (pthread_create(&t, &attr, serve, NULL) == 0)
			pthread_detach(t);
	}
	serve(NULL);
	_exit(1);
}

int
main(int argc, char **argv)
{
	int64_t processes, threads;

	if (argc != 4 || str_int(argv[2], 1, 64, &processes) != 0 ||
	    str_int(argv[3], 1, 4096, &threads) != 0) {
		fprintf(stderr, "usage: floor SOCKET PROCESSES THREADS\n");
		return 2;
	}
	unlink(argv[1]);
	FCGX_Init();
	listener = FCGX_OpenSocket(argv[1], 1024);
	if (listener < 0 || chmod(argv[1], 0666) != 0) {
		perror(argv[1]);
		return 1;
	}
	for (int64_t i = 0; i < processes; i++)
		if (fork() == 0)
			child((int)threads);
	while (wait(NULL) > 0)
		continue;
	return 0;
}
