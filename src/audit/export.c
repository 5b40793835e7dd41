/* Writing an export. */
#include "audit/export.h"

#include <inttypes.h>
#include <string.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define LINE_MAX ((size_t)4 * 1024 * 1024)

struct writer {
	FILE *f;
	struct buf line;
	struct chain chain;
	const struct audit_checkpoint *next; /* checkpoints not yet written */
	int left;
};

static void
add_text(struct buf *b, const char *name, const char *text)
{
	buf_addf(b, ",\"%s\":", name);
	if (text == NULL)
		buf_adds(b, "null");
	else
		buf_json_str(b, text, strlen(text));
}

static void
add_hex(struct buf *b, const char *name, const void *p, size_t n)
{
	char hex[2 * SIGN_SIZE + 1];

	str_hex(p, n, hex);
	buf_addf(b, ",\"%s\":\"%s\"", name, hex);
}

static void
add_id(struct buf *b, const char *name, const struct uuid *u)
{
	char text[UUID_TEXT];

	id_format(u, text);
	buf_addf(b, ",\"%s\":\"%s\"", name, text);
}

static int
write_line(struct writer *w, struct err *e)
{
	buf_adds(&w->line, "}\n");
	if (buf_failed(&w->line))
		return err_set(e, ERR_INTERNAL, "an audit entry is too long");
	if (fwrite(w->line.data, 1, w->line.len, w->f) != w->line.len)
		return err_set(e, ERR_INTERNAL, "cannot write: %m");
	buf_clear(&w->line);
	return 0;
}

static int
write_head(struct writer *w, const char *slug, const struct audit_key *keys,
    int n, struct err *e)
{
	struct buf *b = &w->line;

	buf_adds(b, "{\"type\":\"head\",\"format\":\"switchboard-audit-1\"");
	add_id(b, "account_id", &w->chain.account);
	add_text(b, "account", slug);
	buf_adds(b, ",\"keys\":[");
	for (int i = 0; i < n; i++) {
		buf_adds(b, i > 0 ? ",{\"type\":\"key\"" : "{\"type\":\"key\"");
		add_id(b, "id", &keys[i].id);
		add_hex(b, "public_key", keys[i].public_key, SIGN_PUBLIC);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
	return write_line(w, e);
}

/* Those whose place has come. */
static int
write_checkpoints(struct writer *w, struct err *e)
{
	struct buf *b = &w->line;

	for (; w->left > 0 && w->next->seq <= w->chain.last;
	     w->next++, w->left--) {
		if (w->next->seq < w->chain.last)
			continue; /* before what is exported */
		buf_addf(b,
		    "{\"type\":\"checkpoint\",\"seq\":%" PRId64
		    ",\"at_us\":%" PRId64,
		    w->next->seq, w->next->at_us);
		add_hex(b, "hash", w->next->hash, CHAIN_HASH);
		add_id(b, "key", &w->next->key);
		add_hex(b, "signature", w->next->signature, SIGN_SIZE);
		if (write_line(w, e) != 0)
			return -1;
	}
	return 0;
}

static int
write_entry(void *arg, const struct chain_entry *entry, struct err *e)
{
	struct writer *w = arg;
	char at[CLOCK_RFC3339_SIZE];
	struct chain_fault fault;
	struct buf *b = &w->line;

	/* What does not hold is not sealed. */
	if (chain_add(&w->chain, entry, &fault) != 0)
		return err_set(e, ERR_CONFLICT, "entry %" PRId64 " %s",
		    fault.seq, fault.text);
	clock_rfc3339(entry->at_us, at);
	buf_addf(b,
	    "{\"type\":\"entry\",\"seq\":%" PRId64
	    ",\"at\":\"%s\",\"at_us\":%" PRId64,
	    entry->seq, at, entry->at_us);
	add_id(b, "id", &entry->id);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		add_text(b, chain_text_names[i], entry->text[i]);
	add_hex(b, "previous", entry->previous, CHAIN_HASH);
	add_hex(b, "hash", entry->hash, CHAIN_HASH);
	if (write_line(w, e) != 0)
		return -1;
	return write_checkpoints(w, e);
}

static int
write_seal(struct writer *w, struct db_pool *db, struct vault *v, struct err *e)
{
	struct audit_seal s = { .first = w->chain.first,
		.last = w->chain.last,
		.at_us = clock_wall_us() };
	struct buf *b = &w->line;

	memcpy(s.start, w->chain.start, CHAIN_HASH);
	memcpy(s.hash, w->chain.hash, CHAIN_HASH);
	if (audit_seal_make(db, v, &w->chain.account, &s, e) != 0)
		return -1;
	buf_addf(b,
	    "{\"type\":\"seal\",\"first\":%" PRId64 ",\"last\":%" PRId64
	    ",\"at_us\":%" PRId64,
	    s.first, s.last, s.at_us);
	add_hex(b, "start", s.start, CHAIN_HASH);
	add_hex(b, "hash", s.hash, CHAIN_HASH);
	add_id(b, "key", &s.key);
	add_hex(b, "signature", s.signature, SIGN_SIZE);
	return write_line(w, e);
}

int
audit_export(struct db_pool *db, struct vault *v, const struct uuid *account,
    const char *slug, const struct audit_range *range, FILE *f, int64_t *n,
    struct err *e)
{
	void *ctx = mem_root("audit_export");
	struct audit_checkpoint *checkpoints;
	struct writer w = { .f = f };
	struct audit_key key, *keys;
	int nkeys, rc;

	chain_init(&w.chain, account);
	buf_init(&w.line, ctx, LINE_MAX);
	rc = audit_key_get(db, v, &key, e);
	if (rc == 0)
		rc = audit_checkpoint_make(db, v, account, e);
	if (rc == 0)
		rc = audit_keys(db, ctx, &keys, &nkeys, e);
	if (rc == 0)
		rc = audit_checkpoints(
		    db, account, 1, INT64_MAX, ctx, &checkpoints, &w.left, e);
	if (rc == 0) {
		w.next = checkpoints;
		rc = write_head(&w, slug, keys, nkeys, e);
	}
	if (rc == 0)
		rc = audit_walk(db, account, range, write_entry, &w, e);
	if (rc == 0)
		rc = write_seal(&w, db, v, e);
	*n = w.chain.entries;
	mem_free(ctx);
	return rc;
}
