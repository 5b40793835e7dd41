/* The two halves of the Anthropic format. */
#ifndef LLM_ANTHROPIC_PRIV_H
#define LLM_ANTHROPIC_PRIV_H

#include <stddef.h>

struct json_val;
struct llm_stream;

int anthropic_event(
    struct llm_stream *, const char *event, const char *data, size_t len);
int anthropic_whole(struct llm_stream *, const struct json_val *);

#endif
