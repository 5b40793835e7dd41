/*
 * What PostgreSQL can take: the rows of a turn, through the very statements of
 * the server's writer, inserted in batches by as many connections as asked for
 * and nothing else around them.
 *
 *	rows CONNINFO CONNECTIONS ROWS-A-BATCH SECONDS
 *
 * CONNINFO is without user; the role is the writer's.  Prints one JSON object.
 * Every turn begins a session of its own and has its agent's and model's sums,
 * merged over the batch, as the bench's own turns do.
 */
#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "chat/store.h"
#include "db/writer_priv.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define EPOCH_2000_US INT64_C(946684800000000)
#define ARRAY_MAX ((size_t)64 << 20)

/* The columns by what stands in them; what was added behind is null. */
enum what {
	END,
	ACCOUNT,
	TURN,
	SESSION,
	AGENT,
	KEY,
	NOTHING,
	TEXT,  /* ${text} */
	JSON,  /* ${text} */
	NAME,  /* the session's key */
	COUNT, /* ${n} */
	SMALL, /* ${n}, four bytes */
	YES,
	NO,
	NOW,
	BUCKET,
};

struct column {
	enum what what;
	const char *text;
	int64_t n;
};

#define IS(w)                                                                  \
	{                                                                      \
		w, NULL, 0                                                     \
	}
#define T(s)                                                                   \
	{                                                                      \
		TEXT, s, 0                                                     \
	}
#define N(v)                                                                   \
	{                                                                      \
		COUNT, NULL, v                                                 \
	}
#define S(v)                                                                   \
	{                                                                      \
		SMALL, NULL, v                                                 \
	}
#define EMPTY_LIST                                                             \
	{                                                                      \
		JSON, "[]", 0                                                  \
	}

static const struct column sessions[] = { IS(ACCOUNT), IS(SESSION), IS(NAME),
	IS(NOTHING), IS(NOTHING), IS(YES), IS(NOW), IS(NOW), IS(END) };

static const struct column turns[] = { IS(ACCOUNT), IS(TURN), IS(SESSION),
	IS(AGENT), T("sales"), T("human_health"), N(1), IS(KEY), IS(NOTHING),
	T("0123456789abcdef0123456789abcdef"),
	T("0123456789abcdef0123456789abcdef"), T("chat"), T("completed"),
	T("stop"), IS(NOTHING), T("How are you today?"),
	T("This is the mock model speaking."), T("openai:mock"), N(21), N(7),
	N(5), N(0), N(2), IS(NO), IS(NOTHING), S(1), S(2), S(1), EMPTY_LIST,
	EMPTY_LIST, IS(NOTHING), IS(NOW), IS(NOW), IS(END) };

/* One row a batch: all its turns are of one agent, model and moment. */
static const struct column rollups[] = { IS(ACCOUNT), IS(AGENT),
	T("openai:mock"), IS(BUCKET), N(1), N(0), N(0), N(21), N(7), N(5), N(2),
	N(0), N(1), N(2), N(2), N(1), N(0), N(0), N(0), N(0), N(0), N(0), N(0),
	N(0), N(0), N(0), IS(END) };

#undef IS
#undef EMPTY_LIST
#undef T
#undef N
#undef S

/* The statements a turn needs, by their names in chat/store.c. */
static const struct plan {
	const char *stmt;
	const struct column *columns;
	bool once; /* a row a batch */
} plans[] = { { "chat_sessions", sessions, false },
	{ "chat_turns", turns, false }, { "chat_rollups", rollups, true } };
#define PLANS (sizeof(plans) / sizeof(plans[0]))

static const char *conninfo;
static int64_t batch_rows;
static int64_t end_at;
static struct uuid account, agent, key;
static atomic_llong stored, commits;

/* What one connection works with. */
struct writer_side {
	PGconn *pg;
	struct buf col[PLANS][WRITER_COLS];
	struct uuid *turn, *session;
};

_Noreturn static void
stop(const char *what, const char *why)
{
	fprintf(stderr, "rows: %s: %s\n", what, why);
	exit(1);
}

static const struct writer_stmt *
statement(const char *name)
{
	int n;
	const struct writer_stmt *s = chat_store_stmts(&n);

	for (int i = 0; i < n; i++)
		if (strcmp(s[i].name, name) == 0)
			return &s[i];
	stop(name, "the server has no such statement any more");
}

static void
put32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, 4);
}

static void
put_bytes(struct buf *b, const void *p, size_t n)
{
	put32(b, (uint32_t)n);
	buf_add(b, p, n);
}

static void
put64(struct buf *b, int64_t v)
{
	uint64_t n = htobe64((uint64_t)v);

	put_bytes(b, &n, 8);
}

static void
put_value(struct buf *b, const struct column *c, const struct uuid *turn,
    const struct uuid *session, int64_t now)
{
	char name[UUID_TEXT];

	switch (c->what) {
	case ACCOUNT:
		put_bytes(b, &account, 16);
		break;
	case TURN:
		put_bytes(b, turn, 16);
		break;
	case SESSION:
		put_bytes(b, session, 16);
		break;
	case AGENT:
		put_bytes(b, &agent, 16);
		break;
	case KEY:
		put_bytes(b, &key, 16);
		break;
	case NAME:
		id_format(session, name);
		put_bytes(b, name, UUID_TEXT - 1);
		break;
	case TEXT:
		put_bytes(b, c->text, strlen(c->text));
		break;
	case JSON:
		put32(b, (uint32_t)strlen(c->text) + 1);
		buf_addc(b, 1); /* the version of jsonb's binary form */
		buf_adds(b, c->text);
		break;
	case COUNT:
		put64(b, c->n);
		break;
	case SMALL:
		put32(b, 4);
		put32(b, (uint32_t)c->n);
		break;
	case YES:
	case NO:
		put_bytes(b, c->what == YES ? "\1" : "\0", 1);
		break;
	case NOW:
		put64(b, now - EPOCH_2000_US);
		break;
	case BUCKET:
		put64(b, (now - EPOCH_2000_US) / 300000000 * 300000000);
		break;
	case NOTHING:
	case END:
		put32(b, UINT32_MAX);
		break;
	}
}

static void
put_array(struct writer_side *w, struct buf *b, const struct column *c,
    enum col_type type, int64_t n, int64_t now)
{
	buf_clear(b);
	put32(b, 1); /* dimensions */
	put32(b, c->what == NOTHING || c->what == END);
	put32(b, element_oid(type));
	put32(b, (uint32_t)n);
	put32(b, 1); /* counted from */
	for (int64_t i = 0; i < n; i++)
		put_value(b, c, &w->turn[i], &w->session[i], now);
}

static void
send_rows(struct writer_side *w, size_t p, int64_t now)
{
	const struct writer_stmt *s = statement(plans[p].stmt);
	const char *value[WRITER_COLS];
	int length[WRITER_COLS], format[WRITER_COLS];

	const struct column *column = plans[p].columns;

	for (int c = 0; c < s->ncols; c++) {
		struct buf *b = &w->col[p][c];

		put_array(w, b, column, s->col[c],
		    plans[p].once ? 1 : batch_rows, now);
		column += column->what != END;
		if (buf_failed(b))
			stop(s->name, "the batch is too large");
		value[c] = b->data;
		length[c] = (int)b->len;
		format[c] = 1;
	}
	if (!PQsendQueryPrepared(
		w->pg, s->name, s->ncols, value, length, format, 0))
		stop(s->name, PQerrorMessage(w->pg));
}

static void
send_text(struct writer_side *w, const char *sql)
{
	if (!PQsendQueryParams(w->pg, sql, 0, NULL, NULL, NULL, NULL, 0))
		stop(sql, PQerrorMessage(w->pg));
}

/* All results up to the pipeline's end. */
static void
take_results(struct writer_side *w)
{
	for (;;) {
		PGresult *r = PQgetResult(w->pg);
		ExecStatusType how = PQresultStatus(r);

		if (r == NULL)
			continue; /* between statements */
		if (how != PGRES_COMMAND_OK && how != PGRES_TUPLES_OK &&
		    how != PGRES_PIPELINE_SYNC)
			stop("batch", PQresultErrorMessage(r));
		PQclear(r);
		if (how == PGRES_PIPELINE_SYNC)
			return;
	}
}

static void
one_batch(struct writer_side *w, const char *accounts)
{
	struct uuid id;
	char sql[96], text[UUID_TEXT];
	int64_t now = clock_wall_us();

	for (int64_t i = 0; i < batch_rows; i++) {
		id_new(&w->session[i]);
		id_new(&w->turn[i]);
	}
	id_new(&id);
	id_format(&id, text);
	snprintf(sql, sizeof(sql),
	    "INSERT INTO writer_batches (id) VALUES ('%s')", text);
	send_text(w, "BEGIN");
	send_text(w, accounts);
	send_text(w, sql);
	for (size_t p = 0; p < PLANS; p++)
		send_rows(w, p, now);
	send_text(w, "COMMIT");
	if (!PQpipelineSync(w->pg))
		stop("batch", PQerrorMessage(w->pg));
	take_results(w);
	atomic_fetch_add(&stored, batch_rows);
	atomic_fetch_add(&commits, 1);
}

static void
prepare(struct writer_side *w)
{
	for (size_t p = 0; p < PLANS; p++) {
		const struct writer_stmt *s = statement(plans[p].stmt);
		Oid types[WRITER_COLS];
		PGresult *r;
		int c = 0;

		while (plans[p].columns[c].what != END)
			c++;
		if (c > s->ncols)
			stop(s->name, "its columns are no longer those here");
		for (c = 0; c < s->ncols; c++)
			types[c] = element_array_oid(s->col[c]);
		r = PQprepare(w->pg, s->name, s->sql, s->ncols, types);
		if (PQresultStatus(r) != PGRES_COMMAND_OK)
			stop(s->name, PQresultErrorMessage(r));
		PQclear(r);
	}
}

static void *
work(void *arg)
{
	void *ctx = mem_root("rows");
	struct writer_side *w = mem_new(ctx, struct writer_side);
	char id[UUID_TEXT];
	const char *accounts;

	(void)arg;
	w->pg = PQconnectdb(mem_printf(ctx, "%s user=sb_writer", conninfo));
	if (PQstatus(w->pg) != CONNECTION_OK)
		stop("connection", PQerrorMessage(w->pg));
	w->turn = mem_array(ctx, struct uuid, (size_t)batch_rows);
	w->session = mem_array(ctx, struct uuid, (size_t)batch_rows);
	for (size_t p = 0; p < PLANS; p++)
		for (int c = 0; c < WRITER_COLS; c++)
			buf_init(&w->col[p][c], ctx, ARRAY_MAX);
	id_format(&account, id);
	accounts = mem_printf(ctx, "SET LOCAL app.account_ids = '{%s}'", id);
	prepare(w);
	if (!PQenterPipelineMode(w->pg))
		stop("pipeline", PQerrorMessage(w->pg));
	while (clock_mono() < end_at)
		one_batch(w, accounts);
	PQfinish(w->pg);
	mem_free(ctx);
	return NULL;
}

int
main(int argc, char **argv)
{
	int64_t connections, seconds, began;
	pthread_t threads[64];
	double took;

	if (argc != 5 || str_int(argv[2], 1, 64, &connections) != 0 ||
	    str_int(argv[3], 1, 10000, &batch_rows) != 0 ||
	    str_int(argv[4], 1, 600, &seconds) != 0) {
		fprintf(stderr,
		    "usage: rows CONNINFO CONNECTIONS ROWS-A-BATCH SECONDS\n");
		return 2;
	}
	conninfo = argv[1];
	id_new(&account);
	id_new(&agent);
	id_new(&key);
	began = clock_mono();
	end_at = began + seconds * CLOCK_S;
	for (int64_t i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			stop("thread", "cannot be started");
	for (int64_t i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	took = (double)(clock_mono() - began) / 1e9;
	printf("{\"seconds\":%.3f,\"turns\":%lld,\"batches\":%lld,"
	       "\"per_second\":%.1f}\n",
	    took, (long long)stored, (long long)commits, (double)stored / took);
	return 0;
}
