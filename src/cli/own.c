/* Asking the server on this host. */
#include "cli/own.h"

#include <stdio.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "http/ask.h"
#include "util/buf.h"
#include "util/clock.h"

#include "util/banned.h"

#define ASK_NS (5 * CLOCK_S)
#define ANSWER_MAX ((size_t)8 << 20)

int
cli_own(struct cli *c, const char *method, const char *path, struct buf *body,
    struct err *e)
{
	const struct conf *conf;
	char socket[256];
	int status;

	if (cli_conf(c, &conf, e) != 0)
		return -1;
	snprintf(socket, sizeof(socket), "%s/health.sock", conf->run_dir);
	buf_init(body, c->ctx, ANSWER_MAX);
	if (http_ask(socket, method, path, clock_mono() + ASK_NS, &status, body,
		e) != 0)
		return -1;
	if (status != 200)
		return err_set(
		    e, ERR_UPSTREAM, "%s: %s: status %d", socket, path, status);
	return 0;
}
