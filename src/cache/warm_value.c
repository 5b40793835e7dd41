/*
 * A value: head, key, row.  The key of the file is a hash of 64 bits, so the
 * whole key stands in the value and is compared: two names never share an
 * entry.  The check tells a damaged value from a sound one.
 */
#include <stddef.h>
#include <string.h>

#include "cache/row.h"
#include "cache/warm_priv.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/mem.h"

#include "util/banned.h"

#define HEAD sizeof(struct warm_head)
#define CHECKED offsetof(struct warm_head, epoch) /* from here on */

void
warm_value_pack(
    const struct warm_env *w, const struct warm_entry *en, struct buf *out)
{
	struct warm_head h = { .epoch = en->epoch,
		.platform = en->platform,
		.written = clock_mono(),
		.slot = en->slot,
		.key = (uint32_t)strlen(en->key) + 1 };

	buf_add(out, (const char *)&h, HEAD);
	buf_add(out, en->key, h.key);
	row_pack(en->row, out);
	if (buf_failed(out))
		return;
	h.check = hash_keyed(w->seed, out->data + CHECKED, out->len - CHECKED);
	memcpy(out->data, &h, HEAD);
}

bool
warm_value_head(
    const struct warm_env *w, const MDB_val *v, struct warm_head *out)
{
	const char *p = v->mv_data;

	if (v->mv_size <= HEAD)
		return false;
	memcpy(out, p, HEAD);
	return out->key > 0 && out->key <= v->mv_size - HEAD &&
	       p[HEAD + out->key - 1] == '\0' &&
	       out->check ==
	           hash_keyed(w->seed, p + CHECKED, v->mv_size - CHECKED);
}

const char *
warm_value_key(const MDB_val *v)
{
	return (const char *)v->mv_data + HEAD;
}

int
warm_value_row(const MDB_val *v, const struct warm_head *h, const void *ctx,
    struct row *out)
{
	size_t at = HEAD + h->key, n = v->mv_size - at;
	char *copy = mem_zalloc(ctx, n + 1, "row");

	memcpy(copy, (const char *)v->mv_data + at, n);
	return row_unpack(copy, n, out);
}
