/* The scripted mock provider: what its three files share. */
#ifndef TESTS_MOCK_MOCK_H
#define TESTS_MOCK_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow; no limit but memory. */
struct bytes {
	char *p;
	size_t n, room;
};

void bytes_add(struct bytes *, const void *, size_t);
void bytes_adds(struct bytes *, const char *);
void bytes_addf(struct bytes *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void bytes_json(struct bytes *, const char *, size_t); /* with its quotes */
void bytes_drop(struct bytes *, size_t from_start);
void bytes_free(struct bytes *);

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
	    length, no_usage, no_done, no_finish, crlf, close;
	int echo;  /* 1 last user message, 2 everything */
	int flaky; /* of 100 answers so many are faults */
};

/* The words of a behaviour ("paced-5x20-cut-3") into *plan; false: unknown
 * word, which is then answered with status 400. */
bool plan_parse(struct plan *, const char *words, size_t n);
void plan_default(struct plan *);
/* Of a flaky plan, the answer number ${nth}: a fault in its turn, or as it is.
 */
void plan_flaky(struct plan *, unsigned long nth);
/* The table of words, for --help. */
void plan_help(void);

/* A request, as far as a provider cares. */
struct ask {
	bool anthropic, stream;
	char model[128];
	const char *body;
	size_t body_len;
};

/* What is said, cut into plan.chunks pieces. */
struct script {
	struct plan plan;
	bool anthropic, stream;
	char model[128];
	unsigned long id;
	struct bytes text;
	size_t *ends;  /* of each chunk of text */
	char tool[80]; /* call this one; "" none */
};

void script_make(
    struct script *, const struct ask *, const struct plan *, unsigned long id);
void script_free(struct script *);
/* Status line and headers of a stream or a whole answer. */
void wire_head(const struct script *, struct bytes *, size_t body_len);
/* Body bytes of a stream, unframed: what precedes the chunks, one chunk, what
 * follows, an error in its place. */
void wire_begin(const struct script *, struct bytes *);
void wire_chunk(const struct script *, int i, struct bytes *);
void wire_end(const struct script *, struct bytes *);
void wire_error(const struct script *, struct bytes *);
/* A whole body: answer or error. */
void wire_whole(const struct script *, struct bytes *);
void wire_refusal(const struct script *, struct bytes *);

#endif
