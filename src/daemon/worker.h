/* What the kinds of processes do; each returns its exit status. */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

struct process;

/* Chat and admin workers: requests from their socket. */
int worker_run(struct process *);
/* The job worker: timers of the database. */
int job_run(struct process *);
/* The listener: configuration changes, and the health socket. */
int listener_run(struct process *);

#endif
