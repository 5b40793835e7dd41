/* Writing files that others must not read, or never half; finding installed
 * ones. */
#include "cli/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/buf.h"
#include "util/mem.h"

#include "util/banned.h"

#define COPY_MAX ((size_t)4 * 1024 * 1024)

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

int
files_write(
    const char *path, const char *text, size_t len, mode_t mode, struct err *e)
{
	char *tmp = mem_printf(NULL, "%s.XXXXXX", path);
	int fd = mkostemp(tmp, O_CLOEXEC), rc = -1;

	if (fd < 0) {
		err_set(e, ERR_INVALID, "%s: %m", path);
		goto out;
	}
	if (fchmod(fd, mode) != 0 || write_all(fd, text, len) != 0) {
		err_set(e, ERR_INVALID, "%s: %m", tmp);
		close(fd);
		unlink(tmp);
		goto out;
	}
	close(fd);
	if (rename(tmp, path) != 0) {
		err_set(e, ERR_INVALID, "%s: %m", path);
		unlink(tmp);
		goto out;
	}
	rc = 0;
out:
	mem_free(tmp);
	return rc;
}

bool
files_exist(const char *path)
{
	return access(path, F_OK) == 0;
}

int
files_mkdir(const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return err_set(e, ERR_INVALID, "%s: %m", path);
}

int
files_give(const char *path, uid_t uid, gid_t gid, struct err *e)
{
	if (uid == (uid_t)-1 || lchown(path, uid, gid) == 0)
		return 0;
	return err_set(e, ERR_INVALID, "%s: cannot give it away: %m", path);
}

static int
copy_one(const char *from, const char *to, uid_t uid, gid_t gid, struct err *e)
{
	auto_fd fd = open(from, O_RDONLY | O_CLOEXEC);
	void *ctx = mem_root("copy");
	char piece[8192];
	struct buf b;
	ssize_t n;
	int rc;

	buf_init(&b, ctx, COPY_MAX);
	while (fd >= 0 && (n = read(fd, piece, sizeof piece)) != 0) {
		if (n > 0)
			buf_add(&b, piece, (size_t)n);
		else if (errno != EINTR)
			break;
	}
	if (fd < 0 || n != 0)
		rc = err_set(e, ERR_INVALID, "%s: %m", from);
	else if (buf_failed(&b))
		rc = err_set(e, ERR_TOO_LARGE, "%s: too large", from);
	else
		rc = files_write(to, b.data, b.len, 0640, e);
	if (rc == 0)
		rc = files_give(to, uid, gid, e);
	mem_free(ctx);
	return rc;
}

int
files_copy(
    const char *from, const char *to, uid_t uid, gid_t gid, struct err *e)
{
	void *ctx = mem_root("copy");
	DIR *dir = opendir(from);
	const struct dirent *d;
	int rc;

	if (dir == NULL) {
		mem_free(ctx);
		return err_set(e, ERR_INVALID, "%s: %m", from);
	}
	rc = files_mkdir(to, 0750, e);
	if (rc == 0)
		rc = files_give(to, uid, gid, e);
	while (rc == 0 && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			rc = copy_one(mem_printf(ctx, "%s/%s", from, d->d_name),
			    mem_printf(ctx, "%s/%s", to, d->d_name), uid, gid,
			    e);
	closedir(dir);
	mem_free(ctx);
	return rc;
}

char *
files_data(const void *ctx)
{
	static const char installed[] = SB_BINDIR "/switchboard";
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	size_t len = sizeof installed - 1;

	if (n < (ssize_t)len)
		return mem_strdup(ctx, SB_DATADIR);
	self[n] = '\0';
	if (strcmp(self + n - len, installed) != 0)
		return mem_strdup(ctx, SB_DATADIR);
	return mem_printf(
	    ctx, "%.*s%s", (int)((size_t)n - len), self, SB_DATADIR);
}
