/* What the mock remembers of its callers, for all loops; and settings. */
#ifndef TESTS_MOCK_MOCK_STATS_H
#define TESTS_MOCK_MOCK_STATS_H

#include <stdbool.h>
#include <stddef.h>

#include "mock.h"

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
void stats_client_gone(const char *model, int chunks);

void stats_write(struct bytes *);
void stats_last(struct bytes *);
void stats_log(struct bytes *);
void stats_reset(void);

/* {"key","do","times"}; false: not understood. */
bool stats_set(const char *body, size_t n);
/* What is set for a key, counted down. */
bool stats_setting(const char *key, size_t n, char *out, size_t size);

#endif
