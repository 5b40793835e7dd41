/* Time-based codes by liboath. */
#include "auth/totp.h"

#include <liboath/oath.h>
#include <pthread.h>
#include <string.h>

#include "auth/totp_priv.h"
#include "util/buf.h"
#include "util/str.h"

#include "util/banned.h"

#define DIGITS 6
#define WINDOW 1 /* steps on each side */
#define URI_MAX 4096

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static void
initialise(void)
{
	ready = oath_init() == OATH_OK;
}

int
totp_setup(struct err *e)
{
	(void)pthread_once(&once, initialise);
	return ready ? 0
	             : err_set(
			   e, ERR_INTERNAL, "liboath could not be initialised");
}

void
totp_secret_new(unsigned char secret[TOTP_SECRET])
{
	id_random(secret, TOTP_SECRET);
}

void
totp_secret_text(
    const unsigned char secret[TOTP_SECRET], char out[TOTP_SECRET_TEXT])
{
	base32(secret, TOTP_SECRET, BASE32_UPPER, out);
}

/* The digits of ${code} without its spaces; false: there are not six. */
static bool
digits_of(const char *code, char out[DIGITS + 1])
{
	size_t n = 0;

	for (; *code != '\0'; code++) {
		if (*code == ' ')
			continue;
		if (*code < '0' || *code > '9' || n == DIGITS)
			return false;
		out[n++] = *code;
	}
	out[n] = '\0';
	return n == DIGITS;
}

bool
totp_check(const unsigned char *secret, size_t n, const char *code,
    int64_t now_s, uint64_t last, uint64_t *step)
{
	char digits[DIGITS + 1];
	uint64_t at = 0;

	if (totp_setup(NULL) != 0 || now_s < 0 || !digits_of(code, digits))
		return false;
	if (oath_totp_validate4((const char *)secret, n, (time_t)now_s,
		TOTP_STEP, 0, WINDOW, NULL, &at, 0, digits) < 0)
		return false;
	if (at <= last)
		return false;
	*step = at;
	return true;
}

/* RFC 3986: all but the unreserved characters as %XX. */
static void
add_encoded(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL)
			buf_addc(b, *s);
		else
			buf_addf(b, "%%%02X", c);
	}
}

char *
totp_uri(const void *ctx, const char *issuer, const char *label,
    const unsigned char secret[TOTP_SECRET])
{
	char text[TOTP_SECRET_TEXT];
	struct buf b;

	if (strlen(issuer) + strlen(label) > 1024)
		return NULL;
	buf_init(&b, ctx, URI_MAX);
	totp_secret_text(secret, text);
	buf_adds(&b, "otpauth://totp/");
	add_encoded(&b, issuer);
	buf_addc(&b, ':');
	add_encoded(&b, label);
	buf_addf(&b, "?secret=%s&issuer=", text);
	add_encoded(&b, issuer);
	buf_addf(&b, "&algorithm=SHA1&digits=%d&period=%d", DIGITS, TOTP_STEP);
	explicit_bzero(text, sizeof(text));
	return buf_failed(&b) ? NULL : b.data;
}
