/* From a request to what is said. */
#ifndef SIMULATE_ANSWER_PRIV_H
#define SIMULATE_ANSWER_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "simulate/wire_priv.h"

/* A request as it came: all points into the connection's bytes. */
struct request {
	char method[16], path[256]; /* without its query */
	const char *head;
	size_t head_len;
	const char *body;
	size_t body_len;
};

/* The value of a header ("content-length"); its length, 0: none. */
size_t answer_header(
    const struct request *, const char *name, const char **value);
/* What is answered; memory hangs below ${ctx}. */
void answer_make(struct script *, const void *ctx, const struct request *);

/* lists.c: bodies of GET /v1/models[/…] and POST /v1/embeddings into s->whole;
 * false: no such model, or no such request, s->plan.status says what. */
bool lists_models(struct script *, const char *path);
bool lists_embeddings(struct script *, const struct ask *);
/* POST /v1/messages/count_tokens */
void lists_count(struct script *, const struct ask *);

#endif
