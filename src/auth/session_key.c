/*
 * Session keys: the session's id, readable by whoever holds the key, and a MAC
 * that only we can make over account, id and owner.  All three have fixed
 * lengths, so no two triples give the same bytes.
 */
#include "auth/session_key.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/master.h"
#include "crypto/hash.h"
#include "secret/purpose.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ID_SIZE 16
#define MAC_SIZE 16
#define ENCODED 43 /* base64url of both */
#define NAME_LEN 128

/*
 * The keys that derive from the master keys of the file; the first signs, all
 * check.  A set is replaced, never changed, and kept: it is small, and another
 * thread may be at it.
 */
struct keys_set {
	struct keys_set *before;
	int n;
	unsigned char key[MASTER_MOST][32];
};

static _Atomic(struct keys_set *) keys_now;
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
static char *key_file;
static struct timespec key_changed;

static struct timespec
changed_at(const char *file)
{
	struct timespec never = { 0 };
	struct stat st;

	return stat(file, &st) == 0 ? st.st_mtim : never;
}

/* Take the keys of the file; with ${reading} held, or before threads. */
static int
keys_read(struct err *e)
{
	struct timespec at = changed_at(key_file);
	struct keys_set *set = mem_new(NULL, struct keys_set);

	set->n = master_derive_all(key_file, PURPOSE_SESSION_KEY, set->key, e);
	if (set->n < 0) {
		mem_free(set);
		return -1;
	}
	key_changed = at;
	set->before = atomic_load(&keys_now);
	atomic_store(&keys_now, set);
	return 0;
}

int
session_key_setup(const char *master_key_file, struct err *e)
{
	int rc;

	(void)pthread_mutex_lock(&reading);
	mem_free(key_file);
	key_file = mem_strdup(NULL, master_key_file);
	rc = keys_read(e);
	(void)pthread_mutex_unlock(&reading);
	return rc;
}

/* A key that none of ours has made: was one added meanwhile? */
static bool
keys_newer(const struct keys_set *known)
{
	struct timespec at;
	bool newer;

	(void)pthread_mutex_lock(&reading);
	at = changed_at(key_file);
	newer = atomic_load(&keys_now) != known;
	if (!newer && (at.tv_sec != key_changed.tv_sec ||
			  at.tv_nsec != key_changed.tv_nsec)) {
		/* a file that is no good now is not asked again until then */
		key_changed = at;
		newer = keys_read(NULL) == 0;
	}
	(void)pthread_mutex_unlock(&reading);
	return newer;
}

static void
mac(const unsigned char key[32], const struct uuid *account,
    const struct uuid *session, const struct uuid *owner,
    unsigned char out[MAC_SIZE])
{
	static const struct uuid none;
	unsigned char msg[3 * ID_SIZE], full[32];

	memcpy(msg, account->b, ID_SIZE);
	memcpy(msg + ID_SIZE, session->b, ID_SIZE);
	memcpy(msg + 2 * ID_SIZE, (owner != NULL ? owner : &none)->b, ID_SIZE);
	crypto_hmac_sha256(key, 32, msg, sizeof(msg), full);
	memcpy(out, full, MAC_SIZE);
}

void
session_key_make(const struct uuid *account, const struct uuid *session,
    const struct uuid *owner, char out[SESSION_KEY_TEXT])
{
	unsigned char raw[ID_SIZE + MAC_SIZE];

	memcpy(raw, session->b, ID_SIZE);
	mac(atomic_load(&keys_now)->key[0], account, session, owner,
	    raw + ID_SIZE);
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

static bool
made_by_one(const struct keys_set *set, const unsigned char *raw,
    const struct uuid *account, const struct uuid *id, const struct uuid *owner)
{
	unsigned char want[MAC_SIZE];

	for (int i = 0; i < set->n; i++) {
		mac(set->key[i], account, id, owner, want);
		if (str_eq_const(raw + ID_SIZE, want, MAC_SIZE))
			return true;
	}
	return false;
}

bool
session_key_check(const char *text, const struct uuid *account,
    const struct uuid *owner, struct uuid *session)
{
	const struct keys_set *set = atomic_load(&keys_now);
	unsigned char raw[ID_SIZE + MAC_SIZE];
	struct uuid id;

	if (decode(text, raw) != 0)
		return false;
	memcpy(id.b, raw, ID_SIZE);
	if (!made_by_one(set, raw, account, &id, owner) &&
	    (!keys_newer(set) ||
		!made_by_one(atomic_load(&keys_now), raw, account, &id, owner)))
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
