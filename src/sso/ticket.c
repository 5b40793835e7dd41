/* "until.seed.account.provider.then.MAC", each part base64url or plain. */
#include "sso/ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define SEED 16
#define PARTS 6
#define COOKIE_MAX 1024
#define THEN_MAX 600

static void
b64(const unsigned char raw[32], char out[TICKET_PART])
{
	str_b64url(raw, 32, out);
}

void
ticket_provider(
    const char *issuer, const char *client_id, char out[TICKET_PART])
{
	struct hash_run *h = crypto_sha256_begin();
	unsigned char raw[32];

	crypto_sha256_add(h, issuer, strlen(issuer) + 1);
	crypto_sha256_add(h, client_id, strlen(client_id));
	crypto_sha256_end(h, raw);
	b64(raw, out);
}

/* What of the cookie is for ${use}. */
static void
derive(const unsigned char key[TICKET_KEY], const char *use, const char *text,
    size_t n, char out[TICKET_PART])
{
	unsigned char own[32], raw[32];

	crypto_derive(key, TICKET_KEY, use, own);
	crypto_hmac_sha256(own, sizeof(own), text, n, raw);
	b64(raw, out);
	crypto_wipe(own, sizeof(own));
}

/* The rest of *t, out of the text that the MAC is over. */
static void
derive_all(const unsigned char key[TICKET_KEY], const char *text, size_t n,
    struct ticket *t)
{
	unsigned char raw[32];

	derive(key, "state", text, n, t->state);
	derive(key, "nonce", text, n, t->nonce);
	derive(key, "verifier", text, n, t->verifier);
	crypto_sha256(t->verifier, strlen(t->verifier), raw);
	b64(raw, t->challenge); /* RFC 7636 section 4.2 */
	crypto_sha256(text, n, t->hash);
}

char *
ticket_make(
    const void *ctx, const unsigned char key[TICKET_KEY], struct ticket *t)
{
	unsigned char seed[SEED];
	char seed_text[2 * SEED], account[UUID_TEXT], mac[TICKET_PART];
	size_t n = strlen(t->then);
	char *then = mem_array(ctx, char, n * 2 + 4), *text;

	id_random(seed, sizeof(seed));
	str_b64url(seed, sizeof(seed), seed_text);
	str_b64url(t->then, n, then);
	id_format(&t->account, account);
	text = mem_printf(ctx, "%" PRId64 ".%s.%s.%s.%s", t->until, seed_text,
	    account, t->provider, then);
	derive_all(key, text, strlen(text), t);
	derive(key, "cookie", text, strlen(text), mac);
	return mem_printf(ctx, "%s.%s", text, mac);
}

static int
read_then(const void *ctx, const char *p, size_t n, struct ticket *out)
{
	char *then = mem_array(ctx, char, THEN_MAX + 1);
	int len = str_b64url_decode(p, n, then, THEN_MAX);

	out->then = then;
	return len > 0 && strlen(then) == (size_t)len ? 0 : -1;
}

static int
read_parts(const void *ctx, char *part[PARTS], int64_t now, struct ticket *out)
{
	if (str_int(part[0], 0, INT64_MAX, &out->until) != 0 ||
	    now >= out->until ||
	    id_parse(part[2], strlen(part[2]), &out->account) != 0 ||
	    strlen(part[3]) != TICKET_PART - 1)
		return -1;
	memcpy(out->provider, part[3], TICKET_PART);
	return read_then(ctx, part[4], strlen(part[4]), out);
}

int
ticket_read(const void *ctx, const unsigned char key[TICKET_KEY],
    const char *cookie, int64_t now, struct ticket *out)
{
	char *text, *part[PARTS], *end[PARTS], mac[TICKET_PART], *p;
	size_t n;

	memset(out, 0, sizeof(*out));
	if (strnlen(cookie, COOKIE_MAX + 1) > COOKIE_MAX)
		return -1;
	text = p = mem_strdup(ctx, cookie);
	for (int i = 0; i < PARTS; i++) {
		part[i] = p;
		p += strcspn(p, ".");
		end[i] = p;
		if ((*p == '\0') != (i == PARTS - 1))
			return -1;
		if (i < PARTS - 1)
			p++;
	}
	n = (size_t)(end[PARTS - 2] - text);
	derive(key, "cookie", cookie, n, mac);
	if (strlen(part[PARTS - 1]) != strlen(mac) ||
	    !str_eq_const(part[PARTS - 1], mac, strlen(mac)))
		return -1;
	derive_all(key, cookie, n, out);
	for (int i = 0; i < PARTS; i++)
		*end[i] = '\0';
	return read_parts(ctx, part, now, out);
}

/* --- a few texts ---------------------------------------------------------- */

#define PACK_MAX ((size_t)3500)
#define PACKED "packed" /* what their MAC is for */

char *
ticket_pack(const void *ctx, const unsigned char key[TICKET_KEY], int64_t until,
    const char *const *texts, int n)
{
	char mac[TICKET_PART];
	struct buf b;

	buf_init(&b, ctx, PACK_MAX);
	buf_addf(&b, "%" PRId64, until);
	for (int i = 0; i < n; i++) {
		const char *t = texts[i] != NULL ? texts[i] : "";
		size_t len = strlen(t);
		char *text = mem_array(ctx, char, len * 2 + 4);

		str_b64url(t, len, text);
		buf_addf(&b, ".%s", text);
	}
	derive(key, PACKED, b.data, b.len, mac);
	buf_addf(&b, ".%s", mac);
	return buf_failed(&b) ? NULL : b.data;
}

static int
unpack(const void *ctx, const char *text, int64_t now, const char **out, int n)
{
	char until[24];
	int64_t end;
	size_t len = strcspn(text, ".");

	if (len >= sizeof(until))
		return -1;
	memcpy(until, text, len);
	until[len] = '\0';
	if (str_int(until, 0, INT64_MAX, &end) != 0 || now >= end)
		return -1;
	for (int i = 0; i < n; i++) {
		size_t part;
		char *raw;

		if (text[len] != '.')
			return -1;
		text += len + 1;
		part = strcspn(text, ".");
		raw = mem_array(ctx, char, part + 1);
		if (str_b64url_decode(text, part, raw, part) < 0)
			return -1;
		out[i] = part > 0 ? raw : NULL;
		len = part;
	}
	return text[len] == '\0' ? 0 : -1;
}

int
ticket_unpack(const void *ctx, const unsigned char key[TICKET_KEY],
    const char *cookie, int64_t now, const char **texts, int n)
{
	const char *dot = strrchr(cookie, '.');
	char mac[TICKET_PART];
	size_t len;

	if (dot == NULL || strlen(cookie) > PACK_MAX)
		return -1;
	len = (size_t)(dot - cookie);
	derive(key, PACKED, cookie, len, mac);
	if (strlen(dot + 1) != strlen(mac) ||
	    !str_eq_const(dot + 1, mac, strlen(mac)))
		return -1;
	return unpack(ctx, mem_strndup(ctx, cookie, len), now, texts, n);
}
