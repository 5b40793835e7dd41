/* Reading, naming and writing the master keys. */
#include "secret/keyring.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/locked.h"
#include "secret/purpose.h"
#include "util/auto.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define KEY_MIN 32
#define KEY_MAX 1024
#define FILE_MAX (KEYRING_MOST * (2 * KEY_MAX + 64) + 1024)
#define COMMENT                                                                \
	"# The master keys of this Switchboard.  The first is in use; the\n"   \
	"# others still open what was sealed with them.  See \"switchboard\n"  \
	"# secrets status\".\n"

/* In locked memory as a whole. */
struct keyring {
	int n;
	struct {
		size_t len;
		unsigned char bytes[KEY_MAX];
		char id[KEYRING_ID];
	} key[KEYRING_MOST];
	/* the file as it was read */
	char *path;
	struct timespec changed;
	ino_t inode;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	char text[FILE_MAX];
	size_t text_len;
};

static const char *given;

void
keyring_given(const char *text)
{
	if (text != NULL && text[0] != '\0')
		given = text;
}

bool
keyring_is_given(void)
{
	return given != NULL;
}

/* Hex digits, white space around and between them ignored; the bytes, or -1.
 */
static int
unhex(const char *s, size_t n, unsigned char *out, size_t max)
{
	size_t digits = 0;

	for (size_t i = 0; i < n; i++) {
		int v = str_hex_digit(s[i]);

		if (isspace((unsigned char)s[i]))
			continue;
		if (v < 0 || digits / 2 >= max)
			return -1;
		if (digits % 2 == 0)
			out[digits / 2] = (unsigned char)(v << 4);
		else
			out[digits / 2] |= (unsigned char)v;
		digits++;
	}
	return digits % 2 == 0 ? (int)(digits / 2) : -1;
}

static const char *
name(const struct keyring *k)
{
	return k->path != NULL ? k->path : "SB_MASTER_KEY";
}

/* Take a key's text. */
static int
take(struct keyring *k, const char *s, size_t n, struct err *e)
{
	unsigned char derived[32];
	int bytes;

	if (k->n == KEYRING_MOST)
		return err_set(e, ERR_INTERNAL,
		    "master key %s: more than %d keys", name(k), KEYRING_MOST);
	bytes = unhex(s, n, k->key[k->n].bytes, KEY_MAX);
	if (bytes < 0)
		return err_set(e, ERR_INTERNAL,
		    "master key %s: not pairs of hexadecimal digits", name(k));
	if (bytes < KEY_MIN)
		return err_set(e, ERR_INTERNAL,
		    "master key %s: %d bytes, at least %d are needed", name(k),
		    bytes, KEY_MIN);
	k->key[k->n].len = (size_t)bytes;
	keyring_derive(k, k->n, PURPOSE_MASTER_ID, derived);
	str_hex(derived, 8, k->key[k->n].id);
	if (keyring_find(k, k->key[k->n].id) >= 0)
		return err_set(e, ERR_INTERNAL,
		    "master key %s: a key stands there twice", name(k));
	k->n++;
	return 0;
}

/* Lines "key HEX", blank lines and comments. */
static int
parse_lines(struct keyring *k, struct err *e)
{
	const char *line = k->text, *end = k->text + k->text_len;

	while (line < end) {
		size_t n = strcspn(line, "\n"), skip = strspn(line, " \t\r");

		if (skip < n && line[skip] != '#') {
			if (strncmp(line, "key ", 4) != 0)
				return err_set(e, ERR_INTERNAL,
				    "master key %s: a line that is neither "
				    "\"key HEX\" nor a comment",
				    name(k));
			if (take(k, line + 4, n - 4, e) != 0)
				return -1;
		}
		line += n + (line + n < end);
	}
	return 0;
}

static int
parse(struct keyring *k, struct err *e)
{
	const char *s = k->text;
	int rc = 0;

	if (k->path != NULL &&
	    (strncmp(s, "key ", 4) == 0 || strstr(s, "\nkey ") != NULL))
		return parse_lines(k, e);
	if (k->path != NULL)
		return take(k, s, k->text_len, e);
	while (rc == 0 && *s != '\0') {
		size_t n = strcspn(s, ",\n");

		if (n > 0)
			rc = take(k, s, n, e);
		s += n + (s[n] != '\0');
	}
	return rc == 0 && k->n == 0 ? take(k, "", 0, e) : rc;
}

static int
read_file(struct keyring *k, const char *file, struct err *e)
{
	auto_fd fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_INTERNAL, "master key %s: %s", file,
		    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(
		    e, ERR_INTERNAL, "master key %s: not a regular file", file);
	if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return err_set(e, ERR_INTERNAL,
		    "master key %s: mode %04o lets others at it; chmod 600",
		    file, (unsigned)(st.st_mode & 07777));
	k->changed = st.st_mtim;
	k->inode = st.st_ino;
	k->mode = st.st_mode & 07777;
	k->uid = st.st_uid;
	k->gid = st.st_gid;
	do {
		n = read(fd, k->text + k->text_len,
		    sizeof(k->text) - 1 - k->text_len);
		if (n > 0)
			k->text_len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_set(e, ERR_INTERNAL, "master key %s: %s", file,
		    strerror(errno));
	return 0;
}

int
keyring_read(const char *file, struct keyring **ret, struct err *e)
{
	struct keyring *k = crypto_locked(sizeof(*k));
	int rc = 0;

	if (given != NULL) {
		snprintf(k->text, sizeof(k->text), "%s", given);
		k->text_len = strlen(k->text);
	} else {
		k->path = mem_strdup(NULL, file);
		rc = read_file(k, file, e);
	}
	if (rc == 0)
		rc = parse(k, e);
	if (rc != 0) {
		keyring_free(k);
		return -1;
	}
	*ret = k;
	return 0;
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	mem_free(k->path);
	crypto_locked_free(k);
}

bool
keyring_stale(const struct keyring *k)
{
	struct stat st;

	return k->path != NULL && stat(k->path, &st) == 0 &&
	       (st.st_ino != k->inode ||
		   st.st_mtim.tv_sec != k->changed.tv_sec ||
		   st.st_mtim.tv_nsec != k->changed.tv_nsec);
}

int
keyring_count(const struct keyring *k)
{
	return k->n;
}

const char *
keyring_id(const struct keyring *k, int i)
{
	return k->key[i].id;
}

int
keyring_find(const struct keyring *k, const char *id)
{
	for (int i = 0; i < k->n; i++)
		if (strcmp(k->key[i].id, id) == 0)
			return i;
	return -1;
}

void
keyring_derive(
    const struct keyring *k, int i, const char *purpose, unsigned char out[32])
{
	crypto_derive(k->key[i].bytes, k->key[i].len, purpose, out);
}

/* All of ${text}, to the disk. */
static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd);
}

/* The name is on the disk when its folder is. */
static void
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder =
	    slash == NULL ? mem_strdup(NULL, ".")
			  : mem_strndup(NULL, path, (size_t)(slash - path) + 1);
	auto_fd fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
	mem_free(folder);
}

static int
replace(const struct keyring *k, const char *text, size_t len, struct err *e)
{
	char *tmp = mem_printf(NULL, "%s.XXXXXX", k->path);
	int fd = mkostemp(tmp, O_CLOEXEC), rc = 0;

	if (fd < 0) {
		rc = err_set(e, ERR_INTERNAL, "%s: %s", tmp, strerror(errno));
	} else if (fchmod(fd, k->mode) != 0 ||
		   (fchown(fd, k->uid, k->gid) != 0 && geteuid() != k->uid) ||
		   write_all(fd, text, len) != 0 || rename(tmp, k->path) != 0) {
		rc = err_set(e, ERR_INTERNAL, "%s: %s", tmp, strerror(errno));
		unlink(tmp);
	}
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		sync_folder(k->path);
	mem_free(tmp);
	return rc;
}

/* Write ${first} (NULL: none) and the keys of ${keep}. */
static int
rewrite(const struct keyring *k, const unsigned char *first, unsigned keep,
    struct err *e)
{
	char *text = crypto_locked(FILE_MAX), *p = text;
	int rc;

	p += snprintf(p, FILE_MAX, "%s", COMMENT);
	if (first != NULL) {
		memcpy(p, "key ", 4);
		str_hex(first, KEY_MIN, p + 4);
		p += 4 + 2 * KEY_MIN;
		*p++ = '\n';
	}
	for (int i = 0; i < k->n; i++) {
		if ((keep >> i & 1) == 0)
			continue;
		memcpy(p, "key ", 4);
		str_hex(k->key[i].bytes, k->key[i].len, p + 4);
		p += 4 + 2 * k->key[i].len;
		*p++ = '\n';
	}
	rc = replace(k, text, (size_t)(p - text), e);
	crypto_locked_free(text);
	return rc;
}

static int
only_given(struct err *e)
{
	return err_set(e, ERR_INVALID,
	    "the master key stands in SB_MASTER_KEY, not in a file: it can be "
	    "changed only there");
}

int
keyring_add(const char *file, struct err *e)
{
	unsigned char new[KEY_MIN];
	struct keyring *k;
	int rc;

	if (given != NULL)
		return only_given(e);
	if (keyring_read(file, &k, e) != 0)
		return -1;
	if (k->n == KEYRING_MOST) {
		rc = err_set(e, ERR_CONFLICT,
		    "%s has %d keys already; \"switchboard secrets retire\" "
		    "removes those that nothing needs",
		    file, k->n);
	} else {
		id_random(new, sizeof(new));
		rc = rewrite(k, new, (1U << KEYRING_MOST) - 1, e);
		crypto_wipe(new, sizeof(new));
	}
	keyring_free(k);
	return rc;
}

int
keyring_keep(const struct keyring *k, unsigned keep, struct err *e)
{
	if (given != NULL)
		return only_given(e);
	return rewrite(k, NULL, keep | 1U, e);
}
