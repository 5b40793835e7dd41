/* "sbp_" and base64url of eight bytes of time and sixteen of a MAC. */
#include "auth/probe.h"

#include <stdint.h>
#include <string.h>

#include "auth/master.h"
#include "crypto/hash.h"
#include "secret/purpose.h"
#include "util/clock.h"
#include "util/str.h"

#include "util/banned.h"

#define PREFIX "sbp_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define TIME_SIZE 8
#define MAC_SIZE 16
#define ENCODED 32 /* base64url of both */
#define GOOD_FOR INT64_C(60000000)

static unsigned char probe_key[32];

int
probe_setup(const char *master_key_file, struct err *e)
{
	return master_derive(master_key_file, PURPOSE_PROBE, probe_key, e);
}

static void
mac(const unsigned char when[TIME_SIZE], unsigned char out[MAC_SIZE])
{
	unsigned char full[32];

	crypto_hmac_sha256(probe_key, sizeof(probe_key), when, TIME_SIZE, full);
	memcpy(out, full, MAC_SIZE);
}

void
probe_make(char out[PROBE_TEXT])
{
	uint64_t now = (uint64_t)clock_wall_us();
	unsigned char raw[TIME_SIZE + MAC_SIZE];
	int i;

	for (i = 0; i < TIME_SIZE; i++)
		raw[i] = (unsigned char)(now >> (8 * (TIME_SIZE - 1 - i)));
	mac(raw, raw + TIME_SIZE);
	memcpy(out, PREFIX, PREFIX_LEN);
	str_b64url(raw, sizeof(raw), out + PREFIX_LEN);
}

bool
probe_check(const char *text)
{
	unsigned char raw[TIME_SIZE + MAC_SIZE], want[MAC_SIZE];
	int64_t now = clock_wall_us(), when;
	uint64_t t = 0;
	int i;

	if (text == NULL || strncmp(text, PREFIX, PREFIX_LEN) != 0 ||
	    strnlen(text + PREFIX_LEN, ENCODED + 1) != ENCODED ||
	    str_b64url_decode(text + PREFIX_LEN, ENCODED, raw, sizeof(raw)) !=
		(int)sizeof(raw))
		return false;
	mac(raw, want);
	if (!str_eq_const(raw + TIME_SIZE, want, MAC_SIZE))
		return false;
	for (i = 0; i < TIME_SIZE; i++)
		t = t << 8 | raw[i];
	when = (int64_t)t;
	return when > now - GOOD_FOR && when < now + GOOD_FOR;
}
