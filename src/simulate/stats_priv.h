/* What the provider remembers of its callers.  All functions lock. */
#ifndef SIMULATE_STATS_PRIV_H
#define SIMULATE_STATS_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

void stats_start(bool keep_requests);
void stats_opened(void);
void stats_closed(void);
void stats_answer_begin(void);
void stats_answer_end(void);
void stats_chunk(void);
void stats_request(const char *path, const char *key, size_t kn,
    const char *model, const char *head, size_t hn, const char *body,
    size_t bn);
/* The client left while an answer was being given. */
void stats_client_gone(const char *model, int said);

void stats_write(struct buf *);
void stats_last(struct buf *);
void stats_log(struct buf *);
void stats_reset(void);

#endif
