/* Answers in the anthropic format. */
#include "fuzz_llm.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_provider(&llm_anthropic, data, size);
	return 0;
}
