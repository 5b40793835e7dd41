/*
 * Dead letters: what the database refused, kept for a human, with everything
 * needed to store it later.  They hold what people wrote: mode 0600.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "db/writer_priv.h"

#include "util/banned.h"

#define LINE_MAX_BYTES (64 * 1024 * 1024)

static void
add_str(struct buf *b, const char *s)
{
	buf_json_str(b, s, strlen(s));
}

static void
add_cell(struct buf *b, enum col_type type, const struct cell *c)
{
	struct uuid u;
	char id[UUID_TEXT], *hex;

	switch (c->tag) {
	case CELL_ROW:
	case CELL_NULL:
		buf_adds(b, "null");
		break;
	case CELL_UUID:
		memcpy(u.b, c->p, sizeof(u.b));
		id_format(&u, id);
		add_str(b, id);
		break;
	case CELL_TEXT: /* JSON cannot hold bytes as they are */
		if (type != COL_BYTEA && str_utf8_valid(c->p, c->len)) {
			buf_json_str(b, c->p, c->len);
			break;
		}
		hex = mem_array(b->ctx, char, 2 * c->len + 1);
		str_hex(c->p, c->len, hex);
		buf_addf(b, "{\"hex\":\"%s\"}", hex);
		mem_free(hex);
		break;
	case CELL_INT:
		buf_addf(b, "%lld", (long long)c->i);
		break;
	}
}

static void
add_rows(struct buf *b, const struct piece *p, const struct writer_stmt *stmts)
{
	const struct writer_stmt *s = NULL;
	struct cell c;
	size_t pos = 0;
	int col = 0;

	while (cell_next(p, &pos, &c)) {
		if (c.tag == CELL_ROW) {
			buf_adds(b, s == NULL ? "{\"statement\":"
					      : "]},{\"statement\":");
			s = &stmts[c.stmt];
			add_str(b, s->name);
			buf_adds(b, ",\"values\":[");
			col = 0;
			continue;
		}
		if (s == NULL) /* piece_check has seen to it */
			continue;
		if (col > 0)
			buf_addc(b, ',');
		add_cell(b, s->col[col++], &c);
	}
	if (s != NULL)
		buf_adds(b, "]}");
}

static int
append(const char *path, const struct buf *b, struct err *e)
{
	auto_fd fd = open(
	    path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return err_set(
		    e, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	while (done < b->len) {
		n = write(fd, b->data + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(
			    e, ERR_INTERNAL, "%s: %s", path, strerror(errno));
		done += (size_t)n;
	}
	if (fsync(fd) != 0)
		return err_set(
		    e, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	return 0;
}

int
dead_letter(const char *path, const struct piece *p,
    const struct writer_stmt *stmts, const struct uuid *batch,
    const struct conn_failure *why, struct err *e)
{
	char when[CLOCK_RFC3339_SIZE], id[UUID_TEXT];
	struct buf b;
	int rc;

	buf_init(&b, NULL, LINE_MAX_BYTES);
	clock_rfc3339(clock_wall_us(), when);
	buf_addf(&b, "{\"time\":\"%s\"", when);
	id_format(&p->account, id);
	buf_addf(&b, ",\"account_id\":\"%s\"", id);
	id_format(batch, id);
	buf_addf(&b, ",\"batch_id\":\"%s\",\"sqlstate\":", id);
	add_str(&b, why->sqlstate);
	buf_adds(&b, ",\"constraint\":");
	add_str(&b, why->constraint);
	buf_adds(&b, ",\"message\":");
	add_str(&b, why->message);
	buf_adds(&b, ",\"rows\":[");
	add_rows(&b, p, stmts);
	buf_adds(&b, "]}\n");
	rc = buf_failed(&b)
	         ? err_set(e, ERR_INTERNAL, "a dead letter is too large")
	         : append(path, &b, e);
	buf_free(&b);
	return rc;
}

int
bury(const char *path, const struct piece *p, const struct writer_stmt *stmts,
    const struct uuid *batch, const struct conn_failure *why)
{
	char account[UUID_TEXT];
	struct err e = { 0 };

	if (dead_letter(path, p, stmts, batch, why, &e) != 0) {
		log_event(LOG_ERROR, "dead_letter_lost", "error", e.text, NULL);
		return -1;
	}
	metric_add(M_WRITER_DEAD, 1);
	id_format(&p->account, account);
	log_event(LOG_ERROR, "dead_letter", "account_id", account, "sqlstate",
	    why->sqlstate, "constraint", why->constraint, "file", path, NULL);
	return 0;
}
