/* Percentiles of latencies that were counted in classes (sql/0002). */
#ifndef API_MANAGE_PERCENTILE_H
#define API_MANAGE_PERCENTILE_H

#include <jansson.h>

/* How many were counted. */
json_int_t percentile_count(const json_t *hist);
/*
 * The latency in ms that ${percent} of them do not exceed, evenly spread inside
 * its class and never above ${max}, the longest there was; null for none.
 */
json_t *percentile(const json_t *hist, int percent, json_int_t max);

#endif
