/*
 * The words around a conversation: the system content with what retrieval
 * found, what to search for, and which passages an answer cites.
 */
#ifndef AGENT_PROMPT_H
#define AGENT_PROMPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llm/llm.h"

struct buf;

/*
 * System content: ${prompt}, the date of ${wall_us}, and the passages with the
 * rule how to cite them.  Passages are data: their text cannot close the block
 * it stands in, and the model is told to take no orders from it.  What the
 * visitor said is never touched.  With ${away} the model is told that nothing
 * could be searched, so that it does not take that for "there is nothing".
 * Below ctx; NULL when it would be longer than 1 MiB.
 */
char *prompt_system(const void *ctx, const char *prompt,
    const struct llm_passage *passages, int n, bool away, int64_t wall_us);
/* The passages alone, as they stand in system content and tool results. */
void prompt_passages(
    struct buf *out, const struct llm_passage *passages, int n);

/* How a message is searched for. */
enum prompt_search {
	PROMPT_NOTHING,     /* small talk */
	PROMPT_ALONE,       /* its own words say it all */
	PROMPT_MAYBE_AFTER, /* alone; when that finds nothing, with *before */
	PROMPT_AFTER,       /* "how much is it?": only together with *before */
};
/*
 * Choose; *before becomes an earlier user message with a subject, or NULL when
 * there is none (then never PROMPT_AFTER or PROMPT_MAYBE_AFTER).
 */
enum prompt_search prompt_search_how(const struct llm_message *history,
    int nhistory, const char *message, const char **before);

/* [{n, title, url, document_id, quote}] of the passages that ${reply} names as
 * [n]; new reference, never NULL. */
json_t *prompt_citations(
    const char *reply, const struct llm_passage *passages, int n);

#endif
