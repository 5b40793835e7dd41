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
#include "shm/epoch.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static char *conninfo;
static struct db_pool *pool;
static struct knowledge *known;
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
	epoch_map(16);
	epoch_heard(INT64_MAX);
	if (!dbtemp_there())
		return 0;
	conninfo = dbtemp_new();
	mem_free(dbtemp_sql(conninfo, NULL, corpus));
	opts.conninfo = conninfo;
	pool = db_pool_new(&opts);
	known = knowledge_new(pool, 8);
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
	knowledge_free(known);
	db_pool_free(pool);
	dbtemp_drop(conninfo);
	return 0;
}

/* Slots of the accounts in shared memory. */
#define SLOT(account) ((account) == &theirs ? 2u : 1u)

static int
search(struct knowledge *k, const struct uuid *account, const struct uuid *who,
    const char *question, const char *kind, int limit, const void *ctx,
    struct hit **hits, int *n, struct err *e)
{
	const struct knowledge_ask ask = { .account = account,
		.slot = SLOT(account),
		.agent = who,
		.question = question,
		.kind = kind,
		.limit = limit };

	return knowledge_search(
	    k, &ask, clock_mono() + 5 * CLOCK_S, ctx, hits, n, e);
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

	if (search(known, account, who, question, kind, 5, ctx, &hits, &n, &e) <
	    0)
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
	    search(known, &ours, &agent, "What products do you sell?", NULL, 5,
		ctx, &hits, &n, &e),
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

	assert_int_equal(search(known, &ours, &agent, "blood pressure", NULL, 1,
			     ctx, &hits, &n, &e),
	    0);
	assert_int_equal(n, 1);
	assert_string_equal(hits[0].url, "https://acme.test/bp");
	assert_non_null(strstr(hits[0].text, "large display"));
	assert_non_null(strstr(hits[0].text, "SKU: BP-200."));
	assert_non_null(strstr(hits[0].text, "Price: 89 USD."));
	assert_true(hits[0].score > 0.9);
	assert_int_equal(search(known, &ours, &agent, "glucose", NULL, 1, ctx,
			     &hits, &n, &e),
	    0);
	assert_null(hits[0].url);
	mem_free(ctx);
}

static int64_t
misses(void)
{
	knowledge_tell(known);
	return metric_sum(M_CACHE_MISSES_HOT_SEARCH);
}

/* What the listener would raise. */
static void
hear(const struct uuid *account)
{
	epoch_knowledge_raise(
	    SLOT(account), epoch_knowledge(SLOT(account)) + 1);
}

static void
remembered_until_it_changes(void **state)
{
	void *ctx = mem_root("test");
	struct err e = { 0 };
	struct hit *hits;
	int64_t before;
	int n;

	(void)state;
	NEEDS_DB;
	expect("stethoscope for children", "");
	before = misses();
	/* The same words, whatever stands around them. */
	expect("stethoscope for children", "");
	expect("Hello, do you have a stethoscope for children, please?", "");
	assert_int_equal(misses(), before);
	/* Another agent, kind, limit, account: another search. */
	expect_of(&ours, &other_agent, "stethoscope for children", NULL, "");
	expect_of(&ours, &agent, "stethoscope for children", "product", "");
	expect_of(&theirs, &agent, "stethoscope for children", NULL, "");
	assert_int_equal(misses(), before + 3);
	/* Nothing is found until what is new is heard of; then it is. */
	assert_int_equal(search(known, &ours, &agent, "blood pressure", NULL, 5,
			     ctx, &hits, &n, &e),
	    0);
	mem_free(dbtemp_sql(conninfo, NULL,
	    "INSERT INTO data.products (account_id, id, name, description) "
	    "VALUES ('" A "', gen_random_uuid(), 'Stethoscope', 'For "
	    "children.')"));
	expect("stethoscope for children", "");
	hear(&theirs);
	expect("stethoscope for children", "");
	hear(&ours);
	expect("stethoscope for children", "Stethoscope");
	/* What somebody still reads stays as it was. */
	assert_int_equal(n, 1);
	assert_string_equal(
	    hits[0].title, "CardioCheck blood pressure monitor");
	mem_free(dbtemp_sql(conninfo, NULL,
	    "DELETE FROM data.products WHERE name = 'Stethoscope'"));
	hear(&ours);
	expect("stethoscope for children", "");
	mem_free(ctx);
}

/* An account with nothing to search in: nobody asks, until it has something. */
static void
nothing_at_all(void **state)
{
	struct uuid empty;
	const struct knowledge_ask ask = { .account = &empty,
		.slot = 7,
		.agent = &agent,
		.question = "a spare tyre",
		.limit = 5 };
	struct knowledge_ask other = ask;
	void *ctx = mem_root("test");
	struct err e = { 0 };
	struct hit *hits;
	int64_t before;
	int n;

	(void)state;
	NEEDS_DB;
	id_new(&empty);
	assert_int_equal(
	    knowledge_search(known, &ask, 0, ctx, &hits, &n, &e), 0);
	assert_true(epoch_knows_nothing(7));
	before = misses();
	other.question = "winter boots in red";
	assert_int_equal(
	    knowledge_search(known, &other, 0, ctx, &hits, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(misses(), before);
	epoch_knowledge_raise(7, 1);
	assert_int_equal(
	    knowledge_search(known, &other, 0, ctx, &hits, &n, &e), 0);
	assert_int_equal(misses(), before + 1);
	assert_false(epoch_knows_nothing(1));
	mem_free(ctx);
}

/* The database is away: what is remembered is found, the rest fails at once. */
static void
database_away(void **state)
{
	struct db_opts opts = { .conninfo = "host=/nonexistent dbname=x",
		.user = "sb_chat",
		.size = 1,
		.wait_ms = 10,
		.connect_ms = 100 };
	struct db_pool *away = db_pool_new(&opts);
	struct knowledge *k = knowledge_new(away, 8);
	void *ctx = mem_root("test");
	struct err e = { 0 };
	struct hit *hits;
	int64_t began;
	int n;

	(void)state;
	assert_int_equal(search(k, &ours, &agent, "blood pressure", NULL, 5,
			     ctx, &hits, &n, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	epoch_asked(false, clock_mono(), 60 * CLOCK_S);
	began = clock_mono();
	for (int i = 0; i < 100; i++)
		assert_int_equal(search(k, &ours, &agent, "blood pressure",
				     NULL, 5, ctx, &hits, &n, &e),
		    -1);
	assert_true(clock_mono() - began < CLOCK_S);
	/* Small talk needs no search. */
	assert_int_equal(
	    search(k, &ours, &agent, "hello", NULL, 5, ctx, &hits, &n, &e), 0);
	epoch_asked(true, 0, 0);
	knowledge_free(k);
	db_pool_free(away);
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
		cmocka_unit_test(remembered_until_it_changes),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(database_away),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
