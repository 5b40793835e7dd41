/* telemetry/metric: sums over processes, and a page Prometheus can read. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "telemetry/metric.h"

#define SLOTS 8

static int
attach(void **state)
{
	void *area = mmap(NULL, metric_size(SLOTS), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(area, MAP_FAILED);
	metric_attach(area, SLOTS);
	*state = area;
	return 0;
}

static int
detach(void **state)
{
	return munmap(*state, metric_size(SLOTS));
}

static char *
page(struct buf *b)
{
	buf_init(b, NULL, 1 << 24);
	metric_write(b);
	assert_false(buf_failed(b));
	return b->data;
}

/* Before metric_attach(): an operator's command counts for itself. */
static void
test_private(void **state)
{
	(void)state;
	metric_add(M_TURNS, 2);
	metric_set(M_THREADS, 5);
	metric_time(M_DB_TIME, 1000);
	metric_slot(3); /* there is none: stays */
	metric_add(M_TURNS, 1);
	assert_int_equal(metric_sum(M_TURNS), 3);
	assert_int_equal(metric_sum(M_THREADS), 5);
	assert_int_equal(metric_sum(M_DB_TIME), 1);
}

static void
test_processes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SLOTS; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			metric_slot(i);
			for (unsigned k = 0; k <= i; k++)
				metric_add(M_TURNS, 1);
			metric_set(M_THREADS, 10);
			metric_add(M_THREADS_BUSY, 3);
			metric_add(M_THREADS_BUSY, -1);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	assert_int_equal(metric_sum(M_TURNS), SLOTS * (SLOTS + 1) / 2);
	assert_int_equal(metric_sum(M_THREADS), 10 * SLOTS);
	assert_int_equal(metric_sum(M_THREADS_BUSY), 2 * SLOTS);
	/* What a dead process counted stays, what it held does not. */
	metric_slot_reaped(7);
	metric_slot_reaped(99);
	assert_int_equal(metric_sum(M_TURNS), SLOTS * (SLOTS + 1) / 2);
	assert_int_equal(metric_sum(M_THREADS), 10 * (SLOTS - 1));
	assert_int_equal(metric_sum(M_THREADS_BUSY), 2 * (SLOTS - 1));
}

static void *
count(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		metric_add(M_TURNS, 1);
		metric_time(M_DB_TIME, 1000000);
		metric_request(1, 200, 1000);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t t[4];
	struct buf b;

	(void)state;
	metric_route_name(1, "POST /x");
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, count, NULL), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(t[i], NULL);
	assert_int_equal(metric_sum(M_TURNS), 80000);
	assert_int_equal(metric_sum(M_DB_TIME), 80000);
	assert_non_null(strstr(page(&b),
	    "\nsb_http_requests_total{method=\"POST\",route=\"/x\","
	    "status=\"200\"} 80000\n"));
	buf_free(&b);
}

static void
test_buckets(void **state)
{
	static const int64_t ns[] = { -5, 0, 500000, 500001, 1000000,
		INT64_C(120000000000), INT64_C(120000000001) };
	struct buf b;
	const char *p;

	(void)state;
	for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++)
		metric_time(M_DB_TIME, ns[i]);
	p = page(&b);
	assert_non_null(
	    strstr(p, "sb_db_transaction_seconds_bucket{le=\"0.0005\"} 3\n"));
	assert_non_null(
	    strstr(p, "sb_db_transaction_seconds_bucket{le=\"0.001\"} 5\n"));
	assert_non_null(
	    strstr(p, "sb_db_transaction_seconds_bucket{le=\"60\"} 5\n"));
	assert_non_null(
	    strstr(p, "sb_db_transaction_seconds_bucket{le=\"120\"} 6\n"));
	assert_non_null(
	    strstr(p, "sb_db_transaction_seconds_bucket{le=\"+Inf\"} 7\n"));
	assert_non_null(
	    strstr(p, "sb_db_transaction_seconds_sum 240.002000002\n"));
	assert_non_null(strstr(p, "sb_db_transaction_seconds_count 7\n"));
	buf_free(&b);
}

static void
test_labels(void **state)
{
	struct buf b;
	const char *p;
	char last[64];

	(void)state;
	metric_route_name(2, "/a\"b\\c\nd");
	metric_route_name(3, "GET /accounts/{slug}");
	metric_route_name(METRIC_ROUTES, "/beyond");
	metric_request(2, 404, 1);
	metric_request(3, 418, 1);
	metric_request(3, -1, 1);
	metric_request(40, 200, 1);
	metric_request(41, 200, 1);
	metric_request(METRIC_ROUTES + 5, 200, 1);
	p = page(&b);
	assert_non_null(
	    strstr(p, "{route=\"/a\\\"b\\\\c\\nd\",status=\"404\"} 1\n"));
	assert_non_null(strstr(p, "{method=\"GET\",route=\"/accounts/{slug}\","
				  "status=\"other\"} 2\n"));
	/* Rows without a name do not fall into one series. */
	assert_non_null(strstr(p, "{route=\"#40\",status=\"200\"} 1\n"));
	assert_non_null(strstr(p, "{route=\"#41\",status=\"200\"} 1\n"));
	(void)snprintf(last, sizeof(last), "{route=\"#%d\",status=\"200\"} 1\n",
	    METRIC_ROUTES - 1);
	assert_non_null(strstr(p, last));
	assert_non_null(
	    strstr(p, "sb_http_request_duration_seconds_count{method=\"GET\","
		      "route=\"/accounts/{slug}\"} 2\n"));
	buf_free(&b);
}

/* A name up to "{" or " ", into out. */
static void
name_of(const char *line, char *out, size_t max)
{
	(void)snprintf(out, max, "%.*s", (int)strcspn(line, "{ "), line);
}

static const char *const rows[] = {
#define METRIC(id, name, type, help) name,
#include "telemetry/metric.def"
#undef METRIC
};

/* The largest of all processes, not their sum. */
static void
test_peak(void **state)
{
	struct buf b;

	(void)state;
	metric_slot(1);
	metric_set(M_CACHE_ENTRIES_HOT, 7);
	metric_slot(2);
	metric_set(M_CACHE_ENTRIES_HOT, 5);
	assert_int_equal(metric_sum(M_CACHE_ENTRIES_HOT), 7);
	assert_non_null(strstr(page(&b), "\nsb_cache_entries{tier=\"hot\","
					 "kind=\"account\"} 7\n"));
	metric_slot_reaped(1);
	assert_int_equal(metric_sum(M_CACHE_ENTRIES_HOT), 5);
	metric_slot(0);
	buf_free(&b);
}

/* Each family once: HELP, TYPE, then its samples, every line complete. */
static void
test_format(void **state)
{
	char *copy, *at, *end, family[80] = "", name[80];
	char *series[6000];
	int n = 0, families = 0;
	char *seen[METRIC_COUNT + 2];
	struct buf b;

	(void)state;
	for (unsigned r = 0; r < METRIC_ROUTES; r++)
		metric_request(r, 200 + (int)r, 1000);
	copy = strdup(page(&b));
	buf_free(&b);
	for (at = copy; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		assert_non_null(end);
		*end = '\0';
		if (strncmp(at, "# HELP ", 7) == 0) {
			name_of(at + 7, family, sizeof(family));
			for (int i = 0; i < families; i++)
				assert_string_not_equal(seen[i], family);
			assert_true(families < METRIC_COUNT + 2);
			seen[families++] = strdup(family);
			continue;
		}
		if (strncmp(at, "# TYPE ", 7) == 0) {
			name_of(at + 7, name, sizeof(name));
			assert_string_equal(name, family);
			continue;
		}
		name_of(at, name, sizeof(name));
		assert_memory_equal(name, family, strlen(family));
		assert_non_null(strrchr(at, ' '));
		assert_true(strrchr(at, ' ')[1] != '\0');
		*strrchr(at, ' ') = '\0';
		for (int i = 0; i < n; i++)
			assert_string_not_equal(series[i], at);
		assert_true(n < 6000);
		series[n++] = at;
	}
	/* Rows that differ in their labels only share a family. */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool there = false;

		name_of(rows[i], name, sizeof(name));
		for (int k = 0; k < families; k++)
			there = there || strcmp(seen[k], name) == 0;
		assert_true(there);
	}
	while (families > 0)
		free(seen[--families]);
	free(copy);
}

static void
test_doc(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	metric_write_doc(f);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(text, "\n| `sb_turns_total` | counter | "));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_private), /* before any attach */
		cmocka_unit_test_setup_teardown(test_processes, attach, detach),
		cmocka_unit_test_setup_teardown(test_threads, attach, detach),
		cmocka_unit_test_setup_teardown(test_buckets, attach, detach),
		cmocka_unit_test_setup_teardown(test_labels, attach, detach),
		cmocka_unit_test_setup_teardown(test_peak, attach, detach),
		cmocka_unit_test_setup_teardown(test_format, attach, detach),
		cmocka_unit_test(test_doc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
