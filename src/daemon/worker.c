/* A chat or admin worker: its libraries and parts, then requests. */
#include "daemon/worker.h"

#include "conf/conf.h"
#include "daemon/parts.h"
#include "daemon/process.h"
#include "daemon/server.h"
#include "daemon/sockets.h"
#include "telemetry/log.h"
#include "util/mem.h"

#include "util/banned.h"

int
worker_run(struct process *p)
{
	int sock = p->kind == PROC_CHAT ? SOCKET_CHAT : SOCKET_ADMIN;
	struct server_opts o = { .fd = p->sockets->fd[sock],
		.hand = p->sockets->hand[sock],
		.threads = p->threads };
	struct parts *parts = mem_new(NULL, struct parts);
	struct err e = { 0 };
	int rc;

	process_begin(p, sock);
	if (parts_build(parts, p, &e) != 0) {
		log_event(LOG_ERROR, "worker_refused", "error", e.text, NULL);
		return 1;
	}
	rc = server_run(p, parts, &o);
	mem_free(parts);
	return rc;
}
