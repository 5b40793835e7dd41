/*
 * How many tokens a text is, roughly.  Counted in quarters of a token by the
 * length of a character's UTF-8: Latin text runs at some four letters a token,
 * Greek or Cyrillic at two, Chinese or Japanese at about one a character, and
 * what needs four bytes (emoji, rare scripts) at two tokens.  Good to a third
 * or so, which is what a reservation needs; real counts replace it.
 */
#include "llm/llm.h"
#include "llm/provider_priv.h"

#include <string.h>

#include "util/banned.h"

#define MESSAGE_TOKENS 4 /* role and separators */

int64_t
llm_estimate_tokens(const char *text, size_t len)
{
	int64_t quarters = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x80)
			quarters += 1;
		else if (c >= 0xf0)
			quarters += 8;
		else if (c >= 0xe0)
			quarters += 4;
		else if (c >= 0xc0)
			quarters += 2;
		/* 10xxxxxx: counted with its first byte */
	}
	return (quarters + 3) / 4;
}

static int64_t
estimate_json(const json_t *v)
{
	const char *key;
	const json_t *item;
	size_t i;
	int64_t n = 1;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		json_object_foreach((json_t *)(uintptr_t)v, key, item) n +=
		    1 + llm_estimate_tokens(key, strlen(key)) +
		    estimate_json(item);
		return n;
	case JSON_ARRAY:
		json_array_foreach((json_t *)(uintptr_t)v, i, item) n +=
		    estimate_json(item);
		return n;
	case JSON_STRING:
		return n + llm_estimate_tokens(
			       json_string_value(v), json_string_length(v));
	default:
		return n;
	}
}

int64_t
llm_estimate_request(const struct llm_request *rq)
{
	int64_t n = 0;

	if (rq->system)
		n += MESSAGE_TOKENS +
		     llm_estimate_tokens(rq->system, strlen(rq->system));
	for (int i = 0; i < rq->nmessages; i++) {
		const struct llm_message *m = &rq->messages[i];
		n += MESSAGE_TOKENS;
		if (m->text)
			n += llm_estimate_tokens(m->text, m->len);
		for (int k = 0; k < m->ncalls; k++) {
			const char *a = m->calls[k].arguments;
			n += MESSAGE_TOKENS +
			     llm_estimate_tokens(a ? a : "", a ? strlen(a) : 0);
		}
	}
	if (rq->tools && json_array_size(rq->tools) > 0)
		n += estimate_json(rq->tools);
	return n;
}
