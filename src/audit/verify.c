/* Verifying an export, and the chain as it is stored. */
#include "audit/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "audit/hex.h"
#include "util/mem.h"

#include "util/banned.h"

#define LINE_MAX ((size_t)4 * 1024 * 1024)
#define KEYS_MOST 100

struct reader {
	const unsigned char *trusted;
	struct audit_verdict *out;
	struct chain chain;
	struct audit_key key[KEYS_MOST];
	int nkeys;
	int64_t sure; /* up to here a checkpoint has confirmed the chain */
	bool head, sealed;
};

static int
broken(struct reader *r, int64_t seq, const char *why)
{
	return chain_fault(&r->out->fault, seq, "%s", why);
}

/* --- members of a line; each 0 or -1 ------------------------------------- */

static int
get_int(const json_t *o, const char *name, int64_t *v)
{
	const json_t *m = json_object_get(o, name);

	*v = json_integer_value(m);
	return json_is_integer(m) ? 0 : -1;
}

static int
get_hex(const json_t *o, const char *name, unsigned char *out, size_t n)
{
	return hex_bytes(json_string_value(json_object_get(o, name)), out, n);
}

static int
get_id(const json_t *o, const char *name, struct uuid *out)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? id_parse(s, strlen(s), out) : -1;
}

/* Text or null. */
static int
get_text(const json_t *o, const char *name, const char **out)
{
	const json_t *m = json_object_get(o, name);

	*out = json_string_value(m);
	return json_is_string(m) || json_is_null(m) ? 0 : -1;
}

/* --- lines --------------------------------------------------------------- */

static int
take_head(struct reader *r, const json_t *o)
{
	const char *format = json_string_value(json_object_get(o, "format")),
		   *slug = json_string_value(json_object_get(o, "account"));
	json_t *keys = json_object_get(o, "keys"), *k;
	size_t i;

	if (r->head)
		return broken(r, r->chain.last + 1, "a second head");
	if (format == NULL || strcmp(format, "switchboard-audit-1") != 0 ||
	    get_id(o, "account_id", &r->out->account) != 0 || slug == NULL ||
	    strlen(slug) >= sizeof(r->out->slug))
		return broken(r, 0, "the first line is no head of an export");
	memcpy(r->out->slug, slug, strlen(slug) + 1);
	json_array_foreach(keys, i, k)
	{
		if (r->nkeys == KEYS_MOST ||
		    get_id(k, "id", &r->key[r->nkeys].id) != 0 ||
		    get_hex(k, "public_key", r->key[r->nkeys].public_key,
			SIGN_PUBLIC) != 0)
			return broken(r, 0, "the head names no good keys");
		r->nkeys++;
	}
	chain_init(&r->chain, &r->out->account);
	r->head = true;
	return 0;
}

static int
take_entry(struct reader *r, const json_t *o)
{
	struct chain_entry e;
	int bad = get_int(o, "seq", &e.seq);

	bad |= get_int(o, "at_us", &e.at_us) | get_id(o, "id", &e.id) |
	       get_hex(o, "previous", e.previous, CHAIN_HASH) |
	       get_hex(o, "hash", e.hash, CHAIN_HASH);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		bad |= get_text(o, chain_text_names[i], &e.text[i]);
	if (bad != 0)
		return broken(
		    r, r->chain.last + 1, "is not written as an entry is");
	return chain_add(&r->chain, &e, &r->out->fault);
}

/* The key of that id, if it is one to trust. */
static const struct audit_key *
key_of(const struct reader *r, const struct uuid *id)
{
	for (int i = 0; i < r->nkeys; i++)
		if (id_eq(&r->key[i].id, id))
			return r->trusted == NULL ||
			               memcmp(r->trusted, r->key[i].public_key,
					   SIGN_PUBLIC) == 0
			           ? &r->key[i]
			           : NULL;
	return NULL;
}

/* A checkpoint stands behind its entry. */
static int
check_checkpoint(struct reader *r, const struct audit_checkpoint *c)
{
	const struct audit_key *key = key_of(r, &c->key);

	if (c->seq > r->chain.last)
		return chain_fault(&r->out->fault, r->chain.last + 1,
		    "is missing: a checkpoint knows entries up to %" PRId64,
		    c->seq);
	if (key == NULL || !audit_checkpoint_ok(key, &r->chain.account, c))
		return broken(
		    r, c->seq, "has a checkpoint that nobody trusted signed");
	if (c->seq < r->chain.last ||
	    memcmp(c->hash, r->chain.hash, CHAIN_HASH) != 0)
		return chain_fault(&r->out->fault, r->sure + 1,
		    "or one of those up to %" PRId64
		    " is not what was there when the checkpoint was signed",
		    c->seq);
	r->sure = c->seq;
	r->out->checkpoints++;
	return 0;
}

static int
take_checkpoint(struct reader *r, const json_t *o)
{
	struct audit_checkpoint c;

	if (get_int(o, "seq", &c.seq) != 0 ||
	    get_int(o, "at_us", &c.at_us) != 0 ||
	    get_hex(o, "hash", c.hash, CHAIN_HASH) != 0 ||
	    get_id(o, "key", &c.key) != 0 ||
	    get_hex(o, "signature", c.signature, SIGN_SIZE) != 0)
		return broken(r, r->chain.last,
		    "has a checkpoint that is not written as one is");
	return check_checkpoint(r, &c);
}

static int
take_seal(struct reader *r, const json_t *o)
{
	const struct audit_key *key;
	struct audit_seal s;

	if (get_int(o, "first", &s.first) != 0 ||
	    get_int(o, "last", &s.last) != 0 ||
	    get_int(o, "at_us", &s.at_us) != 0 ||
	    get_hex(o, "start", s.start, CHAIN_HASH) != 0 ||
	    get_hex(o, "hash", s.hash, CHAIN_HASH) != 0 ||
	    get_id(o, "key", &s.key) != 0 ||
	    get_hex(o, "signature", s.signature, SIGN_SIZE) != 0)
		return broken(r, 0, "the last line is no seal");
	key = key_of(r, &s.key);
	if (key == NULL || !audit_seal_ok(key, &r->chain.account, &s))
		return broken(
		    r, 0, "the seal was not signed by a key that is trusted");
	if (s.first != r->chain.first)
		return chain_fault(&r->out->fault, s.first,
		    "is missing: the export began with it");
	if (s.last != r->chain.last)
		return chain_fault(&r->out->fault,
		    (s.last < r->chain.last ? s.last : r->chain.last) + 1,
		    "%s the seal: it ends with %" PRId64,
		    s.last < r->chain.last ? "is not under"
					   : "is missing under",
		    s.last);
	if (memcmp(s.hash, r->chain.hash, CHAIN_HASH) != 0 ||
	    memcmp(s.start, r->chain.start, CHAIN_HASH) != 0)
		return chain_fault(&r->out->fault, r->sure + 1,
		    "or a later one is not what was sealed");
	r->out->key = *key;
	r->sealed = true;
	return 0;
}

static int
take_line(struct reader *r, const char *line, size_t n)
{
	static const struct {
		const char *type;
		int (*take)(struct reader *, const json_t *);
	} kinds[] = { { "entry", take_entry }, { "head", take_head },
		{ "checkpoint", take_checkpoint }, { "seal", take_seal } };
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(o, "type"));
	int rc = 1;

	if (r->sealed)
		rc = broken(r, r->chain.last + 1, "stands behind the seal");
	for (size_t i = 0;
	     rc == 1 && type != NULL && i < sizeof(kinds) / sizeof(kinds[0]);
	     i++)
		if (strcmp(type, kinds[i].type) == 0) {
			if (!r->head && kinds[i].take != take_head)
				rc = broken(r, 0, "there is no head");
			else
				rc = kinds[i].take(r, o);
		}
	json_decref(o);
	if (rc == 1)
		return broken(r, r->chain.last + 1,
		    "should stand where a line is no part of an export");
	return rc;
}

static void
verdict(struct reader *r, bool good)
{
	r->out->good = good;
	r->out->entries = r->chain.entries;
	r->out->first = r->chain.first;
	r->out->last = r->chain.last;
}

int
audit_verify_file(FILE *f, const unsigned char *trusted,
    struct audit_verdict *out, struct err *e)
{
	struct reader *r = mem_new(NULL, struct reader);
	char *line = NULL;
	size_t room = 0;
	ssize_t n = 0;
	int rc = 0;

	*out = (struct audit_verdict){ 0 };
	r->out = out;
	r->trusted = trusted;
	while (rc == 0 && (n = getline(&line, &room, f)) > 0)
		rc = (size_t)n > LINE_MAX
		         ? broken(r, r->chain.last + 1, "is too long a line")
		         : take_line(r, line, (size_t)n);
	free(line);
	if (ferror(f)) {
		mem_free(r);
		return err_set(e, ERR_INVALID, "cannot read the export: %m");
	}
	if (rc == 0 && !r->sealed)
		rc = broken(r, r->head ? r->chain.last + 1 : 0,
		    r->head ? "may be missing: the seal at the end is"
			    : "this is no export");
	verdict(r, rc == 0);
	mem_free(r);
	return 0;
}

/* --- what is stored ------------------------------------------------------ */

struct stored {
	struct reader *r;
	const struct audit_checkpoint *next;
	int left;
};

/* Returns -1 with e->code ERR_NONE where the verdict says why. */
static int
take_stored(void *arg, const struct chain_entry *entry, struct err *e)
{
	struct stored *s = arg;

	(void)e;
	if (chain_add(&s->r->chain, entry, &s->r->out->fault) != 0)
		return -1;
	for (; s->left > 0 && s->next->seq <= s->r->chain.last;
	     s->next++, s->left--)
		if (s->next->seq == s->r->chain.last &&
		    check_checkpoint(s->r, s->next) != 0)
			return -1;
	return 0;
}

static int
check_end(struct reader *r, const struct stored *s, int64_t seq,
    const unsigned char hash[CHAIN_HASH])
{
	/* Retention may have taken all of a chain, but nothing of its end. */
	if (r->chain.entries > 0 && r->chain.last < seq)
		return chain_fault(&r->out->fault, r->chain.last + 1,
		    "is missing: the chain ends with %" PRId64, seq);
	if (r->chain.entries > 0 &&
	    memcmp(hash, r->chain.hash, CHAIN_HASH) != 0)
		return broken(r, r->chain.last, "is not how the chain ends");
	if (s->left > 0 && s->next->seq > seq)
		return chain_fault(&r->out->fault, r->chain.last + 1,
		    "is missing: a checkpoint knows entries up to %" PRId64,
		    s->next->seq);
	return 0;
}

int
audit_verify_stored(struct db_pool *db, const struct uuid *account,
    struct audit_verdict *out, struct err *e)
{
	void *ctx = mem_root("audit_verify");
	struct reader *r = mem_new(ctx, struct reader);
	struct stored s = { .r = r };
	struct audit_range all = { 0 };
	struct audit_checkpoint *checkpoints;
	unsigned char hash[CHAIN_HASH];
	struct err why = { 0 };
	struct audit_key *keys;
	int64_t seq;
	int rc;

	*out = (struct audit_verdict){ .account = *account };
	r->out = out;
	chain_init(&r->chain, account);
	/* The end first: what is appended meanwhile comes behind it. */
	rc = audit_head(db, account, &seq, hash, e);
	if (rc == 0)
		rc = audit_keys(db, ctx, &keys, &r->nkeys, e);
	if (rc == 0)
		rc = audit_checkpoints(
		    db, account, 1, INT64_MAX, ctx, &checkpoints, &s.left, e);
	if (rc == 0) {
		if (r->nkeys > KEYS_MOST)
			r->nkeys = KEYS_MOST;
		memcpy(r->key, keys, (size_t)r->nkeys * sizeof(*keys));
		s.next = checkpoints;
		rc = audit_walk(db, account, &all, take_stored, &s, &why);
		if (rc != 0 && why.code != ERR_NONE && e != NULL)
			*e = why;
		if (rc == 0)
			verdict(r, r->chain.last > seq ||
				       check_end(r, &s, seq, hash) == 0);
		else if (why.code == ERR_NONE) {
			verdict(r, false);
			rc = 0;
		}
	}
	mem_free(ctx);
	return rc;
}
