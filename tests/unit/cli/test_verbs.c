/*
 * The program as an operator uses it, against a real database: each verb's
 * --json answer, exit status, and that a second time changes nothing.  Each
 * run of this test makes a database of its own; it goes with the cluster.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/mem.h"

#include "util/banned.h"

#define ARGS 24

static char top[] = "/tmp/sb-test-verbs-XXXXXX";
static char conf[64], etc[64], secrets[64], input[64];
static const char *typed; /* what standard input has; NULL: nothing */

static int
typed_fd(void)
{
	int fd[2];

	assert_int_equal(0, pipe(fd));
	assert_int_equal(strlen(typed), write(fd[1], typed, strlen(typed)));
	close(fd[1]);
	return fd[0];
}

/* Run the program; its exit status, and standard output as JSON in *ret (NULL
 * where it is none; new reference). */
static int
run_argv(char **argv, json_t **ret)
{
	void *ctx = mem_root("test");
	char piece[4096];
	struct buf out;
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(0, pipe(fd));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(fd[1], STDOUT_FILENO);
		dup2(typed != NULL ? typed_fd() : null, STDIN_FILENO);
		if (getenv("SB_TEST_LOUD") == NULL)
			dup2(null, STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		setenv("SB_CONF", conf, 1);
		execv(SB_TEST_PROGRAM, argv);
		_exit(127);
	}
	close(fd[1]);
	buf_init(&out, ctx, 1u << 22);
	while ((n = read(fd[0], piece, sizeof piece)) != 0)
		if (n > 0)
			buf_add(&out, piece, (size_t)n);
		else if (errno != EINTR)
			break;
	close(fd[0]);
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status));
	*ret = json_loadb(out.data, out.len, 0, NULL);
	mem_free(ctx);
	return WEXITSTATUS(status);
}

/* The same with --json and words until NULL. */
static int __attribute__((sentinel)) run(json_t **ret, ...)
{
	char *argv[ARGS + 3] = { "switchboard", "--json" };
	int n = 2;
	va_list ap;

	va_start(ap, ret);
	while (n < ARGS && (argv[n] = va_arg(ap, char *)) != NULL)
		n++;
	va_end(ap);
	return run_argv(argv, ret);
}

/* Run, and see that it ends with ${status}; the answer. */
#define expect(status, ...)                                                    \
	({                                                                     \
		json_t *answer_;                                               \
		int got_ = run(&answer_, __VA_ARGS__, NULL);                   \
		if (got_ != (status))                                          \
			fail_msg("line %d: exit %d instead of %d", __LINE__,   \
			    got_, (status));                                   \
		assert_non_null(answer_);                                      \
		answer_;                                                       \
	})
#define expect_done(status, ...) json_decref(expect(status, __VA_ARGS__))

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* The row of {"data": [...]} whose ${key} is ${value}; borrowed, or NULL. */
static const json_t *
row(const json_t *answer, const char *key, const char *value)
{
	json_t *r;
	size_t i;

	json_array_foreach(json_object_get(answer, "data"), i,
	    r) if (strcmp(text(r, key), value) == 0) return r;
	return NULL;
}

static const char *
error_code(const json_t *answer)
{
	return text(json_object_get(answer, "error"), "code");
}

static int
setup(void **state)
{
	const char *pg = getenv("SB_TEST_PG");
	char dbname[32];

	(void)state;
	if (pg == NULL)
		return 0;
	if (mkdtemp(top) == NULL)
		return -1;
	snprintf(etc, sizeof etc, "%s/etc", top);
	snprintf(conf, sizeof conf, "%s/etc/switchboard.conf", top);
	snprintf(secrets, sizeof secrets, "%s/secrets.env", top);
	snprintf(input, sizeof input, "%s/input.json", top);
	snprintf(dbname, sizeof dbname, "sb_cli_%d", (int)getpid());
	/* Other tests have made the roles in this cluster: --keep. */
	json_t *m = expect(0, "init", "--super", pg, "--etc", etc, "--dbname",
	    dbname, "--keep", "--sql", SB_TEST_SOURCE "/sql", "--set",
	    "templates_dir=" SB_TEST_SOURCE "/etc/agent_templates", "--admin",
	    "first@example.com");
	assert_true(number(m, "version") > 0);
	assert_int_equal(24, strlen(text(m, "password")));
	assert_string_equal("first@example.com", text(m, "admin"));
	json_decref(m);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const files[] = { "etc/switchboard.conf",
		"etc/pgpass", "etc/master.key", "secrets.env", "input.json",
		"etc", "" };

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		char path[96];

		snprintf(path, sizeof path, "%s/%s", top, files[i]);
		if (remove(path) != 0 && errno != ENOENT)
			fprintf(stderr, "%s: %s\n", path, strerror(errno));
	}
	return 0;
}

/* Without a cluster nothing of this can run. */
static void
need_cluster(void)
{
	if (getenv("SB_TEST_PG") == NULL) {
		print_message("SB_TEST_PG is not set: skipped\n");
		skip();
	}
}

static void
give_input(const char *json)
{
	FILE *f = fopen(input, "w");

	assert_non_null(f);
	assert_true(fputs(json, f) >= 0);
	assert_int_equal(0, fclose(f));
}

static void
test_init(void **state)
{
	static const char *const names[] = { "switchboard.conf", "pgpass",
		"master.key" };
	char before[3][600], path[96], dbname[32];
	json_t *again;

	(void)state;
	need_cluster();
	snprintf(dbname, sizeof dbname, "sb_cli_%d", (int)getpid());
	/* what is there is neither taken nor changed */
	again = expect(1, "init", "--super", getenv("SB_TEST_PG"), "--etc", etc,
	    "--dbname", "sb_cli_other");
	assert_string_equal("conflict", error_code(again));
	assert_non_null(
	    strstr(text(json_object_get(again, "error"), "message"), etc));
	json_decref(again);
	snprintf(path, sizeof path, "%s/other", top);
	again = expect(1, "init", "--super", getenv("SB_TEST_PG"), "--etc",
	    path, "--dbname", dbname);
	assert_string_equal("conflict", error_code(again));
	json_decref(again);
	again = expect(1, "init", "--super", getenv("SB_TEST_PG"), "--etc",
	    path, "--dbname", "sb_cli_other");
	assert_non_null(strstr(
	    text(json_object_get(again, "error"), "message"), "sb_owner"));
	json_decref(again);
	assert_int_equal(-1, rmdir(path)); /* and no trace is left there */
	again = expect(1, "init", "--super", "host=/nonexistent", "--etc", path,
	    "--dbname", dbname);
	assert_string_equal("unavailable", error_code(again));
	json_decref(again);
	expect_done(2, "init", "--super", getenv("SB_TEST_PG"), "--etc", path,
	    "--admin", "nobody");
	expect_done(2, "init", "--super", getenv("SB_TEST_PG"), "--etc", path,
	    "--dbname", "No");
	assert_int_equal(-1, rmdir(path));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3; i++) {
			char now[600] = "";
			struct stat st;
			FILE *f;

			snprintf(path, sizeof path, "%s/%s", etc, names[i]);
			assert_int_equal(0, stat(path, &st));
			assert_int_equal(0600, st.st_mode & 07777);
			f = fopen(path, "r");
			assert_non_null(f);
			now[fread(now, 1, sizeof now - 1, f)] = '\0';
			fclose(f);
			if (round == 0)
				memcpy(before[i], now, sizeof now);
			else
				assert_string_equal(before[i], now);
		}
		again = expect(0, "init", "--super", getenv("SB_TEST_PG"),
		    "--etc", etc, "--dbname", dbname, "--keep", "--sql",
		    SB_TEST_SOURCE "/sql", "--admin", "first@example.com");
		assert_int_equal(
		    0, json_array_size(json_object_get(again, "written")));
		/* the password of the first time holds */
		assert_null(json_object_get(again, "password"));
		json_decref(again);
	}
	again = expect(0, "migrate", "--dir", SB_TEST_SOURCE "/sql");
	assert_int_equal(0, number(again, "applied"));
	json_decref(again);
}

static void
test_accounts(void **state)
{
	json_t *a;

	(void)state;
	need_cluster();
	a = expect(0, "account", "create", "one", "--name", "One", "--tier",
	    "standard");
	assert_string_equal("standard", text(a, "tier"));
	assert_int_equal(10, number(a, "max_agents"));
	json_decref(a);
	a = expect(1, "account", "create", "one");
	assert_string_equal("conflict", error_code(a));
	json_decref(a);
	expect_done(2, "account", "create", "Not-a-slug");
	expect_done(1, "account", "create", "two", "--tier", "gold");
	a = expect(0, "account", "set-limit", "one", "max_agents", "1");
	assert_int_equal(1, number(a, "max_agents"));
	assert_true(json_is_true(json_object_get(a, "own_max_agents")));
	json_decref(a);
	a = expect(
	    0, "account", "set-limit", "one", "requests_per_hour", "unlimited");
	assert_true(json_is_null(json_object_get(a, "requests_per_hour")));
	json_decref(a);
	a = expect(
	    0, "account", "set-limit", "one", "requests_per_hour", "default");
	assert_int_equal(1000, number(a, "requests_per_hour"));
	json_decref(a);
	expect_done(2, "account", "set-limit", "one", "max_agents", "-1");
	expect_done(2, "account", "set-limit", "one", "max_cats", "1");
	a = expect(0, "account", "deactivate", "one");
	assert_true(json_is_false(json_object_get(a, "is_active")));
	json_decref(a);
	expect_done(0, "account", "activate", "one");
	a = expect(1, "account", "show", "nobody");
	assert_string_equal("not_found", error_code(a));
	json_decref(a);
	a = expect(0, "account", "list");
	assert_non_null(row(a, "slug", "one"));
	json_decref(a);
}

static void
test_agents(void **state)
{
	json_t *a;

	(void)state;
	need_cluster();
	expect_done(0, "account", "create", "agents", "--tier", "free");
	expect_done(0, "agent", "create", "agents", "sales/a");
	expect_done(0, "agent", "create", "agents", "sales/b");
	/* free: two instances that are not archived */
	a = expect(1, "agent", "create", "agents", "rag/c");
	assert_string_equal("limit", error_code(a));
	json_decref(a);
	expect_done(0, "agent", "archive", "agents", "sales/b");
	expect_done(0, "agent", "create", "agents", "rag/c");
	a = expect(0, "agent", "list", "agents");
	assert_int_equal(2, json_array_size(json_object_get(a, "data")));
	json_decref(a);
	give_input("{\"tools\":{\"product_search\":{\"max_results\":\"x\"}}}");
	a = expect(1, "agent", "configure", "agents", "sales/a", input);
	assert_string_equal("/tools/product_search/max_results",
	    text(json_array_get(
		     json_object_get(json_object_get(a, "error"), "errors"), 0),
		"pointer"));
	json_decref(a);
	give_input("{\"system_prompt_override\":\"Be brief.\"}");
	a = expect(0, "agent", "configure", "agents", "sales/a", input);
	assert_int_equal(2, number(a, "config_version"));
	json_decref(a);
	a = expect(0, "config", "show", "agents", "sales/a");
	assert_non_null(strstr(text(a, "system_prompt"), "Be brief."));
	assert_true(json_array_size(json_object_get(a, "unavailable")) > 0);
	json_decref(a);
	expect_done(1, "agent", "show", "agents", "sales/none");
	expect_done(2, "agent", "show", "agents", "sales");
}

static void
test_keys(void **state)
{
	const json_t *r;
	json_t *a, *k;

	(void)state;
	need_cluster();
	expect_done(0, "account", "create", "keys");
	expect_done(0, "agent", "create", "keys", "sales/a");
	k = expect(0, "key", "create", "keys", "--kind", "api", "--name", "x");
	assert_int_equal(0, strncmp(text(k, "key"), text(k, "prefix"),
				strlen(text(k, "prefix"))));
	a = expect(0, "key", "create", "keys", "--kind", "widget", "--name",
	    "w", "--origin", "https://a.example", "--origin",
	    "http://localhost:*", "--agent", "sales/a");
	json_decref(a);
	expect_done(
	    2, "key", "create", "keys", "--kind", "widget", "--name", "w");
	expect_done(2, "key", "create", "keys", "--kind", "api", "--name", "y",
	    "--role", "platform_admin");
	a = expect(0, "key", "list", "keys");
	r = row(a, "name", "x");
	assert_non_null(r);
	assert_string_equal("account_owner", text(r, "role"));
	assert_null(json_object_get(r, "key"));
	r = row(a, "name", "w");
	assert_string_equal("sales/a", text(r, "agent"));
	assert_int_equal(2, json_array_size(json_object_get(r, "origins")));
	json_decref(a);
	a = expect(0, "key", "revoke", "keys", text(k, "id"));
	assert_true(json_is_string(json_object_get(a, "revoked_at")));
	json_decref(a);
	expect_done(1, "key", "revoke", "keys", "nothing");
	/* another account's key is not there */
	expect_done(0, "account", "create", "others");
	expect_done(1, "key", "revoke", "others", text(k, "id"));
	json_decref(k);
}

static void
test_people_and_prices(void **state)
{
	json_t *a;

	(void)state;
	need_cluster();
	expect_done(0, "account", "create", "people");
	a = expect(0, "user", "create", "Ann@people.example", "--account",
	    "people", "--role", "analyst");
	assert_true(strlen(text(a, "password")) >= 20);
	json_decref(a);
	/* one address, however it is spelled */
	expect_done(1, "user", "create", "ann@PEOPLE.example");
	expect_done(2, "user", "create", "nobody");
	expect_done(0, "user", "set-password", "ann@people.example");
	/* a password that somebody chose keeps the rules */
	static const struct {
		const char *line;
		int status;
	} typed_rows[] = {
		{ "", 1 },
		{ "\n", 1 },
		{ "k7#Lw0pZt!4vQe\n", 1 }, /* 14 characters */
		{ "PasswordPassword1!\n", 1 },
		{ "k7#Lw0pZ people w9\n", 1 }, /* of the address */
		{ "k7#Lw0pZt!4vQeu\n", 0 },
	};
	for (size_t i = 0; i < sizeof(typed_rows) / sizeof(typed_rows[0]);
	     i++) {
		typed = typed_rows[i].line;
		expect_done(typed_rows[i].status, "user", "set-password",
		    "ann@people.example", "--password-stdin");
	}
	typed = NULL;
	expect_done(
	    0, "user", "grant", "ann@people.example", "people", "viewer");
	a = expect(0, "user", "list", "--account", "people");
	assert_string_equal("viewer",
	    text(json_array_get(
		     json_object_get(
			 row(a, "email", "Ann@people.example"), "memberships"),
		     0),
		"role"));
	json_decref(a);
	expect_done(0, "user", "revoke", "ann@people.example", "people");
	expect_done(1, "user", "revoke", "ann@people.example", "people");

	a = expect(
	    0, "price", "set", "test:model", "--input", "1.5", "--output", "6");
	assert_true(json_is_true(json_object_get(a, "changed")));
	json_decref(a);
	a = expect(
	    0, "price", "set", "test:model", "--input", "1.5", "--output", "6");
	assert_true(json_is_false(json_object_get(a, "changed")));
	json_decref(a);
	expect_done(
	    0, "price", "set", "test:model", "--input", "2", "--output", "6");
	expect_done(
	    2, "price", "set", "test:model", "--input", "-2", "--output", "6");
	a = expect(0, "price", "list");
	assert_true(
	    json_real_value(json_object_get(
		row(a, "model", "test:model"), "input_usd_per_mtok")) == 2.0);
	json_decref(a);
}

static void
test_demo(void **state)
{
	json_t *a, *u;
	json_int_t requests = 0;
	size_t i;

	(void)state;
	need_cluster();
	a = expect(0, "demo", "load", "--dir", SB_TEST_SOURCE "/etc/demo",
	    "--secrets", secrets);
	assert_int_equal(2, number(a, "accounts"));
	assert_int_equal(6, number(a, "agents"));
	assert_int_equal(3, number(a, "people"));
	json_decref(a);
	a = expect(0, "demo", "load", "--dir", SB_TEST_SOURCE "/etc/demo",
	    "--secrets", secrets);
	assert_true(json_is_false(json_object_get(a, "changed")));
	json_decref(a);
	a = expect(
	    0, "demo", "history", "globex", "--days", "3", "--per-day", "30");
	json_int_t turns = number(a, "turns");
	assert_true(turns > 0);
	json_decref(a);
	u = expect(0, "usage", "globex", "--since", "5d", "--grain", "day");
	json_array_foreach(json_object_get(u, "data"), i, a)
	{
		assert_string_equal("sales/widgets", text(a, "agent"));
		requests += number(a, "requests");
	}
	assert_int_equal(turns, requests);
	json_decref(u);
	/* the same days again are there already */
	a = expect(
	    0, "demo", "history", "globex", "--days", "3", "--per-day", "30");
	assert_int_equal(0, number(a, "turns"));
	json_decref(a);
	a = expect(0, "usage", "globex", "--since", "5d");
	assert_int_equal(1, json_array_size(json_object_get(a, "data")));
	assert_int_equal(turns,
	    number(json_array_get(json_object_get(a, "data"), 0), "requests"));
	json_decref(a);
}

/* Who changed what: each verb that changes something leaves its word. */
static void
test_audit(void **state)
{
	static const char *const of_account[] = { "account.create",
		"account.set_limit", "account.set_limit", "account.set_tier",
		"account.set_second_factor", "account.set_second_factor",
		"agent.create", "agent.configure", "agent.deactivate",
		"agent.activate", "agent.archive", "api_key.create",
		"api_key.revoke", "widget_key.create", "member.grant",
		"member.grant", "member.revoke" };
	static const char *const of_platform[] = { "user.create",
		"user.set_password", "user.deactivate", "user.activate",
		"price.set" };
	const json_t *list, *entry;
	json_t *a, *key;
	size_t n;

	(void)state;
	need_cluster();
	expect_done(0, "account", "create", "audited", "--name", "Au \"dit\"");
	expect_done(0, "account", "set-limit", "audited", "max_agents", "7");
	expect_done(
	    0, "account", "set-limit", "audited", "max_agents", "default");
	expect_done(0, "account", "set-tier", "audited", "standard");
	/* what does not happen leaves none */
	expect_done(1, "account", "set-tier", "audited", "gold");
	expect_done(0, "account", "set-second-factor", "audited",
	    "account_owner,viewer");
	expect_done(0, "account", "set-second-factor", "audited", "none");
	expect_done(1, "account", "set-second-factor", "audited", "nobody");
	expect_done(1, "account", "set-second-factor", "audited", "viewer,");
	expect_done(
	    1, "account", "set-second-factor", "audited", "platform_admin");
	expect_done(1, "account", "set-second-factor", "audited", "");
	expect_done(1, "account", "create", "audited");
	expect_done(0, "agent", "create", "audited", "sales/a");
	give_input("{\"greeting\": 1}");
	expect_done(1, "agent", "configure", "audited", "sales/a", input);
	give_input("{\"temperature\": 0.25}");
	expect_done(0, "agent", "configure", "audited", "sales/a", input);
	expect_done(0, "agent", "deactivate", "audited", "sales/a");
	expect_done(0, "agent", "activate", "audited", "sales/a");
	expect_done(0, "agent", "archive", "audited", "sales/a");
	expect_done(1, "agent", "archive", "audited", "sales/none");
	key = expect(
	    0, "key", "create", "audited", "--kind", "api", "--name", "k");
	expect_done(0, "key", "revoke", "audited", text(key, "id"));
	expect_done(1, "key", "revoke", "audited", "sb_live_none");
	expect_done(0, "key", "create", "audited", "--kind", "widget", "--name",
	    "w", "--origin", "https://www.example.com");
	expect_done(0, "user", "create", "aud@example.com");
	expect_done(0, "user", "grant", "aud@example.com", "audited", "viewer");
	expect_done(0, "user", "grant", "aud@example.com", "audited", "viewer");
	expect_done(
	    0, "user", "grant", "aud@example.com", "audited", "analyst");
	expect_done(0, "user", "revoke", "aud@example.com", "audited");
	expect_done(1, "user", "revoke", "aud@example.com", "audited");
	expect_done(0, "user", "set-password", "aud@example.com");
	expect_done(0, "user", "deactivate", "aud@example.com");
	expect_done(0, "user", "activate", "aud@example.com");
	expect_done(
	    0, "price", "set", "audit:model", "--input", "1", "--output", "2");
	expect_done(
	    0, "price", "set", "audit:model", "--input", "1", "--output", "2");

	a = expect(0, "audit", "list", "audited");
	list = json_object_get(a, "data");
	n = sizeof(of_account) / sizeof(of_account[0]);
	assert_int_equal(n, json_array_size(list));
	for (size_t i = 0; i < n; i++) {
		entry = json_array_get(list, n - 1 - i);
		assert_int_equal(i + 1, number(entry, "seq"));
		assert_string_equal(of_account[i], text(entry, "action"));
		assert_string_equal(
		    "cli", text(json_object_get(entry, "actor"), "kind"));
		assert_true(
		    text(json_object_get(entry, "actor"), "name")[0] != '\0');
	}
	entry = json_array_get(list, n - 2);
	assert_true(json_is_null(
	    json_object_get(json_object_get(entry, "before"), "max_agents")));
	assert_int_equal(
	    7, number(json_object_get(entry, "after"), "max_agents"));
	entry = json_array_get(list, n - 12);
	assert_string_equal(text(key, "prefix"),
	    text(json_object_get(entry, "after"), "prefix"));
	json_decref(a);
	json_decref(key);

	a = expect(0, "audit", "list", "--platform", "--limit", "5");
	list = json_object_get(a, "data");
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(of_platform[i],
		    text(json_array_get(list, 4 - i), "action"));
	json_decref(a);
	a = expect(0, "audit", "list", "audited", "--action", "member.*",
	    "--actor", "cli", "--object", "user");
	assert_int_equal(3, json_array_size(json_object_get(a, "data")));
	json_decref(a);
	expect_done(2, "audit", "list");
	expect_done(2, "audit", "list", "audited", "--platform");
	expect_done(2, "audit", "list", "audited", "--limit", "0");
	expect_done(1, "audit", "list", "nobody");
}

/* The master key is exchanged; the old one can go when nothing needs it. */
static void
test_secrets(void **state)
{
	json_t *a, *b;

	(void)state;
	need_cluster();
	a = expect(0, "secrets", "status");
	assert_int_equal(1, json_array_size(json_object_get(a, "data")));
	b = expect(0, "secrets", "rotate");
	assert_true(json_is_false(json_object_get(b, "resumed")));
	assert_string_not_equal(text(b, "id"),
	    text(json_array_get(json_object_get(a, "data"), 0), "id"));
	json_decref(a);
	a = expect(0, "secrets", "status");
	assert_int_equal(2, json_array_size(json_object_get(a, "data")));
	assert_string_equal(
	    "in use", text(row(a, "id", text(b, "id")), "state"));
	json_decref(a);
	a = expect(0, "secrets", "retire");
	assert_int_equal(1, json_array_size(json_object_get(a, "retired")));
	assert_string_equal(text(b, "id"), text(a, "id"));
	json_decref(a);
	json_decref(b);
	a = expect(0, "secrets", "retire");
	assert_int_equal(0, json_array_size(json_object_get(a, "retired")));
	json_decref(a);
	a = expect(
	    0, "audit", "list", "--platform", "--action", "master_key.*");
	assert_int_equal(2, json_array_size(json_object_get(a, "data")));
	json_decref(a);
	/* where the environment holds it, the file is left alone */
	setenv("SB_MASTER_KEY",
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	    1);
	a = expect(1, "secrets", "rotate");
	assert_non_null(strstr(
	    text(json_object_get(a, "error"), "message"), "SB_MASTER_KEY"));
	json_decref(a);
	unsetenv("SB_MASTER_KEY");
}

static void
test_misuse(void **state)
{
	json_t *a;
	char *no_verb[] = { "switchboard", "bogus", NULL };

	(void)state;
	need_cluster();
	a = expect(2, "usage");
	assert_string_equal("usage", error_code(a));
	json_decref(a);
	expect_done(2, "usage", "x", "--grain", "week");
	assert_int_equal(2, run_argv(no_verb, &a));
	assert_null(a);
	a = expect(1, "-c", "/nonexistent", "account", "list");
	assert_non_null(strstr(
	    text(json_object_get(a, "error"), "message"), "/nonexistent"));
	json_decref(a);
	/* nothing runs here: the doctor finds that, as one JSON value */
	a = expect(1, "doctor");
	assert_string_equal("ok", text(row(a, "check", "schema"), "state"));
	assert_string_equal(
	    "fail", text(row(a, "check", "chat.sock"), "state"));
	assert_true(text(row(a, "check", "chat.sock"), "todo")[0] != '\0');
	json_decref(a);
	a = expect(2, "doctor", "--url", "www.example.com");
	json_decref(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_people_and_prices),
		cmocka_unit_test(test_demo),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_misuse),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
