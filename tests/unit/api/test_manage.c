/*
 * What no API key may and a platform administrator will: the handlers of
 * accounts, over PostgreSQL as sb_admin, with a caller as the guard makes one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "../http/memio.h"
#include "account/account.h"
#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "auth/key.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "util/json.h"

#include "util/banned.h"

static struct app app = { .face = FACE_ADMIN, .body_max_admin = 1 << 20 };
static struct key admin = { .kind = KEY_API, .role = ROLE_PLATFORM_ADMIN };
static struct account account;
static struct memio m;
static json_t *answer;

/* Ask a handler as ${role}; ${slug}: the account of the path, or NULL.  What it
 * says is in answer.  The status. */
static int
ask(void (*handler)(
	struct app *, struct http_req *, struct http_resp *, struct caller *),
    enum role role, bool of_account, const char *query, const char *body,
    const char *header)
{
	char line[200];
	const char *env[] = { "REQUEST_METHOD=POST",
		"REQUEST_URI=/api/v1/accounts", line, header, NULL };
	struct caller who = { .key = &admin,
		.account = of_account ? &account : NULL };

	if (m.ctx != NULL)
		memio_close(&m);
	m = (struct memio){ .body = body, .len = body ? strlen(body) : 0 };
	snprintf(line, sizeof(line), "QUERY_STRING=%s", query);
	memio_open(&m, env);
	m.req->query = query;
	admin.role = role;
	admin.perms = perm_of_role(role);
	handler(&app, m.req, m.resp, &who);
	json_decref(answer);
	answer = json_loads(memio_body(&m), 0, NULL);
	return memio_status(&m);
}

static const char *
text(const char *key)
{
	const char *s = json_string_value(json_object_get(answer, key));

	return s != NULL ? s : "";
}

static int
create(const char *body, const char *header)
{
	return ask(
	    api_account_create, ROLE_PLATFORM_ADMIN, false, "", body, header);
}

static void
test_create(void **state)
{
	char id[UUID_TEXT];

	(void)state;
	assert_int_equal(
	    create("{\"slug\":\"first\",\"name\":\"F\"}", NULL), 201);
	assert_string_equal(text("tier"), "standard");
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM control.accounts WHERE slug = "
			 "'first' AND name = 'F' AND is_active"),
	    1);
	assert_int_equal(
	    create("{\"slug\":\"first\",\"name\":\"F\"}", NULL), 409);
	assert_non_null(strstr(text("detail"), "first"));
	assert_int_equal(
	    create("{\"slug\":\"x2\",\"name\":\"F\",\"tier\":\"gold\"}", NULL),
	    422);
	assert_int_equal(create("{\"slug\":\"NO\",\"name\":\"F\"}", NULL), 422);
	/* the same request again makes nothing again */
	assert_int_equal(create("{\"slug\":\"once\",\"name\":\"O\"}",
			     "HTTP_IDEMPOTENCY_KEY=k1"),
	    201);
	snprintf(id, sizeof(id), "%s", text("id"));
	assert_int_equal(create("{\"slug\":\"once\",\"name\":\"O\"}",
			     "HTTP_IDEMPOTENCY_KEY=k1"),
	    201);
	assert_string_equal(text("id"), id);
	assert_true(memio_has(&m, "Idempotent-Replayed: true"));
	assert_int_equal(create("{\"slug\":\"twice\",\"name\":\"O\"}",
			     "HTTP_IDEMPOTENCY_KEY=k1"),
	    422);
	assert_string_equal(text("type"), "/problems/idempotency-key-reused");
	assert_int_equal(create("{\"slug\":\"twice\",\"name\":\"O\"}",
			     "HTTP_IDEMPOTENCY_KEY=k2"),
	    201);
}

/* The slugs of a page, with spaces between. */
static const char *
slugs(const char *query)
{
	static char out[400];
	json_t *v;
	size_t i;

	assert_int_equal(ask(api_account_list, ROLE_PLATFORM_ADMIN, false,
			     query, NULL, NULL),
	    200);
	out[0] = '\0';
	json_array_foreach(json_object_get(answer, "data"), i, v)
	{
		size_t n = strlen(out);

		snprintf(out + n, sizeof(out) - n, "%s%s", n > 0 ? " " : "",
		    json_string_value(json_object_get(v, "slug")));
	}
	return out;
}

static void
test_list(void **state)
{
	char query[200];

	(void)state;
	dbfix_sql("DELETE FROM control.accounts; "
		  "INSERT INTO control.accounts (id, slug, name, tier) SELECT "
		  "gen_random_uuid(), 'acc-' || n, 'A', CASE WHEN n < 3 THEN "
		  "'free' ELSE 'premium' END FROM generate_series(1, 5) n; "
		  "UPDATE control.accounts SET is_active = false, max_agents = "
		  "-1 WHERE slug = 'acc-4'");
	assert_string_equal(slugs("limit=2"), "acc-1 acc-2");
	snprintf(query, sizeof(query), "limit=2&after=%s", text("next"));
	assert_string_equal(slugs(query), "acc-3 acc-4");
	snprintf(query, sizeof(query), "limit=2&after=%s", text("next"));
	assert_string_equal(slugs(query), "acc-5");
	assert_true(json_is_null(json_object_get(answer, "next")));
	assert_string_equal(slugs("tier=free"), "acc-1 acc-2");
	assert_string_equal(slugs("status=suspended"), "acc-4");
	const json_t *one = json_array_get(json_object_get(answer, "data"), 0);

	assert_true(json_is_null(json_object_get(one, "max_agents")));
	assert_true(json_is_true(json_object_get(one, "own_max_agents")));
	assert_string_equal(
	    slugs("status=active&limit=9"), "acc-1 acc-2 acc-3 acc-5");
	assert_int_equal(ask(api_account_list, ROLE_PLATFORM_ADMIN, false,
			     "status=x", NULL, NULL),
	    422);
}

static int
change(enum role role, const char *body)
{
	return ask(api_account_change, role, true, "", body, NULL);
}

static void
test_limits(void **state)
{
	char *id =
	    dbfix_text("SELECT id FROM control.accounts WHERE slug = 'acc-1'");

	(void)state;
	assert_int_equal(id_parse(id, strlen(id), &account.id), 0);
	mem_free(id);
	assert_int_equal(
	    change(ROLE_ACCOUNT_OWNER, "{\"tier\":\"premium\"}"), 403);
	assert_int_equal(
	    change(ROLE_PLATFORM_ADMIN,
		"{\"tier\":\"premium\",\"max_agents\":7,"
		"\"requests_per_hour\":\"unlimited\",\"is_active\":false}"),
	    200);
	assert_int_equal(
	    dbfix_number(
		"SELECT count(*) FROM control.accounts WHERE slug = 'acc-1' "
		"AND tier = 'premium' AND max_agents = 7 AND "
		"requests_per_hour = -1 AND NOT is_active AND name = 'A'"),
	    1);
	assert_true(json_is_null(json_object_get(answer, "requests_per_hour")));
	/* what is not named stays */
	assert_int_equal(change(ROLE_PLATFORM_ADMIN,
			     "{\"max_agents\":\"default\",\"is_active\":true}"),
	    200);
	assert_int_equal(
	    dbfix_number(
		"SELECT count(*) FROM control.accounts WHERE slug = 'acc-1' "
		"AND tier = 'premium' AND max_agents IS NULL AND "
		"requests_per_hour = -1 AND is_active"),
	    1);
	assert_int_equal(
	    json_integer_value(json_object_get(answer, "max_agents")), 50);
	assert_int_equal(
	    change(ROLE_PLATFORM_ADMIN, "{\"tier\":\"gold\"}"), 422);
	const json_t *error =
	    json_array_get(json_object_get(answer, "errors"), 0);

	assert_string_equal(
	    json_string_value(json_object_get(error, "pointer")), "/tier");
	/* only this account's row */
	assert_int_equal(dbfix_number("SELECT count(*) FROM control.accounts "
				      "WHERE tier = 'premium'"),
	    4);
}

/* The routes let nobody else in. */
static void
test_permissions(void **state)
{
	(void)state;
	for (size_t i = 0; i < routes_count; i++) {
		if (strcmp(routes[i].pattern, "/api/v1/accounts") != 0)
			continue;
		for (int r = 0; r < ROLE_COUNT; r++)
			assert_int_equal(
			    perm_allowed((enum role)r, routes[i].perm),
			    r == ROLE_PLATFORM_ADMIN);
	}
}

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	json_setup();
	id_new(&admin.id);
	if (crypto_setup(&e) != 0)
		return -1;
	app.db = dbfix_open("sb_admin");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (m.ctx != NULL)
		memio_close(&m);
	json_decref(answer);
	dbfix_close();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_permissions),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
