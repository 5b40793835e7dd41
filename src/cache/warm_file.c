/*
 * The file of the warm tier: opened as it is if it is ours and sound, else made
 * anew.  No MDB_WRITEMAP: with it a full file system would kill the writer
 * (SIGBUS) and a stray pointer could damage what all workers share; a write
 * through the file costs microseconds in a thread that nobody waits for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/warm_priv.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/id.h"
#include "util/mem.h"

#include "util/banned.h"

#define DATA "data.mdb"
#define LOCK "lock.mdb"
#define GUARD "guard"
#define PATH_SIZE 512
/* As many processes as a server may have, each with all its readers. */
#define READERS_ALL 4096
#define MAP_LEAST ((size_t)32 << 20)
#define MAP_PER_ENTRY ((size_t)8 << 10) /* one of each kind */
#define GUARD_NS (2 * CLOCK_S)

/* What a file says of itself; another layout has another number. */
static const struct about {
	char magic[8];
	uint32_t layout, head;
} about_ours = { "sb-warm", 1, sizeof(struct warm_head) };

struct about_file {
	struct about about;
	uint64_t seed[2];
};

static const char *const names[WARM_KINDS] = { "account", "key", "spec",
	"credential" };

static void
path_of(const char *dir, const char *name, char out[PATH_SIZE])
{
	snprintf(out, PATH_SIZE, "%s/%s", dir, name);
}

/* Opening, judging and replacing a file is for one process at a time. */
static int
guard(const char *dir)
{
	int64_t limit = clock_mono() + GUARD_NS;
	char path[PATH_SIZE];
	int fd;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return -1;
	path_of(dir, GUARD, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (clock_mono() >= limit) {
			close(fd);
			return -1;
		}
		poll(NULL, 0, 1);
	}
	return fd;
}

static void
remove_file(const char *dir)
{
	char path[PATH_SIZE];

	path_of(dir, DATA, path);
	(void)unlink(path);
	path_of(dir, LOCK, path);
	(void)unlink(path);
}

void
warm_discard(const char *dir)
{
	remove_file(dir);
}

/* Is it ours, and of this layout?  A new one becomes it. */
static int
claim(struct warm_env *w, MDB_txn *txn)
{
	MDB_val key = { 5, (void *)"about" }, value;
	struct about_file f;
	MDB_dbi meta;
	int rc = mdb_dbi_open(txn, "about", MDB_CREATE, &meta);

	if (rc == 0)
		rc = mdb_get(txn, meta, &key, &value);
	if (rc == MDB_NOTFOUND) {
		f.about = about_ours;
		id_random(f.seed, sizeof(f.seed));
		value = (MDB_val){ sizeof(f), &f };
		rc = mdb_put(txn, meta, &key, &value, 0);
	} else if (rc == 0 && value.mv_size == sizeof(f)) {
		memcpy(&f, value.mv_data, sizeof(f));
		if (memcmp(&f.about, &about_ours, sizeof(f.about)) != 0)
			rc = MDB_VERSION_MISMATCH;
	} else if (rc == 0) {
		rc = MDB_VERSION_MISMATCH;
	}
	if (rc == 0)
		memcpy(w->seed, f.seed, sizeof(w->seed));
	return rc;
}

static int
prepare(struct warm_env *w)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(w->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = claim(w, txn);
	for (int i = 0; rc == 0 && i < WARM_KINDS; i++)
		rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &w->kind[i]);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* Does the file hold all the pages that it says it has?  One that was cut off
 * would kill who reads them. */
static int
whole(MDB_env *env, const char *path, ino_t *ino)
{
	struct MDB_envinfo info;
	struct MDB_stat ms;
	struct stat st;
	int rc = mdb_env_info(env, &info);

	if (rc == 0)
		rc = mdb_env_stat(env, &ms);
	if (rc == 0 && stat(path, &st) != 0)
		rc = errno;
	if (rc != 0)
		return rc;
	*ino = st.st_ino;
	return (size_t)st.st_size >= (info.me_last_pgno + 1) * ms.ms_psize
	           ? 0
	           : MDB_CORRUPTED;
}

static int
open_once(const char *dir, unsigned most, struct warm_env *w)
{
	size_t size = most * MAP_PER_ENTRY;
	char path[PATH_SIZE];
	int rc = mdb_env_create(&w->env);

	if (rc != 0)
		return rc;
	if (size < MAP_LEAST)
		size = MAP_LEAST;
	path_of(dir, DATA, path);
	rc = mdb_env_set_mapsize(w->env, size);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(w->env, READERS_ALL);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(w->env, WARM_KINDS + 1);
	if (rc == 0)
		rc = mdb_env_open(
		    w->env, dir, MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD, 0600);
	if (rc == 0)
		rc = whole(w->env, path, &w->ino);
	if (rc == 0)
		rc = prepare(w);
	if (rc == 0)
		/* Readers of the dead, whatever made us start. */
		rc = mdb_reader_check(w->env, NULL);
	if (rc == 0)
		return 0;
	warm_env_close(w);
	return rc;
}

int
warm_env_open(const char *dir, unsigned most, bool fresh, struct warm_env *ret,
    struct err *e)
{
	auto_fd fd = guard(dir);
	int rc;

	if (fd < 0)
		return err_set(e, ERR_UNAVAILABLE, "%s: %s", dir,
		    errno != 0 ? strerror(errno) : "held by another");
	if (fresh)
		remove_file(dir);
	rc = open_once(dir, most, ret);
	/* Too many processes or a full disk is nothing that a new file mends.
	 */
	if (rc != 0 && rc != MDB_READERS_FULL && rc != ENOSPC && rc != ENOMEM) {
		remove_file(dir);
		rc = open_once(dir, most, ret);
	}
	if (rc != 0)
		return err_set(
		    e, ERR_UNAVAILABLE, "%s: %s", dir, mdb_strerror(rc));
	return 0;
}

void
warm_env_close(struct warm_env *w)
{
	if (w->env != NULL)
		mdb_env_close(w->env);
	*w = (struct warm_env){ .env = NULL };
}

bool
warm_env_there(const char *dir, const struct warm_env *w)
{
	char path[PATH_SIZE];
	struct stat st;

	path_of(dir, DATA, path);
	return stat(path, &st) == 0 && st.st_ino == w->ino;
}

uint64_t
warm_hash(const struct warm_env *w, enum warm_kind kind, const char *key)
{
	uint64_t seed[2] = { w->seed[0] + kind, w->seed[1] };

	return hash_keyed(seed, key, strlen(key));
}
