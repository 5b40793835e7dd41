/* auth/webauthn: whatever a client sends is read or refused, and only what was
 * asked for is taken.  The first byte says what it is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/webauthn.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CHALLENGE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char made[] =
	    "{\"type\":\"webauthn.create\",\"challenge\":"
	    "\"" CHALLENGE "\",\"origin\":\"http://localhost\"}";
	const struct webauthn_asked asked = { .origin = "http://localhost",
		.rp_id = "localhost" };
	struct webauthn_bytes rest = { data + 1, n - 1 };
	struct webauthn_key key;
	struct err e = { 0 };

	if (n == 0)
		return 0;
	if (data[0] % 2 == 0) {
		if (webauthn_client(&asked, "webauthn.get", rest, &e) == 0) {
			if (memmem(rest.p, rest.n, "webauthn", 8) == NULL &&
			    memchr(rest.p, '\\', rest.n) == NULL)
				abort();
		} else if (e.code != ERR_INVALID) {
			abort();
		}
	} else if (webauthn_made(&asked,
		       (struct webauthn_bytes){
			   (const unsigned char *)made, sizeof(made) - 1 },
		       rest, &key, &e) == 0) {
		if (key.id_len == 0 || key.id_len > WEBAUTHN_ID_MAX ||
		    key.key_len > WEBAUTHN_KEY_MAX || (rest.p[32] & 5) != 5)
			abort();
	} else if (e.code != ERR_INVALID) {
		abort();
	}
	return 0;
}
