/*
 * The log: JSON lines, one an event, written with one write(2) to a descriptor
 * opened by the master.  What a line may hold is decided here: a redactor in
 * the sink masks secrets, e-mail addresses, telephone and card numbers in every
 * value, whatever the call site passed.  Message bodies are never logged.
 */
#ifndef TELEMETRY_LOG_H
#define TELEMETRY_LOG_H

#include <stddef.h>

#include "util/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/*
 * Open ${path} for appending ("-" or NULL: standard error).  Every process
 * calls it again on SIGUSR1 (log_reopen).  0 or -1 with e; the old one stays.
 */
int log_open(const char *path, enum log_level level, struct err *e);
int log_reopen(struct err *e);
/* What this process is ("chat worker 3"); stands in each line. */
void log_process(const char *role);

/*
 * The request this thread works for: ids stand in each line it writes.
 * Pointers must live until log_context(NULL, NULL, NULL).
 */
void log_context(
    const char *request_id, const char *trace_id, const char *account_id);

/*
 * Write an event: ${event} is a stable snake_case name, then pairs of const
 * char * key and value (a NULL value is left out), then NULL.  Safe in any
 * thread; errno is kept.  A line has at most 4,096 bytes ("cut": true when
 * something did not fit), a value about 1,000.  Values under keys that name
 * secrets or a visitor's words and data (password, token, email, phone,
 * message, body, reply, prompt, content ...) are masked whole: use "error" for
 * an error's text.
 *	log_event(LOG_WARN, "db_lost", "error", e.text, NULL);
 */
void log_event(enum log_level level, const char *event, ...)
    __attribute__((sentinel));
/* Number for a pair: a thread-local text, good for 8 calls. */
const char *log_int(long long n);

/* Write ${in} to out (cut at max - 1) with secrets and personal data masked:
 * exported for its tests and fuzzer. */
void log_redact(const char *in, size_t n, char *out, size_t max);

#endif
