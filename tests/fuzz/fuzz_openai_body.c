/* Bodies of chat/completions and responses: taken, or refused with a reason; of
 * what is taken the parts fit together. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/openai/openai.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct openai_ask *ask)
{
	const struct agent_given *g = &ask->given;

	if (!ask->chat.message || ask->chat.message_len == 0 ||
	    ask->chat.given != g || ask->chat.nbefore < 0 || g->nafter < 0)
		abort();
	for (int i = 0; i < g->nafter; i++) {
		const struct llm_message *m = &g->after[i];

		if (m->role == LLM_USER || (m->role == LLM_TOOL && !m->call_id))
			abort();
	}
}

static void
read_one(
    const json_t *body, int (*reading)(struct openai_read *, const json_t *))
{
	void *ctx = mem_root("fuzz");
	struct openai_ask *ask = mem_new(ctx, struct openai_ask);
	struct openai_fault fault;
	struct openai_read r;

	openai_read_init(&r, ctx, ask, &fault);
	if (reading(&r, body) == 0)
		check(ask);
	else if (fault.err.code == ERR_NONE || fault.err.text[0] == '\0')
		abort();
	openai_read_done(&r);
	mem_free(ctx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body;

	if (json_parse((const char *)data, size, &JSON_LIMITS_REQUEST, &body,
		NULL) < 0)
		return 0;
	if (json_is_object(body)) {
		read_one(body, openai_read_chat);
		read_one(body, openai_read_response);
	}
	json_decref(body);
	return 0;
}
