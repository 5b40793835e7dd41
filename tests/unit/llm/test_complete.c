/* llm_complete against the mock provider: both formats, and every fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "llm/llm.h"
#include "net/call.h"
#include "net/egress.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define KEY "sk-test-0123456789"
#define SLACK_MS 250

static pid_t mock;
static int port;
static struct net *net;
static struct llm *llm, *keyless, *patient;
static void *ctx;
static struct llm_reply r;
static struct err e;
static struct llm_sink sink;
static json_t *tools;
static int pieces, beats, stop_at;
static int64_t first_piece;

static void
sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&t, NULL);
}

static int
hear(struct llm_sink *k, const char *p, size_t n)
{
	(void)k;
	(void)p;
	assert_true(n > 0);
	if (pieces == 0)
		first_piece = clock_mono();
	return ++pieces == stop_at ? -1 : 0;
}

static int
beat(struct llm_sink *k)
{
	(void)k;
	beats++;
	return 0;
}

/* Ask "provider:name" once. */
static int
ask_llm(struct llm *l, const char *model, const json_t *with)
{
	struct llm_message m = {
		.role = LLM_USER, .text = "canary-7 hello", .len = 14
	};
	struct llm_request rq = { .model = model,
		.system = "Be brief.",
		.messages = &m,
		.nmessages = 1,
		.tools = with,
		.max_tokens = 100,
		.temperature = 0.5,
		.traceparent =
		    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		.deadline = clock_mono() + 10 * CLOCK_S };

	mem_free(ctx);
	ctx = mem_root("complete");
	pieces = beats = 0;
	memset(&e, 0, sizeof(e));
	return llm_complete(l, &rq, &sink, ctx, &r, &e);
}

static int
ask(const char *model)
{
	return ask_llm(llm, model, NULL);
}

static int
take(void *arg, const char *p, size_t n)
{
	buf_add(arg, p, n);
	return 0;
}

/* The mock's own pages. */
static struct buf
page(const char *method, const char *path, const char *body)
{
	struct buf b;
	char url[64];
	struct net_reply nr;

	buf_init(&b, ctx, 1 << 22);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
	struct net_call c = { .method = method,
		.url = url,
		.body = body,
		.body_len = strlen(body),
		.connect_ms = 1000,
		.deadline = clock_mono() + 5 * CLOCK_S,
		.on_body = take,
		.arg = &b,
		.gone_fd = -1 };
	assert_int_equal(net_call(net, &c, &nr, NULL), 0);
	return b;
}

static int64_t
stat_of(const char *key)
{
	struct buf b = page("GET", "/_stats", "");
	json_t *v = json_loadb(b.data, b.len, 0, NULL);
	int64_t n = json_integer_value(json_object_get(v, key));

	json_decref(v);
	return n;
}

static int
setup_test(void **state)
{
	(void)state;
	ctx = mem_root("complete");
	sink = (struct llm_sink){ .text = hear, .beat = beat, .gone_fd = -1 };
	stop_at = 0;
	page("POST", "/_reset", "");
	return 0;
}

static int
teardown_test(void **state)
{
	(void)state;
	mem_free(ctx);
	ctx = NULL;
	return 0;
}

static const char *const both[] = { "openai", "anthropic" };

static const char *
model(int i, const char *name)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s:%s", both[i], name);
	return text;
}

static void
test_answers(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(model(i, "some-model")), 0);
		assert_string_equal(
		    r.text.data, "This is the mock model speaking.");
		assert_string_equal(r.model, model(i, "some-model"));
		assert_int_equal(r.finish, LLM_STOP);
		assert_int_equal(r.status, 200);
		assert_int_equal(r.attempts, 1);
		assert_int_equal(r.usage.input, 21);
		assert_int_equal(r.usage.cached, 5);
		assert_int_equal(r.usage.output, 7);
		assert_int_equal(r.usage.reasoning, 2);
		assert_false(r.usage.estimated);
		assert_true(r.started && r.first_token_ns > 0);
		assert_memory_equal(r.upstream_id, "req_mock_", 9);
		assert_int_equal(pieces, 3);
		assert_int_equal(r.ncalls, 0);
	}
}

static void
test_request(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(model(i, "x")), 0);
		struct buf b = page("GET", "/_last", "");
		json_t *v = json_loadb(b.data, b.len, 0, NULL);
		const json_t *c = json_object_get(
		    v, i ? "/v1/messages" : "/v1/chat/completions");
		const char *head =
		    json_string_value(json_object_get(c, "head"));
		const char *body =
		    json_string_value(json_object_get(c, "body"));
		assert_non_null(head);
		assert_non_null(
		    strstr(head, i ? "\r\nx-api-key: " KEY "\r\n"
				   : "\r\nAuthorization: Bearer " KEY "\r\n"));
		assert_non_null(
		    strstr(head, "\r\nContent-Type: application/json\r\n"));
		assert_non_null(
		    strstr(head, "\r\ntraceparent: 00-0af7651916cd43dd"));
		assert_non_null(strstr(body, "canary-7 hello"));
		json_decref(v);
	}
	/* A server of one's own may want no key, and is sent none. */
	assert_int_equal(ask_llm(keyless, "openai:x", NULL), 0);
	struct buf b = page("GET", "/_last", "");
	assert_null(strstr(b.data, "Authorization"));
}

static void
test_warm(void **state)
{
	(void)state;
	int64_t before = stat_of("connections");
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask("openai:x"), 0);
	assert_int_equal(stat_of("connections"), before);
	assert_int_equal(stat_of("calls"), 10);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *name;
		int status;
		enum err_code code;
		const char *kind;
		int retry;
		enum llm_class class;
	} rows[] = {
		{ "mock-400", 400, ERR_UPSTREAM, "upstream-refused", 0,
		    LLM_CALLER },
		{ "mock-401", 401, ERR_UPSTREAM, "upstream-auth", 0,
		    LLM_DENIED },
		{ "mock-402", 402, ERR_UPSTREAM, "upstream-quota", 0,
		    LLM_DENIED },
		{ "mock-404", 404, ERR_UPSTREAM, "upstream-model", 0,
		    LLM_NO_MODEL },
		{ "mock-429-retry-7", 429, ERR_UNAVAILABLE, "upstream-limit", 7,
		    LLM_LIMIT },
		{ "mock-429", 429, ERR_UNAVAILABLE, "upstream-limit", 5,
		    LLM_LIMIT },
		{ "mock-500", 500, ERR_UPSTREAM, "upstream-failed", 0,
		    LLM_SERVER },
		{ "mock-529", 529, ERR_UNAVAILABLE, "upstream-overloaded", 5,
		    LLM_SERVER },
		{ "mock-302", 302, ERR_UPSTREAM, "upstream-failed", 0,
		    LLM_SERVER },
		{ "mock-502-html", 502, ERR_UPSTREAM, "upstream-failed", 0,
		    LLM_SERVER },
		{ "mock-html", 200, ERR_UPSTREAM, "upstream-garbled", 0,
		    LLM_SERVER },
		{ "mock-gzip", 200, ERR_UPSTREAM, "upstream-garbled", 0,
		    LLM_SERVER },
		{ "mock-json-badjson", 200, ERR_UPSTREAM, "upstream-garbled", 0,
		    LLM_SERVER },
		{ "mock-headers", 0, ERR_UPSTREAM, "upstream-too-large", 0,
		    LLM_SERVER },
		{ "mock-reset", 200, ERR_UPSTREAM, "upstream-broken", 0,
		    LLM_SERVER },
		{ "mock-cut", 200, ERR_UPSTREAM, "upstream-broken", 0,
		    LLM_SERVER },
		{ "mock-badjson", 200, ERR_UPSTREAM, "upstream-garbled", 0,
		    LLM_SERVER },
		{ "mock-huge", 200, ERR_UPSTREAM, "upstream-garbled", 0,
		    LLM_SERVER },
	};

	struct llm *hasty = llm;

	(void)state;
	llm = patient; /* 100,000 headers take their time on a busy machine */
	for (size_t k = 0; k < 2 * sizeof(rows) / sizeof(rows[0]); k++) {
		const char *m = model((int)(k % 2), rows[k / 2].name);
		if (ask(m) != -1)
			fail_msg("%s was answered", m);
		if (e.code != rows[k / 2].code ||
		    strcmp(e.kind, rows[k / 2].kind) != 0 ||
		    e.retry_after != rows[k / 2].retry)
			fail_msg("%s: %d %s %d %s", m, (int)e.code,
			    e.kind ? e.kind : "", e.retry_after, e.text);
		if (rows[k / 2].status != r.status &&
		    strcmp(rows[k / 2].name, "mock-reset") != 0)
			fail_msg("%s: status %d", m, r.status);
		assert_int_equal(r.finish, LLM_ERROR);
		if (r.class != rows[k / 2].class)
			fail_msg("%s: class %d", m, (int)r.class);
		if (rows[k / 2].retry == 7)
			assert_int_equal(r.retry_ms, 7000);
		assert_int_equal(r.text.len, 0);
		assert_null(strstr(e.text, KEY));
		assert_true(strstr(e.text, both[k % 2]) == e.text);
	}
	llm = hasty;
	/* One question each: nothing was sent twice. */
	assert_int_equal(stat_of("calls"), 2 * sizeof(rows) / sizeof(rows[0]));
}

/* What was said before the fault stays, and is counted. */
static void
test_broken_off(void **state)
{
	static const struct {
		const char *name, *text;
		const char *kind; /* NULL: it counts as whole */
	} rows[] = {
		{ "mock-cut-2", "This is the mock mode", "upstream-broken" },
		{ "mock-cut-2-close", "This is the mock mode",
		    "upstream-broken" },
		{ "mock-error-2", "This is the mock mode", "" },
		{ "mock-nofinish", "This is the mock model speaking.",
		    "upstream-broken" },
		{ "mock-nodone", "This is the mock model speaking.", NULL },
		{ "mock-wrongtype", "This is the mock model speaking.",
		    "upstream-garbled" },
	};

	(void)state;
	for (size_t k = 0; k < 2 * sizeof(rows) / sizeof(rows[0]); k++) {
		const char *m = model((int)(k % 2), rows[k / 2].name);
		const char *kind = rows[k / 2].kind;
		int rc = ask(m);
		if (rc != (kind ? -1 : 0))
			fail_msg("%s: %d %s", m, rc, e.text);
		if (kind && *kind && strcmp(e.kind, kind) != 0)
			fail_msg("%s: %s", m, e.kind);
		assert_int_equal(r.finish, kind ? LLM_ERROR : LLM_STOP);
		if (strcmp(rows[k / 2].name, "mock-wrongtype") != 0)
			assert_string_equal(r.text.data, rows[k / 2].text);
		assert_true(r.usage.input > 0);
		assert_int_equal(r.usage.estimated, kind != NULL);
	}
	/* An error in mid-stream says what kind of error it was. */
	assert_int_equal(ask("anthropic:mock-error-1"), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_string_equal(e.kind, "upstream-overloaded");
	assert_int_equal(ask("openai:mock-error-1"), -1);
	assert_int_equal(e.code, ERR_UPSTREAM);
	assert_true(r.started);
}

static void
test_variants(void **state)
{
	static const char *const same[] = { "mock-json", "mock-split-1",
		"mock-split-5", "mock-crlf", "mock-close", "mock-slow-20",
		"mock-drip-1" };

	(void)state;
	for (size_t k = 0; k < 2 * sizeof(same) / sizeof(same[0]); k++) {
		const char *m = model((int)(k % 2), same[k / 2]);
		if (ask(m) != 0)
			fail_msg("%s: %s", m, e.text);
		assert_string_equal(
		    r.text.data, "This is the mock model speaking.");
		assert_int_equal(r.usage.input, 21);
		assert_int_equal(r.finish, LLM_STOP);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(model(i, "mock-length")), 0);
		assert_int_equal(r.finish, LLM_LENGTH);
		assert_int_equal(ask(model(i, "mock-refuse")), 0);
		assert_int_equal(r.finish, LLM_CONTENT_FILTER);
		assert_string_equal(r.text.data, "I cannot help with that.");
		assert_int_equal(ask(model(i, "mock-nousage")), 0);
		assert_true(r.usage.estimated);
		assert_true(r.usage.input > 0 && r.usage.output > 0);
		assert_int_equal(ask(model(i, "mock-usage-1000x30")), 0);
		assert_int_equal(r.usage.input, 1000);
		assert_int_equal(r.usage.output, 30);
	}
}

static void
test_tool_calls(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask_llm(llm, model(i, "mock-tool"), tools), 0);
		assert_int_equal(r.finish, LLM_TOOL_CALLS);
		assert_int_equal(r.ncalls, 1);
		assert_string_equal(r.calls[0].name, "search");
		assert_string_equal(
		    r.calls[0].arguments, "{\"query\":\"mock\"}");
	}
}

static void
expect_limit(const char *name, int limit)
{
	for (int i = 0; i < 2; i++) {
		int64_t t = clock_mono();
		assert_int_equal(ask(model(i, name)), -1);
		int64_t ms = (clock_mono() - t) / CLOCK_MS;
		assert_int_equal(e.code, ERR_TIMEOUT);
		assert_string_equal(e.kind, "upstream-timeout");
		assert_int_equal(r.finish, LLM_ERROR);
		if (ms < limit * 9 / 10 || ms > limit * 11 / 10 + SLACK_MS)
			fail_msg("%s took %d ms", name, (int)ms);
	}
}

static void
test_limits(void **state)
{
	(void)state;
	expect_limit("mock-stall", 600);   /* first byte */
	expect_limit("mock-stall-2", 400); /* idle */
	assert_string_equal(r.text.data, "This is the mock mode");
	expect_limit("mock-paced-90x50", 1500); /* total */
	assert_true(r.text.len > 50);
}

/* The first piece goes out while the model is still talking. */
static void
test_streams(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(model(i, "mock-paced-10x40")), 0);
		assert_true(clock_mono() - first_piece > 250 * CLOCK_MS);
		assert_int_equal(pieces, 10);
	}
}

static void
test_beats(void **state)
{
	(void)state;
	sink.beat_ms = 100;
	assert_int_equal(ask("openai:mock-slow-first-450"), 0);
	assert_in_range(beats, 3, 4);
	/* None while text flows. */
	assert_int_equal(ask("openai:mock-paced-20x30"), 0);
	assert_true(beats <= 1);
}

static int64_t
wait_gone(int64_t n)
{
	int64_t until = clock_mono() + 2 * CLOCK_S;

	while (stat_of("clients_gone") < n && clock_mono() < until)
		sleep_ms(5);
	return stat_of("clients_gone");
}

static void
test_reader_leaves(void **state)
{
	int sv[2];

	(void)state;
	/* The sink wants no more. */
	stop_at = 3;
	assert_int_equal(ask("openai:mock-paced-50x20"), -1);
	assert_int_equal(e.code, ERR_GONE);
	assert_int_equal(r.finish, LLM_CANCELLED);
	assert_int_equal(pieces, 3);
	assert_int_equal(wait_gone(1), 1);
	/* The connection ends. */
	stop_at = 0;
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	close(sv[1]);
	sink.gone_fd = sv[0];
	assert_int_equal(ask("openai:mock-stall"), -1);
	assert_int_equal(e.code, ERR_GONE);
	assert_int_equal(r.finish, LLM_CANCELLED);
	/* Nobody was asked, so nothing was used. */
	assert_int_equal(r.usage.input, 0);
	sink.ignore_gone = true;
	assert_int_equal(ask("openai:mock-x2-words-4"), -1); /* unknown word */
	assert_int_equal(ask("openai:mock-words-4"), 0);
	close(sv[0]);
}

struct stopper {
	atomic_bool flag;
	struct net_wait *wait;
	int64_t at;
};

static void *
stop_later(void *arg)
{
	struct stopper *k = arg;

	sleep_ms(150);
	k->at = clock_mono();
	atomic_store(&k->flag, true);
	net_wake(__atomic_load_n(&k->wait, __ATOMIC_SEQ_CST));
	return NULL;
}

static void
test_cancel(void **state)
{
	struct stopper k = { .wait = NULL };
	pthread_t t;

	(void)state;
	sink.cancel = &k.flag;
	sink.wait = &k.wait;
	pthread_create(&t, NULL, stop_later, &k);
	assert_int_equal(ask("anthropic:mock-paced-50x50"), -1);
	int64_t end = clock_mono();
	pthread_join(t, NULL);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(r.finish, LLM_CANCELLED);
	assert_true(end - k.at < 100 * CLOCK_MS);
	assert_true(r.text.len > 0);
	assert_true(r.usage.output > 0 && r.usage.input > 0);
	assert_null(k.wait);
	assert_int_equal(wait_gone(1), 1);
}

/* A key and an address of the call's own, whatever the environment has. */
static void
test_access(void **state)
{
	const char *const nothing[] = { NULL };
	const char *const loopback[] = { "127.0.0.0/8", NULL };
	char base[64];
	struct llm_access a = { .base = base, .key = KEY, .own_base = true };
	struct llm_message m = { .role = LLM_USER, .text = "hello", .len = 5 };
	struct llm_request rq = { .model = "openai:x",
		.access = &a,
		.messages = &m,
		.nmessages = 1,
		.max_tokens = 100,
		.deadline = clock_mono() + 10 * CLOCK_S };
	struct llm_probe p;

	(void)state;
	snprintf(base, sizeof(base), "http://127.0.0.1:%d/v1", port);
	mem_free(ctx);
	ctx = mem_root("access");
	assert_int_equal(llm_complete(keyless, &rq, &sink, ctx, &r, &e), 0);
	assert_int_equal(r.class, LLM_OK);
	assert_int_equal(
	    llm_try(net, "openai", &a, clock_mono() + CLOCK_S, &p, &e), 0);
	assert_true(p.status > 0);
	/* an address that an account typed passes the guard, or nothing goes
	 * out */
	int64_t calls = stat_of("calls");
	a.egress = egress_new(ctx, nothing, &e);
	assert_int_equal(llm_complete(keyless, &rq, &sink, ctx, &r, &e), -1);
	assert_int_equal(r.class, LLM_SERVER);
	assert_int_equal(
	    llm_try(net, "openai", &a, clock_mono() + CLOCK_S, &p, &e), -1);
	assert_int_equal(stat_of("calls"), calls);
	a.egress = egress_new(ctx, loopback, &e);
	assert_int_equal(llm_complete(keyless, &rq, &sink, ctx, &r, &e), 0);
	/* the vendor's own, for which nobody typed anything */
	assert_int_equal(
	    llm_try(net, "builtin", &a, clock_mono() + CLOCK_S, &p, &e), -1);
}

static void
test_choose(void **state)
{
	const char *got;

	(void)state;
	assert_int_equal(llm_choose(llm, "openai:a", false, &got, &e), 0);
	assert_string_equal(got, "openai:a");
	assert_true(llm_usable(llm, "anthropic:x"));
	assert_true(llm_usable(llm, "builtin:concierge"));
	assert_false(llm_usable(llm, "nobody:x"));
	/* Without a key at a vendor's own address: the next that can. */
	assert_true(llm_usable(keyless, "openai:x"));
	assert_false(llm_usable(keyless, "anthropic:x"));
	assert_int_equal(llm_choose(keyless, "anthropic:x", true, &got, &e), 0);
	assert_string_equal(got, "builtin:concierge");
	assert_int_equal(
	    llm_choose(keyless, "anthropic:x", false, &got, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_string_equal(e.kind, "missing-credential");
	assert_true(e.retry_after > 0);
	assert_non_null(strstr(e.text, "ANTHROPIC_API_KEY"));
	assert_int_equal(llm_choose(keyless, "nobody:x", false, &got, &e), -1);
	assert_string_equal(e.kind, "unknown-model");
	/* Asked all the same. */
	assert_int_equal(ask_llm(keyless, "anthropic:x", NULL), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static void
test_keys(void **state)
{
	static const struct {
		const char *key;
		bool usable;
	} rows[] = { { NULL, false }, { "", false }, { " \n", false },
		{ "sk-x\n", true }, { "sk\r\nX-Evil: 1", false },
		{ "a b", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct llm_opts o = { .response_max = 1000,
			.openai_key = rows[i].key };
		struct llm *l = llm_new(net, &o);
		assert_int_equal(llm_usable(l, "openai:x"), rows[i].usable);
		llm_free(l);
	}
	llm_free(NULL);
}

static int
hear_quiet(struct llm_sink *k, const char *p, size_t n)
{
	(void)k;
	(void)p;
	(void)n;
	return 0;
}

/* Many at once share the connections. */
static void *
many_thread(void *arg)
{
	struct llm_message m = { .role = LLM_USER, .text = "x", .len = 1 };
	struct llm_sink quiet = { .text = hear_quiet, .gone_fd = -1 };

	(void)arg;
	for (int i = 0; i < 40; i++) {
		void *c = mem_root("many");
		struct llm_request rq = { .model = i % 2 ? "openai:a"
			                                 : "anthropic:b",
			.messages = &m,
			.nmessages = 1 };
		struct llm_reply mine;
		struct err me;
		int rc = llm_complete(llm, &rq, &quiet, c, &mine, &me);
		bool good = rc == 0 && mine.usage.input == 21;
		mem_free(c);
		if (!good)
			return (void *)1;
	}
	return NULL;
}

static void
test_many(void **state)
{
	pthread_t t[8];
	void *bad;

	(void)state;
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, many_thread, NULL);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(stat_of("calls"), 320);
}

static int
start_mock(void)
{
	const char *program = "./switchboard"; /* run-unit: in the build */
	char line[64];
	int fd[2];

	if (access(program, X_OK) != 0) {
		print_error("%s is not built\n", program);
		return -1;
	}
	if (pipe(fd) != 0)
		return -1;
	mock = fork();
	if (mock == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		execl(program, program, "simulate", "llm", (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	ssize_t n = read(fd[0], line, sizeof(line) - 1);
	close(fd[0]);
	line[n > 0 ? n : 0] = '\0';
	return sscanf(line, "port %d", &port) == 1 ? 0 : -1;
}

static int
setup(void **state)
{
	static const char *const defaults[] = { "anthropic:d",
		"builtin:concierge", NULL };
	char openai[64], anthropic[64];

	(void)state;
	json_setup();
	if (start_mock() != 0)
		return -1;
	snprintf(openai, sizeof(openai), "http://127.0.0.1:%d/v1/", port);
	snprintf(anthropic, sizeof(anthropic), "http://127.0.0.1:%d", port);
	struct llm_opts o = { .connect_ms = 1000,
		.first_byte_ms = 600,
		.idle_ms = 400,
		.total_ms = 1500,
		.response_max = 4 * 1024 * 1024,
		.openai_key = KEY,
		.openai_base = openai,
		.anthropic_key = KEY "\n",
		.anthropic_base = anthropic };
	net = net_new(16);
	llm = llm_new(net, &o);
	o.first_byte_ms = o.idle_ms = o.total_ms = 20000;
	patient = llm_new(net, &o);
	o.openai_key = o.anthropic_key = "";
	o.default_models = defaults;
	keyless = llm_new(net, &o);
	tools = json_pack("[{s:s,s:{s:s}}]", "name", "search", "parameters",
	    "type", "object");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	llm_free(llm);
	llm_free(keyless);
	llm_free(patient);
	net_free(net);
	json_decref(tools);
	if (mock > 0) {
		kill(mock, SIGKILL);
		waitpid(mock, NULL, 0);
	}
	return 0;
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_test, teardown_test)
	const struct CMUnitTest tests[] = {
		T(test_answers),
		T(test_request),
		T(test_warm),
		T(test_refusals),
		T(test_broken_off),
		T(test_variants),
		T(test_tool_calls),
		T(test_limits),
		T(test_streams),
		T(test_beats),
		T(test_reader_leaves),
		T(test_cancel),
		T(test_access),
		T(test_choose),
		T(test_keys),
		T(test_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
