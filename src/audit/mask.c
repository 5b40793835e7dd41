/*
 * Masking.  What a value is called decides first; then what a text looks like,
 * since secrets get pasted into prompts and names.  Numbers stay where a name
 * alone is no proof ("tokens_per_hour"); what is said to be a password or the
 * like is hidden whatever it is.
 */
#include "audit/mask.h"

#include <string.h>
#include <strings.h>

#include "crypto/hash.h"
#include "telemetry/redact.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define MASK "[masked]"
#define DEPTH_MOST 64

/* Is ${word} the last word of the name? */
static bool
last_word(const char *name, const char *word)
{
	size_t n = strlen(name), len = strlen(word);

	return n >= len && strcasecmp(name + n - len, word) == 0 &&
	       (n == len || strchr("_-.", name[n - len - 1]) != NULL);
}

/* A name that a secret text may stand under. */
static bool
likely(const char *name)
{
	static const char *const words[] = { "key", "keys", "hash", "hashes",
		"token", "tokens", "seed", "salt", "credential", "signature",
		"pin", "codes" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (last_word(name, words[i]))
			return true;
	return false;
}

static json_t *
masked_text(const json_t *v)
{
	const char *s = json_string_value(v);
	size_t n = json_string_length(v), max = 2 * n + 256;
	char *out = mem_zalloc(NULL, max, "mask");
	json_t *text;

	redact_secrets(s, n, out, max);
	text = json_string(out);
	mem_free(out);
	return text;
}

static json_t *
masked(const char *name, const json_t *v, int depth)
{
	json_t *copy, *item;
	const char *key;
	size_t i;

	if (json_is_null(v) || json_is_boolean(v))
		return json_incref((json_t *)(uintptr_t)v);
	if (depth == 0 || redact_names_secret(name) ||
	    (!json_is_number(v) && likely(name)))
		return json_string(MASK);
	if (json_is_object(v)) {
		copy = json_object();
		json_object_foreach((json_t *)(uintptr_t)v, key, item)
		    json_object_set_new(
			copy, key, masked(key, item, depth - 1));
		return copy;
	}
	if (json_is_array(v)) {
		copy = json_array();
		json_array_foreach(v, i, item)
		    json_array_append_new(copy, masked("", item, depth - 1));
		return copy;
	}
	if (json_is_string(v))
		return masked_text(v);
	return json_incref((json_t *)(uintptr_t)v);
}

/* What stands for a text that is too long. */
static const char *
digest(const void *ctx, const struct buf *b)
{
	unsigned char hash[32];
	char hex[65];

	crypto_sha256(b->data, b->len, hash);
	str_hex(hash, sizeof(hash), hex);
	return mem_printf(
	    ctx, "{\"bytes\":%zu,\"sha256\":\"%s\"}", b->len, hex);
}

const char *
mask_json(const void *ctx, const json_t *v, size_t max)
{
	const char *text;
	json_t *copy;
	struct buf b;

	if (v == NULL)
		return NULL;
	copy = masked("", v, DEPTH_MOST);
	buf_init(&b, ctx, 64 * 1024 * 1024);
	json_write(&b, copy);
	json_decref(copy);
	text = buf_failed(&b) || b.len > max ? digest(ctx, &b) : b.data;
	if (text != b.data)
		buf_free(&b);
	return text;
}

const char *
mask_text(const void *ctx, const char *s, size_t max)
{
	size_t n, len, chars = 0;
	struct buf b;

	if (s == NULL)
		return NULL;
	n = strlen(s);
	buf_init(&b, ctx, n + 1);
	for (size_t i = 0; i < n && chars < max; i += len, chars++) {
		len = str_utf8_char(s + i, n - i);
		if (len > 0)
			buf_add(&b, s + i, len);
		else
			buf_addc(&b, '?');
		len += len == 0;
	}
	return b.data;
}
