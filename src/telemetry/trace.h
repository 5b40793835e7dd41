/* W3C Trace Context: a request's trace id and our span, taken up or made. */
#ifndef TELEMETRY_TRACE_H
#define TELEMETRY_TRACE_H

struct trace {
	char trace_id[33];  /* 32 lower-case hex digits */
	char parent_id[17]; /* the caller's span, "" when it named none */
	char span_id[17];   /* ours */
	unsigned char flags;
};

/* Take up ${traceparent} (NULL or malformed: a new trace). */
void trace_start(struct trace *, const char *traceparent);
/* "00-<trace>-<our span>-<flags>" for calls we make. */
#define TRACE_PARENT_SIZE 56
void trace_parent(const struct trace *, char out[TRACE_PARENT_SIZE]);

#endif
