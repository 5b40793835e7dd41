/* Base32, and recovery codes in it. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "auth/totp.h"
#include "auth/totp_priv.h"
#include "crypto/hash.h"

#include "util/banned.h"

#define CODE_BYTES 10
#define CODE_CHARS 16
#define GROUP 4

void
base32(const unsigned char *p, size_t n, const char *alphabet, char *out)
{
	for (; n >= 5; p += 5, n -= 5) {
		uint64_t v = 0;

		for (int i = 0; i < 5; i++)
			v = v << 8 | p[i];
		for (int i = 0; i < 8; i++)
			*out++ = alphabet[v >> (35 - 5 * i) & 31];
	}
	*out = '\0';
}

/* The user is part of it: a hash moved to another's row is nobody's. */
static void
code_hash(const struct uuid *user, const char chars[CODE_CHARS],
    unsigned char hash[RECOVERY_HASH])
{
	static const char purpose[] = "switchboard recovery code";
	unsigned char text[sizeof(purpose) + sizeof(user->b) + CODE_CHARS];

	memcpy(text, purpose, sizeof(purpose));
	memcpy(text + sizeof(purpose), user->b, sizeof(user->b));
	memcpy(text + sizeof(purpose) + sizeof(user->b), chars, CODE_CHARS);
	crypto_sha256(text, sizeof(text), hash);
	crypto_wipe(text, sizeof(text));
}

void
recovery_new(const struct uuid *user, char text[RECOVERY_TEXT],
    unsigned char hash[RECOVERY_HASH])
{
	unsigned char random[CODE_BYTES];
	char chars[CODE_CHARS + 1];
	size_t n = 0;

	id_random(random, sizeof(random));
	base32(random, sizeof(random), BASE32_LOWER, chars);
	code_hash(user, chars, hash);
	for (size_t i = 0; i < CODE_CHARS; i++) {
		if (i > 0 && i % GROUP == 0)
			text[n++] = '-';
		text[n++] = chars[i];
	}
	text[n] = '\0';
	crypto_wipe(random, sizeof(random));
	crypto_wipe(chars, sizeof(chars));
}

bool
recovery_hash(const struct uuid *user, const char *typed,
    unsigned char hash[RECOVERY_HASH])
{
	char chars[CODE_CHARS];
	size_t n = 0;

	for (; *typed != '\0'; typed++) {
		int c = tolower((unsigned char)*typed);

		if (c == ' ' || c == '-')
			continue;
		/* Digits that are no digits here, but look like letters. */
		if (c == '0')
			c = 'o';
		else if (c == '8')
			c = 'b';
		if (n == CODE_CHARS || strchr(BASE32_LOWER, c) == NULL)
			return false;
		chars[n++] = (char)c;
	}
	if (n != CODE_CHARS)
		return false;
	code_hash(user, chars, hash);
	crypto_wipe(chars, sizeof(chars));
	return true;
}
