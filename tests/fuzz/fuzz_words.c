/* The words of any question, and the citations of any reply. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/prompt.h"
#include "knowledge/words.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct llm_passage passages[] = {
		{ .n = 1, .title = "a", .document_id = "1", .text = "x" },
		{ .n = 7, .title = "b", .document_id = "2", .text = "y" },
	};
	char *text = malloc(size + 1);
	const char *before;
	struct words w;

	memcpy(text, data, size);
	text[size] = '\0';
	words_of(text, &w);
	if (w.n < 0 || w.n > WORDS_MAX || strpbrk(w.text, "'\\|&!:*()<>"))
		abort();
	prompt_search_how(NULL, 0, text, &before);
	json_t *cited = prompt_citations(text, passages, 2);
	if (json_array_size(cited) > 2)
		abort();
	json_decref(cited);
	free(text);
	return 0;
}
