/* Which SQL files there are, in the order they are run. */
#include "db/migrate_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/mem.h"

#include "util/banned.h"

#define FILES_MAX 2000
#define FILE_BYTES_MAX (4 * 1024 * 1024)

/* The number in front of "_name.sql", or -1. */
static int
number_of(const char *name, int digits)
{
	size_t n = strlen(name);
	int i, value = 0;

	for (i = 0; i < digits; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		value = value * 10 + (name[i] - '0');
	}
	if (name[digits] != '_' || n < (size_t)digits + 6 ||
	    strcmp(name + n - 4, ".sql") != 0)
		return -1;
	return value;
}

static int
read_text(const char *path, const void *ctx, char **ret, struct err *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t len = 0, size;
	ssize_t n;
	char *text;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_INVALID, "%s: %s", path, strerror(errno));
	if (st.st_size > FILE_BYTES_MAX)
		return err_set(e, ERR_INVALID, "%s: too large", path);
	size = (size_t)st.st_size;
	text = mem_array(ctx, char, size + 1);
	while (len < size) {
		n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(
			    e, ERR_INTERNAL, "%s: cannot read", path);
		len += (size_t)n;
	}
	if (memchr(text, '\0', size) != NULL)
		return err_set(e, ERR_INVALID, "%s: has a NUL byte", path);
	*ret = text;
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	const struct sql_file *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->name, y->name);
}

int
sql_files_read(const char *dir, int digits, bool must, const void *ctx,
    struct sql_files *out, struct err *e)
{
	struct dirent *d;
	DIR *handle = opendir(dir);
	struct sql_file *f;
	int rc = 0, number;

	out->n = 0;
	out->file = mem_array(ctx, struct sql_file, FILES_MAX);
	if (handle == NULL && (must || errno != ENOENT))
		return err_set(
		    e, ERR_NOT_FOUND, "%s: %s", dir, strerror(errno));
	while (handle != NULL && rc == 0 && (d = readdir(handle)) != NULL) {
		number = number_of(d->d_name, digits);
		if (number < 0)
			continue;
		if (out->n == FILES_MAX) {
			rc =
			    err_set(e, ERR_INTERNAL, "%s: too many files", dir);
			break;
		}
		f = &out->file[out->n++];
		f->number = number;
		f->name =
		    mem_strndup(out->file, d->d_name, strlen(d->d_name) - 4);
		rc = read_text(mem_printf(out->file, "%s/%s", dir, d->d_name),
		    out->file, &f->text, e);
	}
	if (handle != NULL)
		closedir(handle);
	qsort(out->file, out->n, sizeof(*out->file), by_number);
	return rc;
}
