/* What a provider's refusal means. */
#ifndef LLM_ERRORS_PRIV_H
#define LLM_ERRORS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llm/llm.h"
#include "util/err.h"

struct net_reply;

/* type and code hold only letters, digits, "_", "-" and "."; "" unknown. */
struct llm_fault {
	int status; /* HTTP, or what it would be outside a stream */
	bool in_stream;
	char type[64];
	char code[64];
	bool retryable;   /* the official clients would try again */
	int64_t retry_ms; /* as the provider asks, 0 = said nothing */
};

/*
 * Read an answer that is no success.  ${body} may be anything; ${wall_us} is
 * now, for dates without a Date header beside them.
 */
void errors_read(struct llm_fault *, const struct net_reply *, const char *body,
    size_t len, int64_t wall_us);
/* An error object of a stream that began well. */
void errors_stream(struct llm_fault *, const char *type, const char *code);
/* Set *e for the caller from a fault of ${provider}; always -1. */
int errors_set(const struct llm_fault *, const char *provider, struct err *e);

/* What it says of the key that was used. */
enum llm_class errors_class(const struct llm_fault *);
/* What an answer says of limits; ${mono} and ${wall_us} are now. */
void errors_rates(const struct net_reply *, int64_t mono, int64_t wall_us,
    struct llm_rate out[LLM_RATES]);

/* Retry-After: seconds, also fractional, or an HTTP date against ${date}
 * (else ${wall_us}).  Milliseconds, -1 when it is neither. */
int64_t errors_retry_after(
    const char *value, const char *date, int64_t wall_us);
/* Durations such as 1s, 12ms, 6m0s, 1h2m3.5s.  Milliseconds or -1. */
int64_t errors_duration(const char *value);

#endif
