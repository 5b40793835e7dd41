/* Sealing and opening keys for model providers. */
#include "gateway/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "secret/secret.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PURPOSE "llm-credential"
#define HINTED 12 /* a shorter key would be told by its end */

int
seal_key(struct vault *v, const struct uuid *account, const struct uuid *id,
    const char *key, int64_t deadline, const void *ctx, struct sealed_key *out,
    struct err *e)
{
	const struct secret_place place = { .account = *account,
		.row = *id,
		.purpose = PURPOSE,
		.version = clock_wall_us() };
	size_t n = strlen(key);

	if (secret_seal(v, &place, key, n, deadline, ctx, &out->bytes, e) != 0)
		return -1;
	out->len = n + SECRET_MORE;
	snprintf(out->version, sizeof(out->version), "%" PRId64, place.version);
	snprintf(out->hint, sizeof(out->hint), "%s",
	    n >= HINTED ? key + n - (SEAL_HINT - 1) : "");
	return 0;
}

int
seal_open(struct vault *v, const struct uuid *account, const struct uuid *id,
    const char *hex, size_t len, int64_t version, int64_t deadline,
    struct secret **ret, struct err *e)
{
	const struct secret_place place = { .account = *account,
		.row = *id,
		.purpose = PURPOSE,
		.version = version };
	size_t n = len / 2;
	unsigned char *raw;
	int rc = 0;

	if (n == 0 || n > SECRET_MAX)
		return err_set(e, ERR_INVALID, "a sealed key that is none");
	raw = mem_array(NULL, unsigned char, n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		int high = str_hex_digit(hex[2 * i]);
		int low = str_hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			rc = err_set(
			    e, ERR_INVALID, "a sealed key that is none");
		raw[i] = (unsigned char)((unsigned)high << 4 | (unsigned)low);
	}
	if (rc == 0)
		rc = secret_open(v, &place, raw, n, deadline, ret, e);
	mem_free(raw);
	return rc;
}
