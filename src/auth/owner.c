/* Whose sessions a caller reaches: a widget key's, or one visitor's of it. */
#include <string.h>

#include "auth/key.h"
#include "crypto/hash.h"

#include "util/banned.h"

struct uuid
key_owner(const struct key *k)
{
	unsigned char both[2 * sizeof(k->id.b)], hash[32];
	struct uuid owner = { .b = { 0 } };

	if (k->kind != KEY_WIDGET)
		return owner;
	if (id_is_nil(&k->visitor))
		return k->id;
	memcpy(both, k->id.b, sizeof(k->id.b));
	memcpy(both + sizeof(k->id.b), k->visitor.b, sizeof(k->visitor.b));
	crypto_sha256(both, sizeof(both), hash);
	memcpy(owner.b, hash, sizeof(owner.b));
	return owner;
}
