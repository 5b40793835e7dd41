/*
 * Counters, gauges and histograms of all processes in shared memory: each
 * process adds to its own slot, a scrape sums the slots.  metric.def is the
 * table: name, type, labels, help text; the manual and /metrics come from it.
 */
#ifndef TELEMETRY_METRIC_H
#define TELEMETRY_METRIC_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/buf.h"

enum metric_id {
#define METRIC(id, name, type, help) id,
#include "telemetry/metric.def"
#undef METRIC
	METRIC_COUNT
};

#define METRIC_ROUTES 256  /* rows of the route table at most */
#define METRIC_STATUSES 24 /* distinct answer statuses kept apart */

/* Bytes of shared memory for ${slots} processes. */
size_t metric_size(unsigned slots);
/* Use ${area} (zeroed, shared, metric_size(slots)); in the master. */
void metric_attach(void *area, unsigned slots);
/* After a fork: this process adds to ${slot}. */
void metric_slot(unsigned slot);
/* Set every gauge of ${slot} to 0: its process is gone (counters stay). */
void metric_slot_reaped(unsigned slot);

void metric_add(enum metric_id, int64_t n);   /* counter, or a gauge's change */
void metric_set(enum metric_id, int64_t n);   /* gauge of this process */
void metric_time(enum metric_id, int64_t ns); /* histogram, observed in ns */
int64_t metric_sum(enum metric_id);

/* A request answered: counts by route and status, and its latency by route. */
void metric_request(unsigned route, int status, int64_t ns);
/*
 * Names for the route label; index = row of the route table; static text, set
 * before the fork.  "POST /x" gives the labels method="POST",route="/x".
 */
void metric_route_name(unsigned route, const char *name);

/* The whole page, Prometheus text format 0.0.4. */
void metric_write(struct buf *out);
/* Names, types and meanings as a Markdown table. */
void metric_write_doc(FILE *);

#endif
