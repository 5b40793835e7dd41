/* The two halves of the OpenAI format. */
#ifndef LLM_OPENAI_PRIV_H
#define LLM_OPENAI_PRIV_H

#include <stddef.h>

struct json_val;
struct llm_stream;

int openai_event(
    struct llm_stream *, const char *event, const char *data, size_t len);
int openai_whole(struct llm_stream *, const struct json_val *);

#endif
