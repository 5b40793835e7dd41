/*
 * Who may connect is decided by the file system alone: libfcgi gives up the
 * whole process on hostile bytes, so nobody but the web server gets near.
 */
#include "daemon/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf.h"

#include "util/banned.h"

/* sun_path has 108 places; some for ".new". */
#define PATH_LIMIT 100

const char *const socket_names[SOCKET_COUNT] = { "chat.sock", "admin.sock",
	"health.sock" };

struct owner {
	uid_t uid;
	gid_t gid;        /* of the user */
	gid_t socket_gid; /* of the sockets */
	char name[64];
};

static int
owner_find(const struct conf *c, struct owner *o, struct err *e)
{
	struct passwd *pw;
	struct group *gr;

	*o = (struct owner){ geteuid(), getegid(), getegid(), "" };
	if (c->user[0] != '\0') {
		pw = getpwnam(c->user);
		if (pw == NULL)
			return err_set(e, ERR_INVALID,
			    "user: there is no user %s", c->user);
		if (geteuid() != 0 && geteuid() != pw->pw_uid)
			return err_set(e, ERR_DENIED,
			    "user: only root can become %s", c->user);
		o->uid = pw->pw_uid;
		o->gid = o->socket_gid = pw->pw_gid;
		snprintf(o->name, sizeof(o->name), "%s", pw->pw_name);
	}
	if (c->socket_group[0] != '\0') {
		gr = getgrnam(c->socket_group);
		if (gr == NULL)
			return err_set(e, ERR_INVALID,
			    "socket_group: there is no group %s",
			    c->socket_group);
		o->socket_gid = gr->gr_gid;
	}
	return 0;
}

static int
path_of(const struct conf *c, const char *name, char *out, size_t max,
    struct err *e)
{
	int n = snprintf(out, max, "%s/%s", c->run_dir, name);

	if (n < 0 || (size_t)n >= max || n >= PATH_LIMIT)
		return err_set(e, ERR_INVALID,
		    "run_dir: %s/%s is too long for a socket (%d bytes at "
		    "most)",
		    c->run_dir, name, PATH_LIMIT - 1);
	return 0;
}

int
sockets_check(const struct conf *c, struct err *e)
{
	char path[PATH_LIMIT + 32];
	struct owner o;
	int i;

	if (c->run_dir[0] != '/')
		return err_set(e, ERR_INVALID,
		    "run_dir: %s is not an absolute path", c->run_dir);
	for (i = 0; i < SOCKET_COUNT; i++)
		if (path_of(c, socket_names[i], path, sizeof(path), e) != 0)
			return -1;
	return owner_find(c, &o, e);
}

/* The directory, and all that is above it, with ${mode} for our user and
 * ${gid}. */
static int
make_dir(const char *path, mode_t mode, const struct owner *o, gid_t gid,
    struct err *e)
{
	char part[512];
	struct stat st;
	size_t i, n = strlen(path);

	if (n >= sizeof(part))
		return err_set(e, ERR_INVALID, "%s: too long", path);
	memcpy(part, path, n + 1);
	for (i = 1; i < n; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return err_set(e, ERR_UNAVAILABLE, "%s: %s", part,
			    strerror(errno));
		part[i] = '/';
	}
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return err_set(
		    e, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_UNAVAILABLE, "%s: not a directory", path);
	if ((st.st_uid != o->uid || st.st_gid != gid) &&
	    chown(path, o->uid, gid) != 0)
		return err_set(e, ERR_UNAVAILABLE,
		    "%s: cannot give it to %s: %s", path,
		    o->name[0] != '\0' ? o->name : "our group",
		    strerror(errno));
	if (chmod(path, mode) != 0)
		return err_set(
		    e, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	return 0;
}

/* A POSIX lock: not inherited by the workers, and gone with the master however
 * it ends. */
static int
lock_take(const struct conf *c, const struct owner *o, struct err *e)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_LIMIT + 32];
	int fd;

	if (path_of(c, "master.lock", path, sizeof(path), e) != 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(
		    e, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	if (fcntl(fd, F_SETLK, &fl) != 0) {
		close(fd);
		return err_set(e, ERR_CONFLICT,
		    "%s: another switchboardd serves this run_dir", path);
	}
	if (fchown(fd, o->uid, o->gid) != 0) {
		err_set(e, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static int
socket_mode(const struct conf *c)
{
	long long d = c->socket_mode;

	return (int)((d / 100 % 10) << 6 | (d / 10 % 10) << 3 | d % 10);
}

static int
bind_one(const struct conf *c, const char *name, const struct owner *o,
    struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[PATH_LIMIT + 32];
	int fd, n;

	if (path_of(c, name, path, sizeof(path), e) != 0)
		return -1;
	n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return err_set(e, ERR_INVALID, "%s: too long", path);
	unlink(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const void *)&sa, sizeof(sa)) != 0 ||
	    chown(sa.sun_path, o->uid, o->socket_gid) != 0 ||
	    chmod(sa.sun_path, (mode_t)socket_mode(c)) != 0 ||
	    listen(fd, (int)c->socket_backlog) != 0 ||
	    rename(sa.sun_path, path) != 0) {
		err_set(e, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

int
sockets_open(const struct conf *c, struct sockets *s, struct err *e)
{
	struct owner o;
	int i;

	*s = (struct sockets){ { -1, -1, -1 },
		{ { -1, -1 }, { -1, -1 }, { -1, -1 } }, -1 };
	if (sockets_check(c, e) != 0 || owner_find(c, &o, e) != 0 ||
	    make_dir(c->run_dir, 0750, &o, o.socket_gid, e) != 0 ||
	    make_dir(c->state_dir, 0700, &o, o.gid, e) != 0)
		return -1;
	s->lock = lock_take(c, &o, e);
	if (s->lock < 0)
		return -1;
	for (i = 0; i < SOCKET_COUNT; i++) {
		s->fd[i] = bind_one(c, socket_names[i], &o, e);
		if (s->fd[i] < 0) {
			sockets_close(s, -1);
			return -1;
		}
		if (socketpair(AF_UNIX,
			SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			s->hand[i]) != 0) {
			err_set(e, ERR_UNAVAILABLE, "a pair of sockets: %s",
			    strerror(errno));
			sockets_close(s, -1);
			return -1;
		}
	}
	return 0;
}

void
sockets_unlink(const struct conf *c)
{
	char path[PATH_LIMIT + 32];
	int i;

	for (i = 0; i < SOCKET_COUNT; i++)
		if (path_of(c, socket_names[i], path, sizeof(path), NULL) == 0)
			unlink(path);
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
sockets_close(struct sockets *s, int keep)
{
	int i;

	for (i = 0; i < SOCKET_COUNT; i++)
		if (i != keep) {
			shut(&s->fd[i]);
			shut(&s->hand[i][0]);
			shut(&s->hand[i][1]);
		}
	shut(&s->lock);
}

int
sockets_give(const struct conf *c, const char *file, struct err *e)
{
	struct owner o;

	if (geteuid() != 0 || c->user[0] == '\0' || file[0] == '\0' ||
	    strcmp(file, "-") == 0)
		return 0;
	if (owner_find(c, &o, e) != 0)
		return -1;
	if (lchown(file, o.uid, o.gid) != 0)
		return err_set(
		    e, ERR_UNAVAILABLE, "%s: %s", file, strerror(errno));
	return 0;
}

int
sockets_become_user(const struct conf *c, struct err *e)
{
	struct owner o;

	if (geteuid() != 0 || c->user[0] == '\0')
		return 0;
	if (owner_find(c, &o, e) != 0)
		return -1;
	if (initgroups(o.name, o.gid) != 0 ||
	    setresgid(o.gid, o.gid, o.gid) != 0 ||
	    setresuid(o.uid, o.uid, o.uid) != 0 ||
	    (o.uid != 0 && setuid(0) == 0))
		return err_set(e, ERR_DENIED, "cannot become %s: %s", o.name,
		    strerror(errno));
	return 0;
}
