/* The two halves of the OpenAI format. */
#ifndef LLM_OPENAI_PRIV_H
#define LLM_OPENAI_PRIV_H

#include <jansson.h>
#include <stddef.h>

struct llm_stream;

int openai_event(
    struct llm_stream *, const char *event, const char *data, size_t len);
int openai_whole(struct llm_stream *, const json_t *);

#endif
