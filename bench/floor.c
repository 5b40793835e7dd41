/*
 * The machine's own floor: the least a FastCGI server can do behind the same
 * web server.  Pre-forked processes of plain libfcgi threads that answer a
 * fixed JSON body: what a turn costs beyond this is ours.
 *
 *	floor SOCKET PROCESSES THREADS
 */
#include <stdio.h>

#include <fcgiapp.h>

#include "prefork.h"
#include "util/str.h"

#include "util/banned.h"

static const char BODY[] = "{\"reply\":\"hello\"}\n";

static void *
serve(void *arg)
{
	FCGX_Request r;

	if (FCGX_InitRequest(&r, *(int *)arg, 0) != 0)
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

int
main(int argc, char **argv)
{
	int64_t processes, threads;

	if (argc != 4 || str_int(argv[2], 1, 64, &processes) != 0 ||
	    str_int(argv[3], 1, 4096, &threads) != 0) {
		fprintf(stderr, "usage: floor SOCKET PROCESSES THREADS\n");
		return 2;
	}
	return prefork(argv[1], processes, threads, serve);
}
