/*
 * Opening a connection and waiting on its socket: libpq's asynchronous calls
 * in a blocking style, every wait with a deadline.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "db/conn_priv.h"

#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define CONNECT_MS 5000  /* one host of several, without a deadline */
#define ENDLESS_MS 60000 /* one poll; the loop around it goes on */

static void
ignore_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text; /* may quote values */
}

int
conn_wait(PGconn *pg, bool also_write, int64_t deadline)
{
	struct pollfd p = { .fd = PQsocket(pg), .events = POLLIN };
	int rc;

	if (p.fd < 0)
		return 0; /* lost: the next call of libpq says so */
	if (also_write)
		p.events |= POLLOUT;
	for (;;) {
		rc = poll(&p, 1, clock_left_ms(deadline, ENDLESS_MS));
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return 0;
		if (deadline != 0 && clock_mono() >= deadline)
			return -1;
	}
}

/* The options that the conninfo gives itself, and our limits behind them. */
static char *
startup_options(const struct conn_opts *o, const void *ctx)
{
	PQconninfoOption *list = PQconninfoParse(o->conninfo, NULL), *i;
	char *text = mem_strdup(ctx, "");

	for (i = list; i != NULL && i->keyword != NULL; i++)
		if (!strcmp(i->keyword, "options") && i->val != NULL)
			text = mem_strdup(ctx, i->val);
	PQconninfoFree(list);
	if (o->statement_ms > 0)
		text = mem_printf(
		    ctx, "%s -c statement_timeout=%d", text, o->statement_ms);
	if (o->lock_ms > 0)
		text =
		    mem_printf(ctx, "%s -c lock_timeout=%d", text, o->lock_ms);
	if (o->settings != NULL)
		text = mem_printf(ctx, "%s %s", text, o->settings);
	return text;
}

/* One host's own values over the lists that the conninfo gives. */
static int
host_options(const struct hosts *h, int i, const char **keys, const char **vals)
{
	int n = 0;

	keys[n] = "host";
	vals[n++] = h->host[i];
	keys[n] = "hostaddr";
	vals[n++] = h->addr[i];
	keys[n] = "port";
	vals[n++] = h->port[i];
	return n;
}

static PGconn *
start(const struct conn_opts *o, const struct hosts *h, int host)
{
	const char *keys[12], *values[12];
	void *tmp = mem_root("conn options");
	PGconn *pg;
	int n = 0;

	/* dbname first: it is expanded, what follows overrides. */
	keys[n] = "dbname";
	values[n++] = o->conninfo;
	if (h->n > 0)
		n += host_options(h, host, keys + n, values + n);
	if (o->user != NULL) {
		keys[n] = "user";
		values[n++] = o->user;
	}
	if (o->dbname != NULL) {
		keys[n] = "dbname";
		values[n++] = o->dbname;
	}
	keys[n] = "fallback_application_name";
	values[n++] = "switchboard";
	keys[n] = "client_encoding";
	values[n++] = "UTF8";
	if (!o->pooler &&
	    (o->statement_ms > 0 || o->lock_ms > 0 || o->settings != NULL)) {
		keys[n] = "options";
		values[n++] = startup_options(o, tmp);
	}
	keys[n] = NULL;
	values[n] = NULL;
	pg = PQconnectStartParams(keys, values, 1);
	mem_free(tmp);
	return pg;
}

static int
finish_connecting(PGconn *pg, int64_t deadline, struct err *e)
{
	PostgresPollingStatusType st = PGRES_POLLING_WRITING;
	struct pollfd p;

	while (st != PGRES_POLLING_OK) {
		if (st == PGRES_POLLING_FAILED ||
		    PQstatus(pg) == CONNECTION_BAD)
			return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
			    "no connection to the database: %.*s",
			    (int)strcspn(PQerrorMessage(pg), "\n"),
			    PQerrorMessage(pg));
		p = (struct pollfd){ .fd = PQsocket(pg),
			.events =
			    st == PGRES_POLLING_READING ? POLLIN : POLLOUT };
		if (poll(&p, 1, clock_left_ms(deadline, ENDLESS_MS)) == 0 &&
		    clock_mono() >= deadline)
			return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
			    "the database did not take a connection in time");
		if (p.revents != 0)
			st = PQconnectPoll(pg);
	}
	return 0;
}

static PGconn *
connect_host(const struct conn_opts *o, const struct hosts *h, int host,
    int64_t deadline, struct err *e)
{
	PGconn *pg = start(o, h, host);

	if (pg == NULL) {
		err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
		    "no memory for a database connection");
		return NULL;
	}
	PQsetNoticeProcessor(pg, ignore_notice, NULL);
	if (finish_connecting(pg, deadline, e) != 0) {
		PQfinish(pg);
		return NULL;
	}
	return pg;
}

/* The end of this host's share of the time that is left. */
static int64_t
share(int64_t deadline, int hosts_left)
{
	int64_t now = clock_mono();

	if (deadline == 0)
		return now + CONNECT_MS * CLOCK_MS;
	return now + (deadline - now) / hosts_left;
}

static PGconn *
connect_any(
    const struct conn_opts *o, int64_t deadline, int *ret_host, struct err *e)
{
	void *tmp = mem_root("hosts");
	PGconn *pg = NULL;
	struct hosts h;
	int i, host = 0;

	hosts_split(o->conninfo, tmp, &h);
	if (h.n == 0)
		pg = connect_host(o, &h, 0, deadline, e);
	else if (o->answered != NULL)
		host = atomic_load(o->answered) % h.n;
	for (i = 0; i < h.n && pg == NULL; i++) {
		pg = connect_host(
		    o, &h, (host + i) % h.n, share(deadline, h.n - i), e);
		*ret_host = (host + i) % h.n;
	}
	mem_free(tmp);
	if (pg != NULL && o->answered != NULL)
		atomic_store(o->answered, *ret_host);
	return pg;
}

PGconn *
conn_connect(const struct conn_opts *o, int64_t deadline, struct err *e)
{
	int host = 0;

	return connect_any(o, deadline, &host, e);
}

void
conn_silent(struct conn *c)
{
	c->broken = true;
	metric_add(M_DB_LOST, 1);
	if (c->opts->answered != NULL)
		atomic_store(c->opts->answered, c->host + 1);
}

struct conn *
conn_open(const struct conn_opts *o, int64_t deadline, struct err *e)
{
	int host = 0;
	PGconn *pg = connect_any(o, deadline, &host, e);
	struct conn *c;

	if (pg == NULL)
		return NULL;
	if (PQsetnonblocking(pg, 1) != 0 || !PQenterPipelineMode(pg)) {
		err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
		    "the database connection does not pipeline");
		PQfinish(pg);
		return NULL;
	}
	c = mem_new(NULL, struct conn);
	c->pg = pg;
	c->opts = o;
	c->host = host;
	metric_add(M_POOL_SIZE, 1);
	return c;
}

void
conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	metric_add(M_POOL_SIZE, -1);
	PQfinish(c->pg);
	mem_free(c);
}

bool
conn_alive(struct conn *c)
{
	struct pollfd p = { .fd = PQsocket(c->pg), .events = POLLIN };
	int i;

	/* Words of farewell and the end of the stream may come one by one. */
	for (i = 0; i < 4 && !c->broken && poll(&p, 1, 0) > 0; i++)
		if (!PQconsumeInput(c->pg))
			c->broken = true;
	if (PQstatus(c->pg) != CONNECTION_OK)
		c->broken = true;
	if (c->broken)
		metric_add(M_DB_LOST, 1);
	return !c->broken;
}
