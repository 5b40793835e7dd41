/* Reading the master key; it lies in memory no longer than a derivation. */
#include "auth/master.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "util/auto.h"
#include "util/str.h"

#include "util/banned.h"

#define MASTER_MIN 32
#define MASTER_MAX 1024

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

/* Read ${file} into buf; its length or -1 with ${e}. */
static ssize_t
read_secret(const char *file, char *buf, size_t size, struct err *e)
{
	auto_fd fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
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
	do {
		n = read(fd, buf + len, size - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_set(e, ERR_INTERNAL, "master key %s: %s", file,
		    strerror(errno));
	return (ssize_t)len;
}

int
master_derive(
    const char *file, const char *purpose, unsigned char out[32], struct err *e)
{
	char text[2 * MASTER_MAX + 256];
	unsigned char master[MASTER_MAX];
	ssize_t n = read_secret(file, text, sizeof(text), e);
	int bytes, rc = -1;

	if (n < 0)
		return -1;
	bytes = unhex(text, (size_t)n, master, sizeof(master));
	if (bytes < 0)
		err_set(e, ERR_INTERNAL,
		    "master key %s: not pairs of hexadecimal digits", file);
	else if (bytes < MASTER_MIN)
		err_set(e, ERR_INTERNAL,
		    "master key %s: %d bytes, at least %d are needed", file,
		    bytes, MASTER_MIN);
	else {
		crypto_derive(master, (size_t)bytes, purpose, out);
		rc = 0;
	}
	crypto_wipe(text, sizeof(text));
	crypto_wipe(master, sizeof(master));
	return rc;
}
