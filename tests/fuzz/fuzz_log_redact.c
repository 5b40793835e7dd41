/*
 * telemetry/redact: bounded, ends in NUL, and what is known to be a secret
 * does not come out whatever stands around it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/log.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char secret[] = " password=hunter2hunter2 ";
	size_t max, len = sizeof(secret) - 1, all;
	char *in, *out;

	if (n < 2)
		return 0;
	max = (size_t)data[0] * 16 + 1;
	data += 2;
	n -= 2;
	in = malloc(n + len);
	out = malloc(max + 1);
	if (in == NULL || out == NULL)
		abort();
	memcpy(in, data, n);
	memcpy(in + n, secret, len);
	all = n + (data[-1] % 2 == 0 ? len : 0);
	out[max] = 'Z';
	log_redact(in, all, out, max);
	if (memchr(out, '\0', max) == NULL || out[max] != 'Z')
		abort();
	/* Unless the input itself brings it in some form of its own. */
	if (memmem(in, n, "hunter2hu", 9) == NULL &&
	    strstr(out, "hunter2hu") != NULL)
		abort();
	free(in);
	free(out);
	return 0;
}
