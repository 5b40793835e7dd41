/* Writing files that others must not read, or never half. */
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/mem.h"

#include "util/banned.h"

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
