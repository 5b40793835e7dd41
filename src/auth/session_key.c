/*
 * Session keys: the session's id, readable by whoever holds the key, and a MAC
 * that only we can make over account, id and widget key.  All three have fixed
 * lengths, so no two triples give the same bytes.
 */
#include "auth/session_key.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "crypto/hash.h"
#include "util/auto.h"
#include "util/str.h"

#include "util/banned.h"

#define ID_SIZE 16
#define MAC_SIZE 16
#define ENCODED 43 /* base64url of both */
#define NAME_LEN 128

#define MASTER_MIN 32
#define MASTER_MAX 1024

static unsigned char signing_key[32];

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
session_key_setup(const char *master_key_file, struct err *e)
{
	char text[2 * MASTER_MAX + 256];
	unsigned char master[MASTER_MAX];
	ssize_t n = read_secret(master_key_file, text, sizeof(text), e);
	int bytes, rc = -1;

	if (n < 0)
		return -1;
	bytes = unhex(text, (size_t)n, master, sizeof(master));
	if (bytes < 0)
		err_set(e, ERR_INTERNAL,
		    "master key %s: not pairs of hexadecimal digits",
		    master_key_file);
	else if (bytes < MASTER_MIN)
		err_set(e, ERR_INTERNAL,
		    "master key %s: %d bytes, at least %d are needed",
		    master_key_file, bytes, MASTER_MIN);
	else {
		crypto_derive(
		    master, (size_t)bytes, "session-key", signing_key);
		rc = 0;
	}
	crypto_wipe(text, sizeof(text));
	crypto_wipe(master, sizeof(master));
	return rc;
}

static void
mac(const struct uuid *account, const struct uuid *session,
    const struct uuid *widget_key, unsigned char out[MAC_SIZE])
{
	static const struct uuid none;
	unsigned char msg[3 * ID_SIZE], full[32];

	memcpy(msg, account->b, ID_SIZE);
	memcpy(msg + ID_SIZE, session->b, ID_SIZE);
	memcpy(msg + 2 * ID_SIZE, (widget_key != NULL ? widget_key : &none)->b,
	    ID_SIZE);
	crypto_hmac_sha256(
	    signing_key, sizeof(signing_key), msg, sizeof(msg), full);
	memcpy(out, full, MAC_SIZE);
}

void
session_key_make(const struct uuid *account, const struct uuid *session,
    const struct uuid *widget_key, char out[SESSION_KEY_TEXT])
{
	unsigned char raw[ID_SIZE + MAC_SIZE];

	memcpy(raw, session->b, ID_SIZE);
	mac(account, session, widget_key, raw + ID_SIZE);
	out[0] = 's';
	out[1] = '_';
	str_b64url(raw, sizeof(raw), out + 2);
}

/* The bytes of a text of our form; 0 or -1. */
static int
decode(const char *text, unsigned char raw[ID_SIZE + MAC_SIZE])
{
	if (text == NULL || strncmp(text, "s_", 2) != 0 ||
	    strnlen(text + 2, ENCODED + 1) != ENCODED)
		return -1;
	return str_b64url_decode(text + 2, ENCODED, raw, ID_SIZE + MAC_SIZE) ==
	               ID_SIZE + MAC_SIZE
	           ? 0
	           : -1;
}

bool
session_key_check(const char *text, const struct uuid *account,
    const struct uuid *widget_key, struct uuid *session)
{
	unsigned char raw[ID_SIZE + MAC_SIZE], want[MAC_SIZE];
	struct uuid id;

	if (decode(text, raw) != 0)
		return false;
	memcpy(id.b, raw, ID_SIZE);
	mac(account, &id, widget_key, want);
	if (!str_eq_const(raw + ID_SIZE, want, MAC_SIZE))
		return false;
	*session = id;
	return true;
}

bool
session_key_peek(const char *text, struct uuid *session)
{
	unsigned char raw[ID_SIZE + MAC_SIZE];

	if (decode(text, raw) != 0)
		return false;
	memcpy(session->b, raw, ID_SIZE);
	return true;
}

bool
session_name_ok(const char *text)
{
	size_t n;

	if (text == NULL)
		return false;
	n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789._:-");
	return n >= 1 && n <= NAME_LEN && text[n] == '\0';
}
