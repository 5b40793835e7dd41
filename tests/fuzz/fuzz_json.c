/*
 * util/json against jansson itself: what our scan accepts, jansson accepts but
 * for duplicates and ranges; what it refuses, jansson refuses but for limits
 * and NUL.  And what is written is read again as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/json.h"
#include "util/json_doc.h"
#include "util/mem.h"

#include "util/banned.h"

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x))                                                      \
			abort();                                               \
	} while (0)

static void
write_and_read(const json_t *v)
{
	struct json_limits wide = { 64, 1000000 };
	struct buf a, b;
	struct err e;
	json_t *again;

	buf_init(&a, NULL, 1 << 24);
	buf_init(&b, NULL, 1 << 24);
	json_write(&a, v);
	MUST(!buf_failed(&a));
	MUST(json_parse(a.data, a.len, &wide, &again, &e) == 0);
	json_write(&b, again);
	MUST(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	json_decref(again);
	buf_free(&a);
	buf_free(&b);
}

/* A document holds what the tree holds. */
static void
same(const struct json_val *v, const json_t *t)
{
	const struct json_val *in = NULL;
	size_t n, i = 0;
	const char *s;
	double d;

	switch (json_typeof(t)) {
	case JSON_OBJECT:
		MUST(json_val_is(v, '{'));
		for (; (in = json_val_next(v, in)); i++)
			same(in, json_object_getn(t, in->key, in->key_len));
		MUST(i == json_object_size(t));
		break;
	case JSON_ARRAY:
		MUST(json_val_is(v, '['));
		for (; (in = json_val_next(v, in)); i++)
			same(in, json_array_get(t, i));
		MUST(i == json_array_size(t));
		break;
	case JSON_STRING:
		s = json_val_str(v, &n);
		MUST(json_val_is(v, '"') && n == json_string_length(t) &&
		     memcmp(s, json_string_value(t), n) == 0);
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		MUST(json_val_is(v, '0'));
		if (v->len < 64)
			MUST(json_val_number(v, &d) &&
			     d >= json_number_value(t) &&
			     d <= json_number_value(t));
		break;
	case JSON_TRUE:
		MUST(json_val_is(v, 't'));
		break;
	case JSON_FALSE:
		MUST(json_val_is(v, 'f'));
		break;
	case JSON_NULL:
		MUST(json_val_is(v, 'n'));
		break;
	}
}

static void
document(const char *text, size_t n, const json_t *tree)
{
	void *ctx = mem_root("fuzz");
	struct json_doc doc;
	const struct json_val *v;

	json_doc_init(&doc, ctx);
	v = json_doc_read(&doc, text, n, &JSON_LIMITS_REQUEST);
	MUST(tree == NULL || v != NULL);
	if (tree != NULL)
		same(v, tree);
	mem_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	json_error_t je;
	json_t *v = NULL, *other;
	struct err e = { .code = ERR_NONE };
	int rc = json_parse(text, n, &JSON_LIMITS_REQUEST, &v, &e);

	/* jansson passes over NUL bytes between tokens; we do not. */
	MUST(n == 0 || memchr(data, '\0', n) == NULL || rc != 0);
	MUST(rc == 0 || (e.code == ERR_MALFORMED && v == NULL));
	other =
	    json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (rc == 0)
		MUST(other != NULL && json_equal(v, other));
	else if (strstr(e.text, "not JSON") != NULL)
		abort(); /* the scan let through what jansson does not know */
	else if (other != NULL && memchr(data, '\0', n) == NULL)
		MUST(strstr(e.text, "NUL") != NULL ||
		     strstr(e.text, "too many") != NULL ||
		     strstr(e.text, "too deeply") != NULL);
	if (rc == 0)
		write_and_read(v);
	document(text, n, v);
	json_decref(v);
	json_decref(other);
	return 0;
}
