/* Answers in the openai format. */
#include "fuzz_llm.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_provider(&llm_openai, data, size);
	return 0;
}
