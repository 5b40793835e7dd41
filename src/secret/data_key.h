/* A data key as it is stored, and its sealing by a master key. */
#ifndef SECRET_DATA_KEY_H
#define SECRET_DATA_KEY_H

#include "crypto/envelope.h"
#include "db/db.h"
#include "secret/keyring.h"
#include "util/err.h"
#include "util/id.h"

#define DATA_KEY_WRAPPED (ENVELOPE_KEY + ENVELOPE_MORE)
#define DATA_KEY_HEX (2 * DATA_KEY_WRAPPED + 1)

struct data_key {
	struct uuid account;
	int version;
	char master_id[KEYRING_ID];
	unsigned char wrapped[DATA_KEY_WRAPPED];
};

/* Row ${row} of a statement of store.h.  0, or -1 with e. */
int data_key_row(
    const struct db_result *, int row, struct data_key *out, struct err *e);
/* Seal ${key} by the ${i}th master key: fills in master_id and wrapped. */
void data_key_wrap(struct data_key *, const struct keyring *, int i,
    const unsigned char key[ENVELOPE_KEY]);
/* The key itself.  0, or -1 with ERR_DENIED: the master key is not there, or it
 * is another than its name says. */
int data_key_unwrap(const struct data_key *, const struct keyring *,
    unsigned char key[ENVELOPE_KEY], struct err *e);

#endif
