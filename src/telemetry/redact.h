/* Masking of secrets alone, for records that keep everything else. */
#ifndef TELEMETRY_REDACT_H
#define TELEMETRY_REDACT_H

#include <stdbool.h>
#include <stddef.h>

/* Is what stands under this name a secret: password, api_key, token ...? */
bool redact_names_secret(const char *name);
/* Write ${in} to out (cut at max - 1) with what is known to be a secret
 * masked: "password=...", bearer tokens, private keys, keys known by how they
 * start.  A mask may be longer than what it hides. */
void redact_secrets(const char *in, size_t n, char *out, size_t max);

#endif
