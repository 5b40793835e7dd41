/* Several hosts in a connection string: which, and what one that is silent
 * costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "db/conn_priv.h"
#include "util/clock.h"
#include "util/mem.h"

#include "lib/dbtemp.h"

#include "util/banned.h"

static void *ctx;

static void
test_split(void **state)
{
	static const struct {
		const char *conninfo, *host, *port; /* of the last; NULL: n 0 */
		int n;
	} rows[] = {
		{ "host=a dbname=x", NULL, NULL, 0 },
		{ "dbname=x", NULL, NULL, 0 },
		{ "host=a,b dbname=x", "b", NULL, 2 },
		{ "host=a,b port=1,2", "b", "2", 2 },
		{ "host=a,b,/c port=1", "/c", "1", 3 },
		{ "postgresql://a:1,b:2/x?target_session_attrs=read-write", "b",
		    "2", 2 },
		{ "host=a,b target_session_attrs=prefer-standby", NULL, NULL,
		    0 },
		{ "host=a,b port=1,2,3", NULL, NULL, 0 },
		{ "host=a,,b", NULL, NULL, 0 },
		{ "host=a,", NULL, NULL, 0 },
		{ "host=a,b port=1,", NULL, NULL, 0 },
		{ "host=a,b,c,d,e,f,g,h", "h", NULL, 8 },
		{ "host=a,b,c,d,e,f,g,h,i", NULL, NULL, 0 },
		{ "nonsense", NULL, NULL, 0 },
	};
	struct hosts h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hosts_split(rows[i].conninfo, ctx, &h);
		if (h.n != rows[i].n)
			fail_msg("%s: %d hosts", rows[i].conninfo, h.n);
		if (h.n == 0)
			continue;
		assert_string_equal(h.host[h.n - 1], rows[i].host);
		if (rows[i].port != NULL)
			assert_string_equal(h.port[h.n - 1], rows[i].port);
	}
	hosts_split("hostaddr=192.0.2.1,192.0.2.2 host=a,b", ctx, &h);
	assert_int_equal(h.n, 2);
	assert_string_equal(h.addr[1], "192.0.2.2");
	assert_string_equal(h.host[1], "b");
}

/* A host that takes connections and says nothing has its share of the time;
 * the next time it is not asked. */
static void
test_silent(void **state)
{
	char *db = dbtemp_new_empty(), dir[] = "/tmp/sb-silent-XXXXXX";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char host[200] = "", port[20] = "", name[80] = "";
	atomic_int answered = 0;
	struct conn_opts o = { .user = "sb_owner", .answered = &answered };
	struct err e = { 0 };
	struct conn *c;
	int64_t began;

	(void)state;
	assert_int_equal(
	    sscanf(db, "host=%199s port=%19s dbname=%79s", host, port, name),
	    3);
	assert_non_null(mkdtemp(dir));
	snprintf(
	    addr.sun_path, sizeof(addr.sun_path), "%s/.s.PGSQL.%s", dir, port);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	o.conninfo = mem_printf(ctx,
	    "host=%s,%s port=%s dbname=%s target_session_attrs=read-write", dir,
	    host, port, name);
	began = clock_mono();
	c = conn_open(&o, began + 4 * CLOCK_S, &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	assert_true(clock_mono() - began >= 2 * CLOCK_S - 50 * CLOCK_MS);
	assert_int_equal(c->host, 1);
	assert_int_equal(atomic_load(&answered), 1);
	/* It falls silent in its turn: the other one is to be asked first. */
	conn_silent(c);
	assert_true(c->broken);
	assert_int_equal(atomic_load(&answered) % 2, 0);
	conn_free(c);
	atomic_store(&answered, 1);
	began = clock_mono();
	c = conn_open(&o, began + 4 * CLOCK_S, &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	assert_true(clock_mono() - began < CLOCK_S);
	conn_free(c);
	/* Nobody: the time is bounded, and so is the message. */
	o.conninfo = "host=/nonexistent,/nowhere port=1,2 dbname=x";
	assert_null(conn_open(&o, clock_mono() + CLOCK_S, &e));
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	close(fd);
	unlink(addr.sun_path);
	rmdir(dir);
	dbtemp_drop(db);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_silent),
	};
	int rc;

	if (!dbtemp_there())
		return 77;
	ctx = mem_root("test");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	mem_free(ctx);
	return rc;
}
