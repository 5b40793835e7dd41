/* Behaviours: how a request is answered, and the words that say so. */
#ifndef SIMULATE_PLAN_PRIV_H
#define SIMULATE_PLAN_PRIV_H

#include <stdbool.h>
#include <stddef.h>

/* How to answer one request.  -1 stands for never. */
struct plan {
	int status;
	int retry_after;
	int first_ms; /* silence before anything */
	int chunks, gap_ms;
	int cut_at, rst_at, stall_at, error_at; /* before this chunk */
	int drip_ms;                            /* a byte of body each */
	int split;                              /* bytes a send */
	int in, cached, out, reasoning;         /* usage */
	int tools; /* 0 no, 1 once, 2 in every round */
	bool bad_json, wrong_type, huge, headers, gzip, html, json, refuse,
	    length, no_usage, no_done, no_finish, crlf, close, quota, credit,
	    no_retry;
	int echo;  /* 1 last user message, 2 everything */
	int flaky; /* of 100 answers so many are faults */
};

#define PLAN_WORDS 256 /* room for the words of one behaviour, with the NUL */

/* The words of a behaviour ("paced-5x20-cut-3") into *plan; false: unknown
 * word, which is then answered with status 400. */
bool plan_parse(struct plan *, const char *words, size_t n);
void plan_default(struct plan *);
/* Of a flaky plan, the answer number ${nth}: a fault in its turn, or as it is.
 */
void plan_flaky(struct plan *, unsigned long nth);

#endif
