/*
 * A head that says whose it is, then records, appended in one write each.  A
 * reader takes what is whole and comes again when the turn's bell rings.
 *
 * A worker removes its own files 60 s after their end; it remembers so many of
 * them and removes the oldest early when there are more, so that neither tmpfs
 * nor memory grows with the load.  What a dead worker wrote is swept.
 */
#include "chat/event_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "account/account.h"
#include "auth/key.h"
#include "chat/turn_priv.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define ENDED_MAX 4096 /* files of a worker that are kept for readers */
#define PATH_SIZE 160
#define READ_SIZE 4096

struct head {
	struct uuid account, owner; /* nil: an API caller's */
};

struct record {
	int64_t n;
	uint32_t len;
	char name[EVENT_NAME];
};

struct event_log {
	int fd;
	size_t size;
	bool full;
	struct uuid turn;
	const char *dir;
	struct live *live;
};

struct event_reader {
	int fd;
	off_t at; /* of the next record */
	char *data;
	size_t cap;
};

/* Files that have ended, oldest first. */
static struct {
	pthread_mutex_t mu;
	struct {
		struct uuid turn;
		int64_t at;
	} file[ENDED_MAX];
	unsigned first, n;
} ended = { .mu = PTHREAD_MUTEX_INITIALIZER };

static void
path_of(const char *dir, const struct uuid *turn, char out[PATH_SIZE])
{
	char id[UUID_TEXT];

	id_format(turn, id);
	snprintf(out, PATH_SIZE, "%s/%s", dir, id);
}

static void
drop_oldest(const char *dir)
{
	char path[PATH_SIZE];

	path_of(dir, &ended.file[ended.first].turn, path);
	unlink(path);
	ended.first = (ended.first + 1) % ENDED_MAX;
	ended.n--;
}

static void
remember_ended(const char *dir, const struct uuid *turn)
{
	unsigned i;

	pthread_mutex_lock(&ended.mu);
	if (ended.n == ENDED_MAX)
		drop_oldest(dir);
	i = (ended.first + ended.n++) % ENDED_MAX;
	ended.file[i].turn = *turn;
	ended.file[i].at = clock_mono();
	pthread_mutex_unlock(&ended.mu);
}

void
event_log_tidy(const char *dir)
{
	int64_t now = clock_mono();

	pthread_mutex_lock(&ended.mu);
	while (ended.n > 0 &&
	       now - ended.file[ended.first].at >= EVENT_LOG_KEPT_S * CLOCK_S)
		drop_oldest(dir);
	pthread_mutex_unlock(&ended.mu);
}

bool
event_log_setup(const char *dir)
{
	return mkdir(dir, 0700) == 0 || errno == EEXIST;
}

/*
 * Writing
 */

static int
log_drop(struct event_log *l)
{
	close(l->fd);
	remember_ended(l->dir, &l->turn);
	return 0;
}

struct event_log *
event_log_begin(struct chat_turn *t)
{
	const struct chat_turn_priv *p = t->priv;
	const char *dir = p->deps->turns_dir;
	struct head head = { .account = t->account->id };
	char path[PATH_SIZE];
	struct event_log *l;
	int fd;

	if (!dir)
		return NULL;
	head.owner = key_owner(p->ask->key);
	path_of(dir, &t->id, path);
	fd = open(
	    path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	if (write(fd, &head, sizeof(head)) != (ssize_t)sizeof(head)) {
		unlink(path);
		close(fd);
		return NULL;
	}
	l = mem_new(t, struct event_log);
	l->fd = fd;
	l->size = sizeof(head);
	l->turn = t->id;
	l->dir = dir;
	l->live = p->live;
	talloc_set_destructor(l, log_drop);
	return l;
}

void
event_log_add(struct event_log *l, const struct event *ev)
{
	struct record r = { .n = ev->n, .len = (uint32_t)ev->len };
	struct iovec v[2] = { { &r, sizeof(r) },
		{ (char *)(uintptr_t)ev->data, ev->len } };
	size_t all = sizeof(r) + ev->len;

	if (!l || l->full)
		return;
	memcpy(r.name, ev->name, EVENT_NAME);
	/* Of a record that tmpfs had no room for, readers see no end. */
	if (ev->len > EVENT_LOG_MAX || l->size + all > EVENT_LOG_MAX ||
	    writev(l->fd, v, 2) != (ssize_t)all)
		l->full = true;
	l->size += all;
	live_said(l->live);
}

/*
 * Reading
 */

static int
reader_drop(struct event_reader *r)
{
	close(r->fd);
	return 0;
}

struct event_reader *
event_log_open(const void *ctx, const char *dir, const struct uuid *turn,
    const struct uuid *account, const struct uuid *owner)
{
	struct event_reader *r;
	char path[PATH_SIZE];
	struct head head;
	int fd;

	if (!dir)
		return NULL;
	path_of(dir, turn, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    !id_eq(&head.account, account) ||
	    (owner && !id_eq(&head.owner, owner))) {
		close(fd);
		return NULL;
	}
	r = mem_new(ctx, struct event_reader);
	r->fd = fd;
	r->at = sizeof(head);
	talloc_set_destructor(r, reader_drop);
	return r;
}

static void
make_room(struct event_reader *r, size_t len)
{
	if (len <= r->cap)
		return;
	mem_free(r->data);
	r->cap = len < READ_SIZE ? READ_SIZE : len;
	r->data = mem_array(r, char, r->cap);
}

int
event_log_next(struct event_reader *r, struct event *ev)
{
	struct record rec;

	if (pread(r->fd, &rec, sizeof(rec), r->at) != (ssize_t)sizeof(rec) ||
	    rec.len > EVENT_LOG_MAX)
		return 0;
	make_room(r, rec.len + 1);
	if (pread(r->fd, r->data, rec.len, r->at + (off_t)sizeof(rec)) !=
	    (ssize_t)rec.len)
		return 0;
	r->at += (off_t)(sizeof(rec) + rec.len);
	memcpy(ev->name, rec.name, EVENT_NAME);
	ev->name[EVENT_NAME - 1] = '\0';
	ev->n = rec.n;
	ev->data = r->data;
	ev->len = rec.len;
	return 1;
}

/*
 * What the dead have left
 */

static bool
is_old(int dir, const char *name, time_t now)
{
	struct uuid turn;
	struct stat st;

	return id_parse(name, strlen(name), &turn) == 0 &&
	       fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now - st.st_mtime > EVENT_LOG_KEPT_S && !live_runs(&turn);
}

unsigned
event_log_sweep(const char *dir)
{
	DIR *d = opendir(dir);
	time_t now = time(NULL);
	struct dirent *f;
	unsigned n = 0;

	if (!d)
		return 0;
	while ((f = readdir(d)) != NULL)
		if (is_old(dirfd(d), f->d_name, now) &&
		    unlinkat(dirfd(d), f->d_name, 0) == 0)
			n++;
	closedir(d);
	return n;
}
