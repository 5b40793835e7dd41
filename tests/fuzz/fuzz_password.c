/*
 * Passwords: line 1 is the owner's e-mail, the rest a password.  One that may
 * be chosen is prepared to the same text, which is its own normal form, and
 * keeps to the limits.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "auth/totp.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/unicode.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_chosen(void *ctx, const char *chosen, const char *p, size_t n,
    const struct password_owner *owner)
{
	size_t min = owner->second_factor ? PASSWORD_MIN_SECOND : PASSWORD_MIN;
	char *again;

	if (memchr(p, '\0', n) != NULL || unicode_count(chosen) < min ||
	    strlen(chosen) > PASSWORD_BYTES_MAX ||
	    !str_utf8_valid(chosen, strlen(chosen)))
		abort();
	if (password_prepare(ctx, p, n, &again, NULL) != 0 ||
	    strcmp(again, chosen) != 0)
		abort();
	if (password_prepare(ctx, chosen, strlen(chosen), &again, NULL) != 0 ||
	    strcmp(again, chosen) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	size_t n = line != NULL ? (size_t)(line - data) : 0;
	const char *p = (const char *)(line != NULL ? line + 1 : data);
	void *ctx = mem_root("fuzz");
	char *email = mem_strndup(ctx, (const char *)data, n), *out;
	struct password_owner owner = {
		.email = email, .name = email, .account = email
	};
	unsigned char hash[RECOVERY_HASH];
	struct uuid user = { { 1 } };
	uint64_t step;

	size -= line != NULL ? n + 1 : 0;
	for (int second = 0; second < 2; second++) {
		owner.second_factor = second != 0;
		if (password_choose(ctx, p, size, &owner, &out, NULL) == 0)
			check_chosen(ctx, out, p, size, &owner);
		else if (out != NULL)
			abort();
	}
	(void)recovery_hash(&user, email, hash);
	(void)totp_check((const unsigned char *)"12345678901234567890", 20,
	    email, 59, 0, &step);
	mem_free(ctx);
	return 0;
}
