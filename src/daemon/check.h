/* Is everything there that a start needs? */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

struct conf;

/*
 * Templates, master key with what it has sealed, and the database's schema,
 * looked at in a child, since
 * the master opens no secret.  0; 0 also when the database is away (said in the
 * log: the workers wait for it); -1 after a message on standard error.
 */
int check_start(const struct conf *);
/* For -t: everything that can be said without a database or side effects. */
int check_files(const struct conf *);

#endif
