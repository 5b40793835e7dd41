/*
 * Counters, gauges and histograms.  Each process has a slot in the shared area
 * and adds to it with relaxed atomics; nothing else is shared, so adding costs
 * no more than the addition.  Before metric_attach() (operator's commands,
 * unit tests) a private slot takes the numbers.
 */
#include "telemetry/metric.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/banned.h"

enum type { T_counter, T_gauge, T_peak, T_histogram };

static const struct {
	enum type type;
	const char *name, *help;
} table[METRIC_COUNT] = {
#define METRIC(id, name, type, help) [id] = { T_##type, name, help },
#include "telemetry/metric.def"
#undef METRIC
};

/* Upper bounds of the histograms, and as they are written in seconds. */
static const struct {
	int64_t ns;
	const char *text;
} bounds[] = {
	{ INT64_C(500000), "0.0005" },
	{ INT64_C(1000000), "0.001" },
	{ INT64_C(2500000), "0.0025" },
	{ INT64_C(5000000), "0.005" },
	{ INT64_C(10000000), "0.01" },
	{ INT64_C(25000000), "0.025" },
	{ INT64_C(50000000), "0.05" },
	{ INT64_C(100000000), "0.1" },
	{ INT64_C(250000000), "0.25" },
	{ INT64_C(500000000), "0.5" },
	{ INT64_C(1000000000), "1" },
	{ INT64_C(2500000000), "2.5" },
	{ INT64_C(5000000000), "5" },
	{ INT64_C(10000000000), "10" },
	{ INT64_C(30000000000), "30" },
	{ INT64_C(60000000000), "60" },
	{ INT64_C(120000000000), "120" },
};
#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

/* Statuses kept apart; 0, the last, is every other one. */
static const int statuses[METRIC_STATUSES] = { 200, 201, 202, 204, 303, 304,
	400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 499, 500,
	502, 503, 504, 0 };

typedef _Atomic(int64_t) cell;

struct histogram {
	cell bucket[BOUNDS + 1]; /* not cumulative; the last is +Inf */
	cell sum;                /* ns */
};

struct slot {
	cell value[METRIC_COUNT];
	struct histogram time[METRIC_COUNT]; /* used where type says so */
	cell request[METRIC_ROUTES][METRIC_STATUSES];
	struct histogram latency[METRIC_ROUTES];
};

/*
 * Only slots below ${used} are read: in shared memory even reading a page
 * makes it.
 */
struct area {
	_Alignas(64) _Atomic(unsigned) used;
	_Alignas(64) struct slot slot[];
};

static _Atomic(unsigned) private_used = 1;
static struct slot private_slot;

static _Atomic(unsigned) *used = &private_used;
static struct slot *slots = &private_slot;
static unsigned slot_count = 1;
static struct slot *mine = &private_slot;
static const char *route_names[METRIC_ROUTES];

size_t
metric_size(unsigned n)
{
	return sizeof(struct area) + sizeof(struct slot) * n;
}

void
metric_attach(void *area, unsigned n)
{
	struct area *a = area;

	used = &a->used;
	slots = a->slot;
	slot_count = n;
	metric_slot(0);
}

void
metric_slot(unsigned slot)
{
	unsigned now = atomic_load(used);

	if (slot >= slot_count)
		return;
	while (
	    now <= slot && !atomic_compare_exchange_weak(used, &now, slot + 1))
		continue;
	mine = &slots[slot];
}

static unsigned
slots_used(void)
{
	return atomic_load(used);
}

static void
add(cell *c, int64_t n)
{
	(void)atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static int64_t
get(const cell *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void
metric_slot_reaped(unsigned slot)
{
	if (slot >= slots_used())
		return;
	for (size_t i = 0; i < METRIC_COUNT; i++)
		if (table[i].type == T_gauge || table[i].type == T_peak)
			atomic_store(&slots[slot].value[i], 0);
}

void
metric_add(enum metric_id id, int64_t n)
{
	add(&mine->value[id], n);
}

void
metric_set(enum metric_id id, int64_t n)
{
	atomic_store_explicit(&mine->value[id], n, memory_order_relaxed);
}

static void
observe(struct histogram *h, int64_t ns)
{
	size_t i = 0;

	if (ns < 0)
		ns = 0;
	while (i < BOUNDS && ns > bounds[i].ns)
		i++;
	add(&h->bucket[i], 1);
	add(&h->sum, ns);
}

void
metric_time(enum metric_id id, int64_t ns)
{
	observe(&mine->time[id], ns);
}

int64_t
metric_sum(enum metric_id id)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < slots_used(); i++) {
		if (table[id].type != T_histogram) {
			int64_t n = get(&slots[i].value[id]);

			if (table[id].type != T_peak)
				sum += n;
			else if (n > sum)
				sum = n;
			continue;
		}
		for (size_t k = 0; k <= BOUNDS; k++)
			sum += get(&slots[i].time[id].bucket[k]);
	}
	return sum;
}

void
metric_request(unsigned route, int status, int64_t ns)
{
	size_t s = 0;

	if (route >= METRIC_ROUTES)
		route = METRIC_ROUTES - 1;
	while (s < METRIC_STATUSES - 1 && statuses[s] != status)
		s++;
	add(&mine->request[route][s], 1);
	observe(&mine->latency[route], ns);
}

void
metric_route_name(unsigned route, const char *name)
{
	if (route < METRIC_ROUTES)
		route_names[route] = name;
}

/* A label's value: backslash, quote and newline are escaped. */
static void
put_label(struct buf *out, const char *name, const char *value, size_t n)
{
	buf_adds(out, name);
	buf_adds(out, "=\"");
	for (size_t i = 0; i < n; i++) {
		if (value[i] == '\\' || value[i] == '"')
			buf_addc(out, '\\');
		if (value[i] == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, value[i]);
	}
	buf_addc(out, '"');
}

/* Labels of a route: "POST /x" becomes method and route. */
static void
put_route(struct buf *out, unsigned route)
{
	const char *name = route_names[route], *space;
	char number[16];

	if (name == NULL) {
		/* A name of its own: two equal series would spoil the page. */
		(void)snprintf(number, sizeof(number), "#%u", route);
		name = number;
	}
	space = strchr(name, ' ');
	if (space != NULL && name[0] >= 'A' && name[0] <= 'Z') {
		put_label(out, "method", name, (size_t)(space - name));
		buf_addc(out, ',');
		name = space + 1;
	}
	put_label(out, "route", name, strlen(name));
}

/* By enum type, as Prometheus calls them. */
static const char *const types[] = { "counter", "gauge", "gauge", "histogram" };

static void
put_head(struct buf *out, const char *name, const char *type, const char *help)
{
	int n = (int)strcspn(name, "{");

	buf_addf(out, "# HELP %.*s", n, name);
	buf_addc(out, ' ');
	for (; *help != '\0'; help++) {
		if (*help == '\\' || *help == '\n')
			buf_adds(out, *help == '\n' ? "\\n" : "\\\\");
		else
			buf_addc(out, *help);
	}
	buf_addf(out, "\n# TYPE %.*s %s\n", n, name, type);
}

struct times {
	int64_t bucket[BOUNDS + 1], sum, count;
};

static void
times_add(struct times *t, const struct histogram *h)
{
	for (size_t k = 0; k <= BOUNDS; k++) {
		int64_t n = get(&h->bucket[k]);

		t->bucket[k] += n;
		t->count += n;
	}
	t->sum += get(&h->sum);
}

/* ${route} < 0: no labels but le. */
static void
put_times(struct buf *out, const char *name, int route, const struct times *t)
{
	int64_t upto = 0;

	for (size_t k = 0; k <= BOUNDS; k++) {
		upto += t->bucket[k];
		buf_addf(out, "%s_bucket{", name);
		if (route >= 0) {
			put_route(out, (unsigned)route);
			buf_addc(out, ',');
		}
		buf_addf(out, "le=\"%s\"} %lld\n",
		    k < BOUNDS ? bounds[k].text : "+Inf", (long long)upto);
	}
	for (int count = 0; count < 2; count++) {
		buf_addf(out, "%s_%s", name, count ? "count" : "sum");
		if (route >= 0) {
			buf_addc(out, '{');
			put_route(out, (unsigned)route);
			buf_addc(out, '}');
		}
		if (count)
			buf_addf(out, " %lld\n", (long long)t->count);
		else
			buf_addf(out, " %lld.%09lld\n",
			    (long long)(t->sum / 1000000000),
			    (long long)(t->sum % 1000000000));
	}
}

static void
write_requests(struct buf *out)
{
	put_head(out, "sb_http_requests_total", "counter",
	    "Requests answered, by route and status");
	for (unsigned r = 0; r < METRIC_ROUTES; r++) {
		for (size_t s = 0; s < METRIC_STATUSES; s++) {
			int64_t n = 0;

			for (unsigned i = 0; i < slots_used(); i++)
				n += get(&slots[i].request[r][s]);
			if (n == 0)
				continue;
			buf_adds(out, "sb_http_requests_total{");
			put_route(out, r);
			if (statuses[s] != 0)
				buf_addf(out, ",status=\"%d\"", statuses[s]);
			else
				buf_adds(out, ",status=\"other\"");
			buf_addf(out, "} %lld\n", (long long)n);
		}
	}
}

static void
write_latencies(struct buf *out)
{
	put_head(out, "sb_http_request_duration_seconds", "histogram",
	    "Time from a request's head to the end of its answer, by route");
	for (unsigned r = 0; r < METRIC_ROUTES; r++) {
		struct times t = { .count = 0 };

		for (unsigned i = 0; i < slots_used(); i++)
			times_add(&t, &slots[i].latency[r]);
		if (t.count > 0)
			put_times(out, "sb_http_request_duration_seconds",
			    (int)r, &t);
	}
}

/* Are these the same but for their labels? */
static bool
same_name(size_t a, size_t b)
{
	size_t n = strcspn(table[a].name, "{");

	return strncmp(table[a].name, table[b].name, n) == 0 &&
	       strcspn(table[b].name, "{") == n;
}

void
metric_write(struct buf *out)
{
	write_requests(out);
	write_latencies(out);
	for (size_t id = 0; id < METRIC_COUNT; id++) {
		struct times t = { .count = 0 };

		if (id == 0 || !same_name(id, id - 1))
			put_head(out, table[id].name, types[table[id].type],
			    table[id].help);
		if (table[id].type != T_histogram) {
			buf_addf(out, "%s %lld\n", table[id].name,
			    (long long)metric_sum((enum metric_id)id));
			continue;
		}
		for (unsigned i = 0; i < slots_used(); i++)
			times_add(&t, &slots[i].time[id]);
		put_times(out, table[id].name, -1, &t);
	}
}

void
metric_write_doc(FILE *f)
{
	fputs("| metric | type | what |\n|---|---|---|\n"
	      "| `sb_http_requests_total` | counter | Requests by route and "
	      "status |\n"
	      "| `sb_http_request_duration_seconds` | histogram | Latency by "
	      "route |\n",
	    f);
	for (size_t id = 0; id < METRIC_COUNT; id++)
		if (id == 0 || !same_name(id, id - 1))
			(void)fprintf(f, "| `%.*s` | %s | %s |\n",
			    (int)strcspn(table[id].name, "{"), table[id].name,
			    types[table[id].type], table[id].help);
}
