/* The writer while its database dies, hides and forgets to answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/writer_rig.h"

#include "util/banned.h"

static void
kill_writers(void)
{
	mem_free(dbtemp_sql(db, NULL,
	    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
	    "WHERE usename = 'sb_writer' AND datname = current_database()"));
}

/*
 * Two writers while their server processes are killed again and again: every
 * piece that was acknowledged is there, and each is there and counted once.
 */
static void
test_exactly_once(void **state)
{
	enum { CALLERS = 32, PIECES = 150 };
	struct writer *w[2] = { writer(1000, 64, true, false),
		writer(1000, 64, false, false) };
	struct caller c[CALLERS];
	char want[32];
	int i, kills = 0;

	(void)state;
	wipe();
	start(c, CALLERS / 2, w[0], PIECES, 0);
	start(c + CALLERS / 2, CALLERS / 2, w[1], PIECES, 0);
	for (i = 0; i < CALLERS; i++) {
		struct timespec ts;

		do {
			kill_writers();
			kills++;
			clock_gettime(CLOCK_REALTIME, &ts);
			ts.tv_nsec += 30 * 1000000;
			ts.tv_sec += ts.tv_nsec / 1000000000;
			ts.tv_nsec %= 1000000000;
		} while (pthread_timedjoin_np(c[i].thread, NULL, &ts) != 0);
		assert_int_equal(c[i].ok, PIECES);
	}
	for (i = 0; i < 2; i++)
		writer_free(w[i], clock_mono() + 5 * CLOCK_S);
	snprintf(want, sizeof(want), "%d", CALLERS * PIECES);
	expect("SELECT count(*) FROM data.child", want);
	expect("SELECT count(*) FROM data.parent", want);
	expect("SELECT sum(n) FROM data.sums", want);
	assert_int_equal(dead_lines(), 0);
	assert_true(kills > 3);
}

/* Between the writer and the server: loses the first COMMIT's answer. */
struct cutter {
	pthread_t thread;
	char dir[32], server[108];
	int fd, stop[2];
	bool cut;
	int connections;
};

static int
unix_socket(const char *path, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

/* Copy what has come from ${from} to ${to}; false when it is to end. */
static bool
relay(struct cutter *x, int from, int to, bool answers)
{
	char data[65536];
	ssize_t n = read(from, data, sizeof(data));

	if (n <= 0)
		return false;
	if (answers && !x->cut && memmem(data, (size_t)n, "COMMIT", 7)) {
		x->cut = true;
		return false;
	}
	return send(to, data, (size_t)n, MSG_NOSIGNAL) == n;
}

static void *
cutter_main(void *arg)
{
	struct cutter *x = arg;
	struct pollfd p[4] = { { x->stop[0], POLLIN, 0 }, { x->fd, POLLIN, 0 },
		{ -1, POLLIN, 0 }, { -1, POLLIN, 0 } };
	struct sockaddr_un addr;
	bool up;

	while (poll(p, 4, -1) > 0 && !p[0].revents) {
		up = true;
		if (p[1].revents) { /* the writer has one at a time */
			close(p[2].fd);
			close(p[3].fd);
			p[2].fd = accept(x->fd, NULL, NULL);
			p[3].fd = unix_socket(x->server, &addr);
			if (connect(p[3].fd, (struct sockaddr *)&addr,
				sizeof(addr)) != 0)
				up = false;
			x->connections++;
		} else if (p[2].revents) {
			up = relay(x, p[2].fd, p[3].fd, false);
		} else if (p[3].revents) {
			up = relay(x, p[3].fd, p[2].fd, true);
		}
		if (!up) {
			close(p[2].fd);
			close(p[3].fd);
			p[2].fd = p[3].fd = -1;
		}
	}
	close(p[2].fd);
	close(p[3].fd);
	return NULL;
}

static void
cutter_start(struct cutter *x)
{
	struct sockaddr_un addr;
	char path[64];
	size_t len;

	memset(x, 0, sizeof(*x));
	snprintf(x->dir, sizeof(x->dir), "/tmp/sb-cut-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", x->dir);
	assert_true(sscanf(db, "host=%90s", x->server) == 1);
	len = strlen(x->server);
	snprintf(x->server + len, sizeof(x->server) - len, "/.s.PGSQL.5432");
	x->fd = unix_socket(path, &addr);
	assert_int_equal(
	    bind(x->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(x->fd, 8), 0);
	assert_int_equal(pipe(x->stop), 0);
	pthread_create(&x->thread, NULL, cutter_main, x);
}

static void
cutter_stop(struct cutter *x)
{
	char path[64];

	close(x->stop[1]);
	pthread_join(x->thread, NULL);
	close(x->stop[0]);
	close(x->fd);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", x->dir);
	unlink(path);
	rmdir(x->dir);
}

/* The batch is committed, but the answer is lost: sent again under its id, it
 * is found to be there, and nothing is counted twice. */
static void
test_unknown_outcome(void **state)
{
	struct cutter x;
	struct writer_opts o = { .stmts = stmts,
		.nstmts = STMTS,
		.queue_max = 16,
		.batch_max = 16,
		.timeout_ms = 2000,
		.dead_letter_file = dead,
		.prepared = true };
	struct writer *w;
	struct uuid account;
	struct err e;
	char *conninfo;

	(void)state;
	wipe();
	id_new(&account);
	cutter_start(&x);
	conninfo = mem_printf(NULL, "host=%s port=5432 sslmode=disable %s",
	    x.dir, strstr(db, "dbname="));
	o.conninfo = conninfo;
	w = writer_new(&o);
	if (writer_commit(w, whole(&account, "good", 1),
		clock_mono() + 10 * CLOCK_S, &e) != 0)
		fail_msg("%s", e.text);
	writer_free(w, clock_mono() + 5 * CLOCK_S);
	cutter_stop(&x);
	assert_true(x.cut);
	assert_int_equal(x.connections, 2);
	expect("SELECT count(*) FROM data.child", "1");
	expect("SELECT sum(n) FROM data.sums", "1");
	expect("SELECT count(*) FROM data.writer_batches", "1");
	assert_int_equal(dead_lines(), 0);
	mem_free(conninfo);
}

/* No database: callers give up at their deadline, the queue says it is full,
 * and when the database is back everything is stored after all. */
static void
test_database_away(void **state)
{
	struct writer *w = writer(8, 4, true, false);
	struct uuid account;
	struct err e = { 0 };
	int64_t began = clock_mono();
	char *name, *sql;
	int i;

	(void)state;
	wipe();
	id_new(&account);
	name = dbtemp_sql(db, NULL, "SELECT current_database()");
	sql = mem_printf(NULL, "ALTER DATABASE %s CONNECTION LIMIT 0", name);
	mem_free(dbtemp_sql(db, NULL, sql));
	mem_free(sql);
	assert_true(writer_has_room(w));
	for (i = 0; i < 8; i++)
		writer_post(w, whole(&account, "good", i));
	assert_false(writer_has_room(w));
	assert_int_equal(writer_commit(w, whole(&account, "good", 9),
			     began + 300 * CLOCK_MS, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_true(clock_mono() - began < 2 * CLOCK_S);
	sql = mem_printf(NULL, "ALTER DATABASE %s CONNECTION LIMIT -1", name);
	mem_free(dbtemp_sql(db, NULL, sql));
	mem_free(sql);
	mem_free(name);
	assert_int_equal(writer_commit(w, whole(&account, "good", 10),
			     clock_mono() + 10 * CLOCK_S, &e),
	    0);
	expect("SELECT count(*) FROM data.child", "10");
	expect("SELECT sum(n) FROM data.sums", "10");
	assert_true(writer_has_room(w));
	writer_free(w, clock_mono() + 5 * CLOCK_S);
	assert_int_equal(dead_lines(), 0);
}

/* What cannot be stored before the end is kept for a human. */
static void
test_shutdown(void **state)
{
	struct writer *w;
	struct uuid account;
	int64_t began;
	char *name, *sql;
	int i;

	(void)state;
	wipe();
	id_new(&account);
	/* everything queued is written first */
	w = writer(1000, 16, true, false);
	for (i = 0; i < 200; i++)
		writer_post(w, whole(&account, "good", i));
	writer_free(w, clock_mono() + 20 * CLOCK_S);
	expect("SELECT count(*) FROM data.child", "200");
	name = dbtemp_sql(db, NULL, "SELECT current_database()");
	sql = mem_printf(NULL, "ALTER DATABASE %s CONNECTION LIMIT 0", name);
	mem_free(dbtemp_sql(db, NULL, sql));
	mem_free(sql);
	w = writer(1000, 16, true, false);
	for (i = 0; i < 20; i++)
		writer_post(w, whole(&account, "good", i));
	began = clock_mono();
	writer_free(w, began + 200 * CLOCK_MS);
	assert_true(clock_mono() - began < 2 * CLOCK_S);
	assert_int_equal(dead_lines(), 20);
	sql = mem_printf(NULL, "ALTER DATABASE %s CONNECTION LIMIT -1", name);
	mem_free(dbtemp_sql(db, NULL, sql));
	mem_free(sql);
	mem_free(name);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exactly_once),
		cmocka_unit_test(test_unknown_outcome),
		cmocka_unit_test(test_database_away),
		cmocka_unit_test(test_shutdown),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
