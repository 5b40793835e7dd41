/* Relevance on a small catalogue, in a real PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/db.h"
#include "knowledge/search.h"
#include "lib/dbtemp.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static char *conninfo;
static struct db_pool *pool;
static struct uuid ours, theirs, agent, other_agent;

#define A "00000000-0000-7000-8000-00000000000a"
#define B "00000000-0000-7000-8000-00000000000b"
#define AGENT "00000000-0000-7000-8000-0000000000a1"
#define OTHER "00000000-0000-7000-8000-0000000000a2"

static const char corpus[] =
    "INSERT INTO data.products (account_id, id, agent_instance_id, sku, name,"
    " description, price_text, url) VALUES"
    " ('" A "', gen_random_uuid(), NULL, 'BP-200',"
    " 'CardioCheck blood pressure monitor', 'Upper-arm monitor with a large"
    " display, for home and practice.', '89 USD', 'https://acme.test/bp'),"
    " ('" A "', gen_random_uuid(), NULL, 'GT-10', 'GlucoTrack glucose monitor',"
    " 'Measures blood glucose in five seconds and syncs with the phone.',"
    " '49 USD', NULL),"
    " ('" A "', gen_random_uuid(), '" OTHER "', 'VT-1',"
    " 'Veterinary thermometer', 'For cattle and horses.', '19 USD', NULL),"
    " ('" B "', gen_random_uuid(), NULL, 'W-1', 'Blood pressure widget',"
    " 'Secret of the other account.', NULL, NULL);"
    "INSERT INTO data.documents (account_id, id, title, url) VALUES"
    " ('" A "', '00000000-0000-7000-8000-0000000000d1', 'Returns and refunds',"
    " 'https://acme.test/returns');"
    "INSERT INTO data.chunks (account_id, id, document_id, position, title,"
    " body) VALUES ('" A "', gen_random_uuid(),"
    " '00000000-0000-7000-8000-0000000000d1', 1, 'Returns and refunds',"
    " 'Unopened devices may be returned within 30 days of delivery.'),"
    " ('" A "', gen_random_uuid(), '00000000-0000-7000-8000-0000000000d1', 2,"
    " 'Returns and refunds', 'The refund reaches your bank in five days.');";

static int
begin(void **state)
{
	struct db_opts opts = { .user = "sb_chat",
		.size = 2,
		.wait_ms = 2000,
		.connect_ms = 2000,
		.statement_ms = 5000,
		.prepared = true };

	(void)state;
	if (!dbtemp_there())
		return 0;
	conninfo = dbtemp_new();
	mem_free(dbtemp_sql(conninfo, NULL, corpus));
	opts.conninfo = conninfo;
	pool = db_pool_new(&opts);
	id_parse(A, 36, &ours);
	id_parse(B, 36, &theirs);
	id_parse(AGENT, 36, &agent);
	id_parse(OTHER, 36, &other_agent);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	db_pool_free(pool);
	dbtemp_drop(conninfo);
	return 0;
}

/* The titles found, joined by " | ". */
static void
expect_of(const struct uuid *account, const struct uuid *who,
    const char *question, const char *kind, const char *titles)
{
	void *ctx = mem_root("test");
	char found[1024] = "";
	struct err e = { 0 };
	struct hit *hits;
	int n;

	if (knowledge_search(pool, account, who, question, kind, 5,
		clock_mono() + 5 * CLOCK_S, ctx, &hits, &n, &e) < 0)
		fail_msg("%s", e.text);
	for (int i = 0; i < n; i++) {
		size_t at = strlen(found);

		snprintf(found + at, sizeof(found) - at, "%s%s",
		    i > 0 ? " | " : "", hits[i].title);
	}
	assert_string_equal(found, titles);
	mem_free(ctx);
}

static void
expect(const char *question, const char *titles)
{
	expect_of(&ours, &agent, question, NULL, titles);
}

#define NEEDS_DB                                                               \
	do {                                                                   \
		if (!pool)                                                     \
			skip();                                                \
	} while (0)

static void
finds_what_is_meant(void **state)
{
	(void)state;
	NEEDS_DB;
	expect("Do you have a blood pressure monitor?",
	    "CardioCheck blood pressure monitor");
	expect("I am looking for something that measures the glucose of my "
	       "grandmother, and it should sync with her phone",
	    "GlucoTrack glucose monitor");
	expect("how much is the BP-200?", "CardioCheck blood pressure monitor");
	expect("GlucoTrack", "GlucoTrack glucose monitor");
	expect("Can I return a device?",
	    "Returns and refunds | Returns and refunds");
}

static void
finds_nothing_that_is_not_there(void **state)
{
	(void)state;
	NEEDS_DB;
	expect("What is the weather?", "");
	expect("Who won the football match in five minutes?", "");
	expect("hello", "");
	expect("", "");
	expect("Write a poem about the large ocean", "");
}

static void
text_is_never_syntax(void **state)
{
	(void)state;
	NEEDS_DB;
	expect("monitor' | 'blood", "CardioCheck blood pressure monitor | "
				    "GlucoTrack glucose monitor");
	expect("'); DROP TABLE products; --", "");
	expect(":* & | ! <-> ( ) \\ ' \"", "");
}

static void
what_there_is(void **state)
{
	(void)state;
	NEEDS_DB;
	void *ctx = mem_root("test");
	struct err e = { 0 };
	struct hit *hits;
	int n;

	assert_int_equal(
	    knowledge_search(pool, &ours, &agent, "What products do you sell?",
		NULL, 5, clock_mono() + 5 * CLOCK_S, ctx, &hits, &n, &e),
	    0);
	assert_int_equal(n, 3); /* two products, and the document once */
	assert_string_equal(hits[0].kind, "product");
	assert_string_equal(hits[2].kind, "document");
	mem_free(ctx);
}

static void
kinds_and_owners_are_kept_apart(void **state)
{
	(void)state;
	NEEDS_DB;
	expect("thermometer for horses", "");
	expect_of(&ours, &other_agent, "thermometer for horses", NULL,
	    "Veterinary thermometer");
	expect_of(&theirs, &agent, "blood pressure monitor", NULL,
	    "Blood pressure widget");
	expect_of(&ours, &agent, "return a glucose monitor", "document",
	    "Returns and refunds | Returns and refunds");
	expect_of(&ours, &agent, "refund of returns", "product", "");
}

static void
fields_are_filled(void **state)
{
	(void)state;
	NEEDS_DB;
	void *ctx = mem_root("test");
	struct err e = { 0 };
	struct hit *hits;
	int n;

	assert_int_equal(
	    knowledge_search(pool, &ours, &agent, "blood pressure", NULL, 1,
		clock_mono() + 5 * CLOCK_S, ctx, &hits, &n, &e),
	    0);
	assert_int_equal(n, 1);
	assert_string_equal(hits[0].url, "https://acme.test/bp");
	assert_non_null(strstr(hits[0].text, "large display"));
	assert_non_null(strstr(hits[0].text, "SKU: BP-200."));
	assert_non_null(strstr(hits[0].text, "Price: 89 USD."));
	assert_true(hits[0].score > 0.9);
	assert_int_equal(knowledge_search(pool, &ours, &agent, "glucose", NULL,
			     1, clock_mono() + 5 * CLOCK_S, ctx, &hits, &n, &e),
	    0);
	assert_null(hits[0].url);
	mem_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_meant),
		cmocka_unit_test(finds_nothing_that_is_not_there),
		cmocka_unit_test(text_is_never_syntax),
		cmocka_unit_test(what_there_is),
		cmocka_unit_test(kinds_and_owners_are_kept_apart),
		cmocka_unit_test(fields_are_filled),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
