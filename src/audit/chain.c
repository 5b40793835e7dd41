/* The hash of an entry is the one that data.audit_hash() computes (sql/): a
 * mark, the hash before, account, id, sequence, moment, then each text behind
 * its length. */
#include "audit/chain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"

#include "util/banned.h"

static const char mark[] = "sb-audit"; /* without its NUL */

const char *const chain_text_names[CHAIN_TEXTS] = { "action", "actor_kind",
	"actor_id", "actor_name", "address", "request_id", "object_kind",
	"object_id", "before", "after" };

int
chain_fault(struct chain_fault *f, int64_t seq, const char *fmt, ...)
{
	va_list ap;

	f->seq = seq;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return -1;
}

void
chain_init(struct chain *c, const struct uuid *account)
{
	*c = (struct chain){ .account = *account };
}

void
chain_from(struct chain *c, int64_t first, const unsigned char *start)
{
	c->first = first;
	c->last = first - 1;
	memcpy(c->start, start, CHAIN_HASH);
	memcpy(c->hash, start, CHAIN_HASH);
}

static void
put_int(unsigned char *out, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, v >>= 8)
		out[i] = (unsigned char)v;
}

void
chain_hash(const struct uuid *account, const struct chain_entry *e,
    unsigned char out[CHAIN_HASH])
{
	unsigned char fixed[8 + CHAIN_HASH + 16 + 16 + 8 + 8], size[4],
	    *p = fixed;
	struct hash_run *h = crypto_sha256_begin();

	memcpy(p, mark, 8);
	memcpy(p += 8, e->previous, CHAIN_HASH);
	memcpy(p += CHAIN_HASH, account->b, 16);
	memcpy(p += 16, e->id.b, 16);
	put_int(p += 16, (uint64_t)e->seq, 8);
	put_int(p + 8, (uint64_t)e->at_us, 8);
	crypto_sha256_add(h, fixed, sizeof(fixed));
	for (int i = 0; i < CHAIN_TEXTS; i++) {
		size_t n = e->text[i] != NULL ? strlen(e->text[i]) : 0;

		put_int(size, e->text[i] != NULL ? n : UINT32_MAX, 4);
		crypto_sha256_add(h, size, 4);
		crypto_sha256_add(h, e->text[i], n);
	}
	crypto_sha256_end(h, out);
}

int
chain_add(struct chain *c, const struct chain_entry *e, struct chain_fault *f)
{
	unsigned char hash[CHAIN_HASH];

	if (c->entries == 0 && c->first == 0) {
		if (e->seq < 1)
			return chain_fault(f, e->seq, "no such number");
		chain_from(c, e->seq, e->previous);
	}
	if (e->seq > c->last + 1)
		return chain_fault(f, c->last + 1,
		    "is missing: %" PRId64 " stands in its place", e->seq);
	if (e->seq <= c->last)
		return chain_fault(
		    f, e->seq, "stands a second time, after %" PRId64, c->last);
	if (memcmp(e->previous, c->hash, CHAIN_HASH) != 0)
		return chain_fault(
		    f, e->seq, "does not follow the entry before it");
	chain_hash(&c->account, e, hash);
	if (memcmp(e->hash, hash, CHAIN_HASH) != 0)
		return chain_fault(f, e->seq,
		    "is not as it was written: its hash is of something else");
	memcpy(c->hash, hash, CHAIN_HASH);
	c->last = e->seq;
	c->entries++;
	return 0;
}
