/*
 * The master: binds, forks, watches; reads no request, opens no database and
 * no secret.
 */
#ifndef DAEMON_MASTER_H
#define DAEMON_MASTER_H

struct conf;

/* Run the server with ${conf}, read from conf->file; the exit status. */
int master_run(const struct conf *conf);

#endif
