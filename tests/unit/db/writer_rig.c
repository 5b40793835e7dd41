/* Tables, statements, pieces and callers for the tests of the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/writer_rig.h"

#include "util/banned.h"

const struct writer_stmt stmts[STMTS] = {
	[S_PARENT] = { .name = "w_parent",
	    .sql = "INSERT INTO parent (account_id, id, note) SELECT * FROM "
		   "unnest($1::uuid[], $2::uuid[], $3::text[]) ON CONFLICT DO "
		   "NOTHING",
	    .ncols = 3,
	    .col = { COL_UUID, COL_UUID, COL_TEXT } },
	[S_CHILD] = { .name = "w_child",
	    .sql = "INSERT INTO child (account_id, id, parent_id, body, j, b, "
		   "i4, i8, t, raw) SELECT * FROM unnest($1::uuid[], "
		   "$2::uuid[], $3::uuid[], $4::text[], $5::jsonb[], "
		   "$6::bool[], $7::int4[], $8::int8[], "
		   "$9::timestamptz[], $10::bytea[])",
	    .one = "INSERT INTO child (account_id, id, parent_id, body, j, b, "
		   "i4, i8, t, raw) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
		   "$9, $10)",
	    .ncols = 10,
	    .col = { COL_UUID, COL_UUID, COL_UUID, COL_TEXT, COL_JSONB,
		COL_BOOL, COL_INT4, COL_INT8, COL_TIMESTAMPTZ, COL_BYTEA } },
	[S_SUM] = { .name = "w_sum",
	    .one = "INSERT INTO sums AS s (account_id, name, n, most) VALUES "
		   "($1, $2, $3, $4) ON CONFLICT (account_id, name) DO UPDATE "
		   "SET n = s.n + excluded.n, most = greatest(s.most, "
		   "excluded.most)",
	    .sql = "INSERT INTO sums AS s (account_id, name, n, most) SELECT * "
		   "FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::int8[])"
		   " ON CONFLICT (account_id, name) DO UPDATE SET n = s.n + "
		   "excluded.n, most = greatest(s.most, excluded.most)",
	    .ncols = 4,
	    .col = { COL_UUID, COL_TEXT, COL_INT8, COL_INT8 },
	    .keys = 2,
	    .max_mask = 1 << 3 },
};

static const char schema[] =
    "CREATE SCHEMA data;"
    "CREATE TABLE data.writer_batches (id uuid PRIMARY KEY);"
    "CREATE TABLE data.parent (account_id uuid, id uuid, note text, PRIMARY "
    "KEY (account_id, id));"
    "CREATE TABLE data.child (account_id uuid, id uuid, parent_id uuid NOT "
    "NULL, body text CHECK (body <> 'bad'), j jsonb, b bool, i4 int4, i8 "
    "int8, t timestamptz, raw bytea, PRIMARY KEY (account_id, id),"
    " FOREIGN KEY (account_id, parent_id) REFERENCES data.parent);"
    "CREATE TABLE data.sums (account_id uuid, name text, n int8, most int8, "
    "PRIMARY KEY (account_id, name));"
    "ALTER TABLE data.child ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY w ON data.child TO sb_writer USING (account_id = "
    "any(coalesce((select nullif(current_setting('app.account_ids', true), "
    "'')::uuid[]), '{}')));"
    "GRANT USAGE ON SCHEMA data TO sb_writer;"
    "GRANT ALL ON ALL TABLES IN SCHEMA data TO sb_writer";

char *db;
char dead[] = "/tmp/sb-dead-XXXXXX";

struct writer *
writer(unsigned queue, unsigned batch, bool prepared, bool pooler)
{
	struct writer_opts o = { .conninfo = db,
		.stmts = stmts,
		.nstmts = STMTS,
		.queue_max = queue,
		.batch_max = batch,
		.timeout_ms = 2000,
		.dead_letter_file = dead,
		.prepared = prepared,
		.pooler = pooler };

	return writer_new(&o);
}

void
expect(const char *sql, const char *want)
{
	char *got = dbtemp_sql(db, NULL, sql);

	if (strcmp(got, want) != 0)
		fail_msg("%s: %s, not %s", sql, got, want);
	mem_free(got);
}

void
wipe(void)
{
	mem_free(dbtemp_sql(db, NULL,
	    "TRUNCATE data.writer_batches, data.parent, data.child, "
	    "data.sums"));
	assert_int_equal(truncate(dead, 0), 0);
}

void
add_parent(struct piece *p, const struct uuid *account, const struct uuid *id)
{
	piece_row(p, S_PARENT);
	piece_uuid(p, account);
	piece_uuid(p, id);
	piece_str(p, NULL);
}

void
add_child(struct piece *p, const struct uuid *account,
    const struct uuid *parent, const char *body)
{
	struct uuid id;

	id_new(&id);
	piece_row(p, S_CHILD);
	piece_uuid(p, account);
	piece_uuid(p, &id);
	piece_uuid(p, parent);
	piece_str(p, body);
	piece_str(p, "{\"a\": [1, \"ü\"]}");
	piece_int(p, 1);
	piece_int(p, INT32_MIN);
	piece_int(p, INT64_MAX);
	piece_int(p, INT64_C(1700000000123456));
	piece_text(p, "a\0b", 3);
}

void
add_sum(struct piece *p, const struct uuid *account, const char *name,
    int64_t n, int64_t most)
{
	piece_row(p, S_SUM);
	piece_uuid(p, account);
	piece_str(p, name);
	piece_int(p, n);
	piece_int(p, most);
}

/* A whole piece: the child stands before its parent, which must not matter. */
struct piece *
whole(const struct uuid *account, const char *body, int64_t most)
{
	struct piece *p = piece_new(account);
	struct uuid parent;

	id_new(&parent);
	add_sum(p, account, "all", 1, most);
	add_child(p, account, &parent, body);
	add_parent(p, account, &parent);
	return p;
}

int
dead_lines(void)
{
	char line[65536];
	FILE *f = fopen(dead, "r");
	json_t *j;
	int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		j = json_loads(line, 0, NULL);
		assert_non_null(j);
		assert_int_equal(
		    json_array_size(json_object_get(j, "rows")), 3);
		json_decref(j);
		n++;
	}
	fclose(f);
	return n;
}

static void *
call(void *arg)
{
	struct caller *c = arg;
	struct err e;
	int i;

	for (i = 0; i < c->pieces; i++) {
		bool bad = c->bad_every > 0 && i % c->bad_every == 0;

		memset(&e, 0, sizeof(e));
		if (writer_commit(c->w,
			whole(&c->account, bad ? "bad" : "good",
			    c->number * 100000 + i),
			clock_mono() + 30 * CLOCK_S, &e) >= 0)
			c->ok++;
		else if (e.code == ERR_INTERNAL)
			c->refused++;
		else
			c->late++;
	}
	return NULL;
}

void
start(struct caller *c, int n, struct writer *w, int pieces, int bad_every)
{
	int i;

	for (i = 0; i < n; i++) {
		memset(&c[i], 0, sizeof(c[i]));
		c[i].w = w;
		c[i].pieces = pieces;
		c[i].bad_every = bad_every;
		c[i].number = i;
		id_new(&c[i].account);
		assert_int_equal(
		    pthread_create(&c[i].thread, NULL, call, &c[i]), 0);
	}
}

int
rig_set_up(void **state)
{
	int fd = mkstemp(dead);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	db = dbtemp_new_empty();
	mem_free(dbtemp_sql(db, "sb_owner", schema));
	return 0;
}

int
rig_tear_down(void **state)
{
	(void)state;
	unlink(dead);
	dbtemp_drop(db);
	return 0;
}
