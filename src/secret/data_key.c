/* What is bound to a sealed data key: whose it is, its version, by which master
 * key. */
#include "secret/data_key.h"

#include <stdint.h>
#include <string.h>

#include "crypto/hash.h"
#include "secret/purpose.h"
#include "util/str.h"

#include "util/banned.h"

#define BOUND (16 + 4 + KEYRING_ID)

static void
bound(const struct data_key *k, unsigned char out[BOUND])
{
	memcpy(out, k->account.b, 16);
	for (int i = 0; i < 4; i++)
		out[16 + i] = (unsigned char)((uint32_t)k->version >> 8 * i);
	memcpy(out + 20, k->master_id, KEYRING_ID);
}

int
data_key_row(
    const struct db_result *r, int row, struct data_key *out, struct err *e)
{
	const char *hex = db_text(r, row, 3), *id = db_text(r, row, 2);
	bool good = db_uuid(r, row, 0, &out->account) == 0 &&
	            strlen(id) == KEYRING_ID - 1 &&
	            strlen(hex) == (size_t)2 * DATA_KEY_WRAPPED;

	for (size_t i = 0; good && i < DATA_KEY_WRAPPED; i++) {
		int high = str_hex_digit(hex[2 * i]),
		    low = str_hex_digit(hex[2 * i + 1]);

		good = high >= 0 && low >= 0;
		out->wrapped[i] = (unsigned char)(high << 4 | low);
	}
	if (!good)
		return err_set(e, ERR_INTERNAL, "a data key has an odd form");
	memcpy(out->master_id, id, KEYRING_ID);
	out->version = (int)db_int(r, row, 1);
	return 0;
}

void
data_key_wrap(struct data_key *k, const struct keyring *ring, int i,
    const unsigned char key[ENVELOPE_KEY])
{
	unsigned char by[32], aad[BOUND];

	memcpy(k->master_id, keyring_id(ring, i), KEYRING_ID);
	keyring_derive(ring, i, PURPOSE_ENVELOPE, by);
	bound(k, aad);
	envelope_seal(by, aad, sizeof(aad), key, ENVELOPE_KEY, k->wrapped);
	crypto_wipe(by, sizeof(by));
}

int
data_key_unwrap(const struct data_key *k, const struct keyring *ring,
    unsigned char key[ENVELOPE_KEY], struct err *e)
{
	unsigned char by[32], aad[BOUND];
	int i = keyring_find(ring, k->master_id), rc;
	char whose[UUID_TEXT];

	id_format(&k->account, whose);
	if (i < 0)
		return err_set(e, ERR_DENIED,
		    "the data key of %s is sealed by master key %s, which is "
		    "not here (the one in use is %s): put it back from your "
		    "copy",
		    id_is_nil(&k->account) ? "the platform" : whose,
		    k->master_id, keyring_id(ring, 0));
	keyring_derive(ring, i, PURPOSE_ENVELOPE, by);
	bound(k, aad);
	rc = envelope_open(
	    by, aad, sizeof(aad), k->wrapped, DATA_KEY_WRAPPED, key);
	crypto_wipe(by, sizeof(by));
	if (rc != 0)
		return err_set(e, ERR_DENIED,
		    "the data key of %s does not open: its row was changed",
		    id_is_nil(&k->account) ? "the platform" : whose);
	return 0;
}
