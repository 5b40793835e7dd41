/* What is said in answer to a request, and how each vendor writes it. */
#ifndef SIMULATE_WIRE_PRIV_H
#define SIMULATE_WIRE_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulate/meter_priv.h"
#include "simulate/plan_priv.h"
#include "util/buf.h"

#define WIRE_MOST ((size_t)128 * 1024 * 1024) /* of anything we build */
#define MODEL_SIZE 128

/* A request, as far as a provider cares. */
struct ask {
	bool anthropic, stream;
	char model[MODEL_SIZE];
	const char *body;
	size_t body_len;
};

/* What is said, cut into plan.chunks pieces. */
struct script {
	struct plan plan;
	bool anthropic, stream;
	char model[MODEL_SIZE];
	unsigned long id;
	int64_t created; /* s since 1970 */
	struct buf text;
	size_t *ends;       /* of each chunk of text */
	char tool[80];      /* call this one; "" none */
	struct rates rates; /* of the key; .limited says if there are any */
	int meter;          /* the key's place in the meter */
	struct buf whole;   /* a body made already (embeddings); else empty */
};

/* Memory hangs below ${ctx}. */
void script_make(struct script *, const void *ctx, const struct ask *,
    const struct plan *, unsigned long id);
void script_free(struct script *);

/* Status line and headers of a stream (body_len SIZE_MAX) or whole answer. */
void wire_head(const struct script *, struct buf *, size_t body_len);
/* Body bytes of a stream, unframed: what precedes the chunks, one chunk, what
 * follows, an error in its place. */
void wire_begin(const struct script *, struct buf *);
void wire_chunk(const struct script *, int i, struct buf *);
void wire_end(const struct script *, struct buf *);
void wire_error(const struct script *, struct buf *);
/* A whole body: answer or error. */
void wire_whole(const struct script *, struct buf *);
void wire_refusal(const struct script *, struct buf *);

/* The two vendors' ways of it. */
const char *wire_eol(const struct script *);
const char *wire_finish(const struct script *);
void wire_openai_begin(const struct script *, struct buf *);
void wire_openai_chunk(
    const struct script *, const char *p, size_t n, struct buf *);
void wire_openai_end(const struct script *, struct buf *);
void wire_openai_whole(const struct script *, struct buf *);
void wire_anthropic_begin(const struct script *, struct buf *);
void wire_anthropic_chunk(
    const struct script *, const char *p, size_t n, struct buf *);
void wire_anthropic_end(const struct script *, struct buf *);
void wire_anthropic_whole(const struct script *, struct buf *);
void wire_anthropic_event(
    const struct script *, struct buf *, const char *name, const char *json);

#endif
