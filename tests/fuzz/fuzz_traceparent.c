/* telemetry/trace: any header gives a trace whose ids are well-formed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/trace.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	char *text = malloc(n + 1), out[TRACE_PARENT_SIZE];
	struct trace t, again;

	if (text == NULL)
		abort();
	if (n > 0)
		memcpy(text, data, n);
	text[n] = '\0';
	trace_start(&t, text);
	free(text);
	if (strspn(t.trace_id, hex) != 32 || t.trace_id[32] != '\0' ||
	    strspn(t.span_id, hex) != 16 || t.span_id[16] != '\0' ||
	    strspn(t.parent_id, hex) != strlen(t.parent_id))
		abort();
	trace_parent(&t, out);
	trace_start(&again, out);
	if (strcmp(again.trace_id, t.trace_id) != 0 ||
	    strcmp(again.parent_id, t.span_id) != 0 || again.flags != t.flags)
		abort();
	return 0;
}
