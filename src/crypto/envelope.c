/* One format byte, salt, nonce, ciphertext, tag. */
#include "crypto/envelope.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/must_priv.h"
#include "util/id.h"

#include "util/banned.h"

#define FORMAT 1
#define SALT 16
#define NONCE 12
#define TAG 16
#define HEAD (1 + SALT + NONCE)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *gcm;

static void
fetch(void)
{
	gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

/* The key of one message. */
static void
message_key(const unsigned char key[ENVELOPE_KEY], const unsigned char *salt,
    unsigned char out[32])
{
	static const char label[] = "switchboard envelope 1";
	unsigned char text[sizeof(label) + SALT];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), salt, SALT);
	crypto_hmac_sha256(key, ENVELOPE_KEY, text, sizeof(text), out);
}

static EVP_CIPHER_CTX *
begin(
    const unsigned char key[ENVELOPE_KEY], const unsigned char *head, int seal)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char own[32];

	crypto_must(
	    pthread_once(&once, fetch) == 0 && gcm != NULL && c != NULL);
	message_key(key, head + 1, own);
	crypto_must(
	    EVP_CipherInit_ex2(c, gcm, own, head + 1 + SALT, seal, NULL) == 1);
	crypto_wipe(own, sizeof(own));
	return c;
}

/* The format is bound like what the caller gives. */
static void
bind(EVP_CIPHER_CTX *c, const unsigned char *head, const void *aad,
    size_t aad_len)
{
	int n;

	crypto_must(EVP_CipherUpdate(c, NULL, &n, head, 1) == 1);
	if (aad_len > 0)
		crypto_must(
		    EVP_CipherUpdate(c, NULL, &n, aad, (int)aad_len) == 1);
}

void
envelope_seal(const unsigned char key[ENVELOPE_KEY], const void *aad,
    size_t aad_len, const void *plain, size_t n, unsigned char *out)
{
	EVP_CIPHER_CTX *c;
	int len = 0;

	out[0] = FORMAT;
	id_random(out + 1, SALT + NONCE);
	c = begin(key, out, 1);
	bind(c, out, aad, aad_len);
	if (n > 0)
		crypto_must(
		    EVP_CipherUpdate(c, out + HEAD, &len, plain, (int)n) == 1);
	crypto_must(EVP_CipherFinal_ex(c, out + HEAD + n, &len) == 1);
	crypto_must(EVP_CIPHER_CTX_ctrl(
			c, EVP_CTRL_GCM_GET_TAG, TAG, out + HEAD + n) == 1);
	EVP_CIPHER_CTX_free(c);
}

int
envelope_open(const unsigned char key[ENVELOPE_KEY], const void *aad,
    size_t aad_len, const unsigned char *sealed, size_t len, unsigned char *out)
{
	unsigned char tag[TAG], none[1] = { 0 };
	EVP_CIPHER_CTX *c;
	int got = 0, rc = -1;
	size_t n;

	if (len < ENVELOPE_MORE || len > INT32_MAX || sealed[0] != FORMAT)
		return -1;
	n = len - ENVELOPE_MORE;
	memcpy(tag, sealed + HEAD + n, TAG);
	c = begin(key, sealed, 0);
	bind(c, sealed, aad, aad_len);
	if ((n == 0 ||
		EVP_CipherUpdate(c, out, &got, sealed + HEAD, (int)n) == 1) &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
	    EVP_CipherFinal_ex(c, n > 0 ? out + n : none, &got) == 1)
		rc = 0;
	else if (n > 0)
		crypto_wipe(out, n);
	EVP_CIPHER_CTX_free(c);
	return rc;
}
