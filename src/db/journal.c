/*
 * Writing journals: one file a writer, made when the database fails it, synced
 * with each batch, removed when all of it has been stored.  A file shows under
 * its name only when its head is written and its lock held.
 */
#include "db/journal_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define SLOT_DIGITS 3

uint64_t
journal_sum(const void *p, size_t n)
{
	/* Against accidents, not strangers: the key is no secret. */
	static const uint64_t key[2] = { 0x53424a31, 0x6a6f7572 };

	return hash_keyed(key, p, n);
}

static bool
ends_in(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0;
}

/* Files are named by slot and a UUIDv7, which holds the time. */
static void
look_at(int dir, const char *name, struct journal_state *ret)
{
	struct uuid id;
	struct stat st;
	int64_t at;

	if (ends_in(name, JOURNAL_DAMAGED))
		ret->damaged++;
	if (!ends_in(name, JOURNAL_SUFFIX) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	ret->files++;
	ret->bytes += st.st_size;
	if (strlen(name) < SLOT_DIGITS + UUID_TEXT ||
	    id_parse(name + SLOT_DIGITS + 1, UUID_TEXT - 1, &id) != 0)
		return;
	at = id_time_ms(&id) * 1000;
	if (ret->oldest_us == 0 || at < ret->oldest_us)
		ret->oldest_us = at;
}

int
journal_look(const char *path, struct journal_state *ret, struct err *e)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	memset(ret, 0, sizeof(*ret));
	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL)
		return err_set(
		    e, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	while ((d = readdir(dir)) != NULL)
		look_at(dirfd(dir), d->d_name, ret);
	closedir(dir);
	return 0;
}

int
journal_sync_dir(const char *path, struct err *e)
{
	auto_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return err_set(
		    e, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	return 0;
}

struct journal *
journal_new(const void *ctx, const struct writer_opts *o)
{
	struct journal *j = mem_new(ctx, struct journal);

	j->dir = mem_strdup(j, o->journal_dir);
	j->slot = o->journal_slot;
	j->max = o->journal_max;
	j->stmts = o->stmts;
	j->nstmts = o->nstmts;
	j->fd = -1;
	/* If it cannot be made, the first batch for it says so. */
	if (mkdir(j->dir, S_IRWXU) == 0)
		(void)journal_sync_dir(mem_printf(j, "%s/..", j->dir), NULL);
	pthread_mutex_init(&j->lock, NULL);
	buf_init(&j->frame, j, RECORD_MAX);
	return j;
}

/* The file, if there is one, stays for who comes next. */
void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	if (j->fd >= 0)
		close(j->fd);
	pthread_mutex_destroy(&j->lock);
	mem_free(j);
}

bool
journal_active(struct journal *j)
{
	bool active;

	pthread_mutex_lock(&j->lock);
	active = j->fd >= 0;
	pthread_mutex_unlock(&j->lock);
	return active;
}

off_t
journal_end(struct journal *j, int *fd)
{
	off_t end;

	pthread_mutex_lock(&j->lock);
	*fd = j->fd;
	end = j->fd >= 0 ? j->end : -1;
	pthread_mutex_unlock(&j->lock);
	return end;
}

/* --- frames -------------------------------------------------------------- */

static void
frame_begin(struct buf *b, const char *kind)
{
	static const char later[FRAME - 4];

	buf_clear(b);
	buf_add(b, kind, 4);
	buf_add(b, later, sizeof(later));
}

/* Fill in length and checksum. */
static int
frame_end(struct buf *b, struct err *e)
{
	uint32_t len;
	uint64_t sum;

	if (buf_failed(b))
		return err_set(
		    e, ERR_INTERNAL, "a batch is too large for the journal");
	len = (uint32_t)(b->len - FRAME);
	sum = journal_sum(b->data + FRAME, len);
	memcpy(b->data + 4, &len, sizeof(len));
	memcpy(b->data + 8, &sum, sizeof(sum));
	return 0;
}

static int
write_at(int fd, const struct buf *b, off_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		n = pwrite(fd, b->data + done, b->len - done, at + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return fdatasync(fd);
}

static void
put_head(const struct journal *j, struct buf *b)
{
	static const char letters[] = COL_LETTERS;
	uint32_t version = JOURNAL_VERSION, order = JOURNAL_ORDER;
	int s, c;

	frame_begin(b, FRAME_HEAD);
	buf_add(b, &version, sizeof(version));
	buf_add(b, &order, sizeof(order));
	for (s = 0; s < j->nstmts; s++) {
		buf_addf(b, "%s ", j->stmts[s].name);
		for (c = 0; c < j->stmts[s].ncols; c++)
			buf_addc(b, letters[j->stmts[s].col[c]]);
		buf_addc(b, '\n');
	}
}

static void
put_record(
    struct buf *b, const struct uuid *id, struct piece *const *pieces, size_t n)
{
	int64_t now = clock_wall_us();
	uint32_t count = (uint32_t)n, len;
	size_t i;

	frame_begin(b, FRAME_RECORD);
	buf_add(b, id->b, sizeof(id->b));
	buf_add(b, &now, sizeof(now));
	buf_add(b, &count, sizeof(count));
	for (i = 0; i < n; i++) {
		len = (uint32_t)pieces[i]->cells.len;
		buf_add(b, pieces[i]->account.b, 16);
		buf_add(b, &len, sizeof(len));
		buf_add(b, pieces[i]->cells.data, len);
	}
}

/* --- the file ------------------------------------------------------------ */

/* Write the head of ${fd}, which is ${path}.new, and give it its name. */
static int
show(struct journal *j, int fd, const char *made, const char *path,
    struct err *e)
{
	put_head(j, &j->frame);
	if (frame_end(&j->frame, e) != 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 ||
	    write_at(fd, &j->frame, 0) != 0 || rename(made, path) != 0) {
		err_set(e, ERR_INTERNAL, "%s: %s", made, strerror(errno));
		unlink(made);
		return -1;
	}
	return journal_sync_dir(j->dir, e);
}

static int
create(struct journal *j, struct err *e)
{
	char name[UUID_TEXT], *path, *made;
	struct uuid id;
	int fd;

	id_new(&id);
	id_format(&id, name);
	path = mem_printf(
	    j, "%s/%0*u-%s" JOURNAL_SUFFIX, j->dir, SLOT_DIGITS, j->slot, name);
	made = mem_printf(path, "%s" JOURNAL_NEW, path);
	fd = open(
	    made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0) {
		err_set(e, ERR_INTERNAL, "%s: %s", made, strerror(errno));
		mem_free(path);
		return -1;
	}
	if (show(j, fd, made, path, e) != 0) {
		unlink(path);
		close(fd);
		mem_free(path);
		return -1;
	}
	j->fd = fd;
	j->path = path;
	j->end = (off_t)j->frame.len;
	return 0;
}

static int
append(struct journal *j, const struct uuid *id, struct piece *const *pieces,
    size_t n, struct err *e)
{
	struct journal_state all;

	if (journal_look(j->dir, &all, e) != 0)
		return -1;
	if (j->fd < 0 && create(j, e) != 0)
		return -1;
	put_record(&j->frame, id, pieces, n);
	if (frame_end(&j->frame, e) != 0)
		return -1;
	if (all.bytes + (int64_t)j->frame.len > j->max)
		return err_set(e, ERR_UNAVAILABLE,
		    "the journals have reached journal_max, %lld bytes",
		    (long long)j->max);
	if (write_at(j->fd, &j->frame, j->end) != 0) {
		err_set(e, ERR_INTERNAL, "%s: %s", j->path, strerror(errno));
		/* Not even a part of it; what cannot be cut off now is
		 * written over, or found torn. */
		if (ftruncate(j->fd, j->end) != 0)
			err_prefix(e, "(and not cut off)");
		return -1;
	}
	j->end += (off_t)j->frame.len;
	/* An eighth is kept for the turns that run already. */
	atomic_store(
	    &j->full, all.bytes + (int64_t)j->frame.len > j->max - j->max / 8);
	return 0;
}

int
journal_append(struct journal *j, const struct uuid *id,
    struct piece *const *pieces, size_t n, struct err *e)
{
	int rc;

	pthread_mutex_lock(&j->lock);
	rc = append(j, id, pieces, n, e);
	if (rc != 0)
		atomic_store(&j->full, true);
	pthread_mutex_unlock(&j->lock);
	return rc;
}

bool
journal_finish(struct journal *j, off_t end, bool damaged)
{
	bool all;

	pthread_mutex_lock(&j->lock);
	all = j->fd >= 0 && j->end == end;
	if (all) {
		/* Should it stay, it would be replayed again, to no effect. */
		if (damaged)
			journal_set_aside(j->dir, j->path);
		else
			unlink(j->path);
		(void)journal_sync_dir(j->dir, NULL);
		close(j->fd);
		mem_free(j->path);
		j->path = NULL;
		j->fd = -1;
		atomic_store(&j->full, false);
	}
	pthread_mutex_unlock(&j->lock);
	return all;
}
