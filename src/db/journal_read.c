/*
 * Reading journals, also those of a process that died while it wrote and of a
 * program older than this one: a record that was never finished is dropped, one
 * that does not read is passed over and its file kept, and rows name their
 * statements through the file's head.
 */
#include "db/journal_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "telemetry/log.h"
#include "util/mem.h"

#include "util/banned.h"

#define HEAD_MAX 65536
#define RECORD_LEAST 28 /* id, time, pieces */
#define PIECE_LEAST 20  /* account, length */

/* --- bytes --------------------------------------------------------------- */

static int
read_at(int fd, void *out, size_t n, off_t at)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		got = pread(fd, (char *)out + done, n - done, at + (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

/*
 * The frame at ${at}, its payload talloc'd below ctx; NULL when there is none
 * that is whole.  *cut: because the bytes end before it does.
 */
static char *
read_frame(int fd, const char *kind, off_t at, off_t end, size_t most,
    const void *ctx, size_t *len, bool *cut)
{
	char head[FRAME], *payload;
	uint32_t n;
	uint64_t sum;

	*cut = end - at < FRAME;
	if (*cut || read_at(fd, head, sizeof(head), at) != 0 ||
	    memcmp(head, kind, 4) != 0)
		return NULL;
	memcpy(&n, head + 4, sizeof(n));
	memcpy(&sum, head + 8, sizeof(sum));
	*cut = n > end - at - FRAME;
	if (*cut || n > most)
		return NULL;
	payload = mem_array(ctx, char, (size_t)n + 1);
	if (read_at(fd, payload, n, at + FRAME) != 0 ||
	    journal_sum(payload, n) != sum) {
		mem_free(payload);
		return NULL;
	}
	*len = n;
	return payload;
}

/* --- the head ------------------------------------------------------------ */

static int
find_ours(
    const struct writer_stmt *s, const struct writer_stmt *ours, int nours)
{
	int i;

	for (i = 0; i < nours; i++)
		if (strcmp(ours[i].name, s->name) == 0 &&
		    ours[i].ncols >= s->ncols &&
		    memcmp(ours[i].col, s->col,
			(size_t)s->ncols * sizeof(s->col[0])) == 0)
			return i;
	return -1;
}

/* A line of the head: name, space, types. */
static int
read_stmt(struct journal_file *f, char *line)
{
	static const char letters[] = COL_LETTERS;
	struct writer_stmt *s = &f->stmts[f->nstmts];
	char *types = strchr(line, ' ');
	const char *letter;

	if (types == NULL || f->nstmts == WRITER_STMTS)
		return -1;
	*types++ = '\0';
	*s = (struct writer_stmt){ .name = mem_strdup(f->stmts, line) };
	for (; *types != '\0'; types++) {
		letter = strchr(letters, *types);
		if (letter == NULL || s->ncols == WRITER_COLS)
			return -1;
		s->col[s->ncols++] = (enum col_type)(letter - letters);
	}
	return 0;
}

static int
read_layout(struct journal_file *f, const void *ctx, char *text)
{
	char *line, *next = NULL;
	uint32_t version, order;

	memcpy(&version, text, sizeof(version));
	memcpy(&order, text + 4, sizeof(order));
	if (version != JOURNAL_VERSION || order != JOURNAL_ORDER)
		return -1;
	f->stmts = mem_array(ctx, struct writer_stmt, WRITER_STMTS);
	f->nstmts = 0;
	for (line = strtok_r(text + 8, "\n", &next); line != NULL;
	     line = strtok_r(NULL, "\n", &next)) {
		if (read_stmt(f, line) != 0)
			return -1;
		f->nstmts++;
	}
	return 0;
}

int
journal_file_head(struct journal_file *f, const void *ctx, int fd,
    const struct writer_stmt *ours, int nours, struct err *e)
{
	struct stat st;
	size_t len = 0;
	char *text;
	bool cut;
	int i, rc = -1;

	memset(f, 0, sizeof(*f));
	f->fd = fd;
	if (fstat(fd, &st) != 0)
		return err_set(e, ERR_INTERNAL, "%s", strerror(errno));
	text = read_frame(
	    fd, FRAME_HEAD, 0, st.st_size, HEAD_MAX, ctx, &len, &cut);
	if (text != NULL && len >= 8)
		rc = read_layout(f, ctx, text);
	mem_free(text);
	if (rc != 0)
		return err_set(e, ERR_INTERNAL,
		    "its head is damaged or of a version or machine that "
		    "this program does not know");
	for (i = 0; i < f->nstmts; i++) {
		f->map[i] = find_ours(&f->stmts[i], ours, nours);
		if (f->map[i] >= 0)
			f->more[i] = ours[f->map[i]].ncols - f->stmts[i].ncols;
	}
	f->pos = (off_t)(FRAME + len);
	return 0;
}

/* --- records ------------------------------------------------------------- */

void
record_free(struct record *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		piece_free(r->pieces[i]);
	mem_free(r->pieces);
	r->pieces = NULL;
	r->n = 0;
}

static struct piece *
read_piece(const struct journal_file *f, const char **at, const char *end)
{
	struct uuid account;
	struct piece *p;
	uint32_t len;

	if (end - *at < PIECE_LEAST)
		return NULL;
	memcpy(account.b, *at, 16);
	memcpy(&len, *at + 16, sizeof(len));
	*at += PIECE_LEAST;
	if (len > end - *at)
		return NULL;
	p = piece_new(&account);
	buf_add(&p->cells, *at, len);
	*at += len;
	if (piece_check(p, f->stmts, f->nstmts, NULL) != 0) {
		piece_free(p);
		return NULL;
	}
	return p;
}

static int
read_record(const struct journal_file *f, const char *at, size_t len,
    const void *ctx, struct record *r)
{
	const char *end = at + len;
	uint32_t count;

	memset(r, 0, sizeof(*r));
	if (len < RECORD_LEAST)
		return -1;
	memcpy(r->id.b, at, 16);
	memcpy(&count, at + 24, sizeof(count));
	at += RECORD_LEAST;
	if (count > (len - RECORD_LEAST) / PIECE_LEAST)
		return -1;
	r->pieces = mem_array(ctx, struct piece *, (size_t)count + 1);
	for (; r->n < count; r->n++) {
		r->pieces[r->n] = read_piece(f, &at, end);
		if (r->pieces[r->n] == NULL) {
			record_free(r);
			return -1;
		}
	}
	return 0;
}

/* The place of the next whole record behind ${at}, ${end} if there is none. */
static off_t
next_whole(const struct journal_file *f, off_t at, off_t end)
{
	char *all = mmap(NULL, (size_t)end, PROT_READ, MAP_PRIVATE, f->fd, 0);
	const char *p;
	uint32_t n;
	uint64_t sum;
	off_t found = end;

	if (all == MAP_FAILED)
		return end;
	for (at++; end - at > FRAME; at = p - all + 1) {
		p = memmem(all + at, (size_t)(end - at), FRAME_RECORD, 4);
		if (p == NULL || all + end - p < FRAME)
			break;
		memcpy(&n, p + 4, sizeof(n));
		memcpy(&sum, p + 8, sizeof(sum));
		if (n <= all + end - p - FRAME &&
		    journal_sum(p + FRAME, n) == sum) {
			found = p - all;
			break;
		}
	}
	munmap(all, (size_t)end);
	return found;
}

/* What stands at f->pos does not read. */
static void
pass_over(struct journal_file *f, off_t end, bool cut)
{
	off_t next = next_whole(f, f->pos, end);

	/* The last thing its writer did, which nobody was told of. */
	if (next == end && cut) {
		log_event(LOG_WARN, "journal_torn", "file", f->path, "bytes",
		    log_int(end - f->pos), NULL);
	} else {
		log_event(LOG_ERROR, "journal_damaged", "file", f->path, "at",
		    log_int(f->pos), "bytes", log_int(next - f->pos), NULL);
		f->damaged = true;
	}
	f->pos = next;
}

int
journal_file_next(
    struct journal_file *f, off_t end, const void *ctx, struct record *ret)
{
	size_t len = 0;
	char *payload;
	bool cut;
	int rc;

	while (f->pos < end) {
		payload = read_frame(f->fd, FRAME_RECORD, f->pos, end,
		    RECORD_MAX, ctx, &len, &cut);
		if (payload == NULL) {
			pass_over(f, end, cut);
			continue;
		}
		rc = read_record(f, payload, len, ctx, ret);
		mem_free(payload);
		if (rc == 0) {
			f->pos += (off_t)(FRAME + len);
			return 1;
		}
		pass_over(f, end, false);
	}
	return 0;
}

/* Columns that rows of an older program do not have are null. */
static void
add_nulls(struct piece *p, int n)
{
	while (n-- > 0)
		piece_null(p);
}

const char *
journal_file_map(const struct journal_file *f, struct piece *p)
{
	struct piece was = { .cells = p->cells };
	size_t pos = 0, at = 0;
	struct cell c;
	int more = 0;

	while (cell_next(p, &pos, &c))
		if (c.tag == CELL_ROW && f->map[c.stmt] < 0)
			return f->stmts[c.stmt].name;
	was.cells.data = mem_zalloc(p, p->cells.len + 1, "cells");
	memcpy(was.cells.data, p->cells.data, p->cells.len);
	p->cells.len = 0;
	pos = 0;
	while (cell_next(&was, &pos, &c)) {
		if (c.tag == CELL_ROW) {
			add_nulls(p, more);
			more = f->more[c.stmt];
			piece_row(p, f->map[c.stmt]);
		} else {
			buf_add(&p->cells, was.cells.data + at, pos - at);
		}
		at = pos;
	}
	add_nulls(p, more);
	mem_free(was.cells.data);
	return NULL;
}

/* --- files of the dead --------------------------------------------------- */

void
journal_set_aside(const char *dir, const char *path)
{
	char *kept = mem_printf(NULL, "%s" JOURNAL_DAMAGED, path);

	log_event(LOG_ERROR, "journal_kept", "file", kept, NULL);
	if (rename(path, kept) == 0)
		(void)journal_sync_dir(dir, NULL);
	mem_free(kept);
}

int
journal_file_open(struct journal_file *f, const void *ctx, const char *dir,
    const char *name, const struct writer_stmt *ours, int nours, struct err *e)
{
	char *path = mem_printf(ctx, "%s/%s", dir, name);
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(
		    e, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	/* Somebody's, or it was and has gone with its last batch. */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 ||
	    st.st_nlink == 0) {
		close(fd);
		return 0;
	}
	if (journal_file_head(f, ctx, fd, ours, nours, e) != 0) {
		err_prefix(e, "%s", path);
		journal_set_aside(dir, path);
		close(fd);
		return -1;
	}
	f->own_fd = true;
	f->path = path;
	return 1;
}

void
journal_file_done(struct journal_file *f, const char *dir)
{
	if (f->damaged) {
		journal_set_aside(dir, f->path);
		return;
	}
	unlink(f->path);
	(void)journal_sync_dir(dir, NULL);
}

void
journal_file_close(struct journal_file *f)
{
	if (f->own_fd)
		close(f->fd);
	f->own_fd = false;
}
