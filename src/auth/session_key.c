/*
 * Session keys: the session's id, readable by whoever holds the key, and a MAC
 * that only we can make over account, id and widget key.  All three have fixed
 * lengths, so no two triples give the same bytes.
 */
#include "auth/session_key.h"

#include <string.h>

#include "auth/master.h"
#include "crypto/hash.h"
#include "util/str.h"

#include "util/banned.h"

#define ID_SIZE 16
#define MAC_SIZE 16
#define ENCODED 43 /* base64url of both */
#define NAME_LEN 128

static unsigned char signing_key[32];

int
session_key_setup(const char *master_key_file, struct err *e)
{
	return master_derive(master_key_file, "session-key", signing_key, e);
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
