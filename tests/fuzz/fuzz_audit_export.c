/* Exports of the audit log from anywhere: read to a verdict, and nothing that
 * nobody signed is good. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/export.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char nobodys[SIGN_PUBLIC] = { 1 };
	struct audit_verdict v;
	FILE *f;

	if (size == 0)
		return 0;
	f = fmemopen((void *)(uintptr_t)data, size, "r");
	if (f == NULL)
		abort();
	if (audit_verify_file(f, nobodys, &v, NULL) == 0 && v.good)
		abort();
	fclose(f);
	return 0;
}
