/*
 * What is asked over HTTP: model providers, and our own server the way its
 * visitors reach it.  Whether the web server passes events on at once cannot
 * be read from any configuration: it is measured, with a stream whose later
 * events are still to be made while the first ones should be there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/probe.h"
#include "cli/cli.h"
#include "cli/doctor/exam.h"
#include "cli/files.h"
#include "conf/conf.h"
#include "llm/llm.h"
#include "net/call.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PATIENCE_MS 10000
#define PATIENCE (PATIENCE_MS * CLOCK_MS)
#define ANSWER_MAX ((size_t)64 * 1024)

/* --- model providers ----------------------------------------------------- */

/* ${name} as the server has it: our environment, else the file beside the
 * configuration, which its unit and the quickstart read. */
static const char *
setting(const struct exam *x, const char *file, const char *name)
{
	const char *given = getenv(name), *p = file;
	size_t n = strlen(name);

	if (given != NULL && given[0] != '\0')
		return given;
	for (; p != NULL; p = strchr(p, '\n'), p += p != NULL) {
		p += strspn(p, "\n");
		if (strncmp(p, name, n) != 0 || p[n] != '=')
			continue;
		p += n + 1;
		p += strspn(p, "'\"");
		return mem_strndup(x->c->ctx, p, strcspn(p, "'\"\r\n"));
	}
	return NULL;
}

static const char *
provider_file(struct exam *x)
{
	const char *slash = strrchr(x->conf->file, '/');
	char *path, *text = NULL;
	size_t len;

	path = mem_printf(x->c->ctx, "%.*sprovider.env",
	    slash != NULL ? (int)(slash - x->conf->file) + 1 : 0,
	    x->conf->file);
	if (!files_exist(path) ||
	    cli_read(x->c, path, ANSWER_MAX, &text, &len, NULL) != 0)
		return NULL;
	return text;
}

static void
exam_provider(struct exam *x, const struct llm_probe *p, const struct err *e)
{
	char *check = mem_printf(x->c->ctx, "provider %s", p->provider);
	int ms = (int)(p->took / CLOCK_MS);

	if (p->base == NULL)
		return;
	if (!p->asked)
		exam_ok(x, check,
		    "no %s: its models fall back to the next of default_models",
		    p->key_env);
	else if (e != NULL)
		exam_fail(x, check,
		    "can this machine reach the address (firewall, proxy, "
		    "DNS)?",
		    "%s: %s", p->base, e->text);
	else if (p->status == 401 || p->status == 403)
		exam_fail(x, check,
		    mem_printf(x->c->ctx,
			"put a good key into %s and restart the server",
			p->key_env),
		    "%s refuses the key (%d)", p->base, p->status);
	else if (p->status >= 500 || p->status == 429)
		exam_warn(x, check, "ask again later; see the vendor's status",
		    "%s answers %d", p->base, p->status);
	else
		exam_ok(x, check, "%s answers in %d ms%s", p->base, ms,
		    p->status == 200 ? " and takes the key" : "");
}

void
exam_providers(struct exam *x)
{
	const char *file = provider_file(x);
	struct llm_opts o = { .openai_key = setting(x, file, "OPENAI_API_KEY"),
		.openai_base = setting(x, file, "OPENAI_BASE_URL"),
		.anthropic_key = setting(x, file, "ANTHROPIC_API_KEY"),
		.anthropic_base = setting(x, file, "ANTHROPIC_BASE_URL"),
		.default_models = x->conf->default_models };
	struct net *net = net_new(1);
	struct llm *llm = llm_new(net, &o);
	struct llm_probe p;
	struct err e = { 0 };
	int rc;

	for (int i = 0; (rc = llm_probe(llm, net, i, clock_mono() + PATIENCE,
			     &p, &e)) != 0;
	     i++)
		exam_provider(x, &p, rc < 0 ? &e : NULL);
	llm_free(llm);
	net_free(net);
}

/* --- the web server ------------------------------------------------------ */

struct heard {
	int status, events;
	int64_t first, last; /* when the first and the last event came */
	bool compressed;
	struct buf text;
};

static void
on_head(void *arg, int status)
{
	struct heard *h = arg;

	h->status = status;
}

static int
on_body(void *arg, const char *p, size_t n)
{
	struct heard *h = arg;
	const char *at;
	int events = 0;

	buf_add(&h->text, p, n);
	for (at = h->text.data;
	     at != NULL && (at = strstr(at, "event: tick")) != NULL; at++)
		events++;
	if (events > h->events) {
		h->last = clock_mono();
		if (h->events == 0)
			h->first = h->last;
		h->events = events;
	}
	return 0;
}

/* GET ${url}${path}; 0 with an answer of any status. */
static int
get(struct exam *x, struct net *net, const char *url, const char *path,
    const char *authorization, struct heard *h, struct err *e)
{
	/* As a browser asks: a web server may then compress. */
	const char *headers[] = { "Accept-Encoding: gzip", authorization,
		NULL };
	struct net_reply reply;
	int rc;
	struct net_call call = { .method = "GET",
		.url = mem_printf(x->c->ctx, "%s%s", url, path),
		.headers = headers,
		.deadline = clock_mono() + PATIENCE,
		.response_max = ANSWER_MAX,
		.on_body = on_body,
		.on_head = on_head,
		.arg = h,
		.gone_fd = -1 };

	*h = (struct heard){ 0 };
	buf_init(&h->text, x->c->ctx, ANSWER_MAX + 1);
	rc = net_call(net, &call, &reply, e);
	h->compressed = reply.encoded;
	return rc;
}

/* Does what answers there answer for us? */
static bool
exam_address(struct exam *x, struct net *net, const char *url)
{
	struct err e = { 0 };
	struct heard h;

	if (get(x, net, url, "/healthz", NULL, &h, &e) != 0)
		exam_fail(x, "web server",
		    "is the web server running, and the address right?",
		    "%s: %s", url, e.text);
	else if (h.status != 200 || h.text.data == NULL ||
		 strstr(h.text.data, "\"status\":\"ok\"") == NULL)
		exam_fail(x, "web server",
		    h.status == 502
			? "the web server does not reach the sockets: is "
			  "switchboardd running, and its user in socket_group?"
			: "does its configuration hand /healthz to us?",
		    "%s/healthz answers %d", url, h.status);
	else {
		exam_ok(x, "web server", "%s answers", url);
		return true;
	}
	return false;
}

static void
exam_ready(struct exam *x, struct net *net, const char *url)
{
	struct err e = { 0 };
	struct heard h;

	if (get(x, net, url, "/readyz", NULL, &h, &e) != 0)
		exam_fail(x, "ready", "see the log", "%s", e.text);
	else if (h.status != 200)
		exam_fail(x, "ready", "see what is missing, and the log",
		    "%s/readyz answers %d: %.200s", url, h.status,
		    h.text.data != NULL ? h.text.data : "");
	else
		exam_ok(x, "ready", "it can serve");
}

static void
exam_streams(struct exam *x, struct net *net, const char *url)
{
	static const char path[] = "/accounts/-/agents/doctor/probe/stream";
	char pass[PROBE_TEXT];
	struct err e = { 0 };
	struct heard h;
	int64_t spread;

	if (probe_setup(x->conf->master_key_file, &e) != 0) {
		exam_warn(x, "streams", "run the doctor as the server's user",
		    "%s", e.text);
		return;
	}
	probe_make(pass);
	if (get(x, net, url, path,
		mem_printf(x->c->ctx, "Authorization: Bearer %s", pass), &h,
		&e) != 0) {
		exam_fail(x, "streams",
		    "does the web server cut streams short (timeouts)?",
		    "%s%s: %s", url, path, e.text);
		return;
	}
	if (h.compressed) {
		exam_fail(x, "streams",
		    "no compression for text/event-stream: it holds events "
		    "back (nginx: gzip_types, Apache: mod_deflate)",
		    "the web server compresses them");
		return;
	}
	if (h.status != 200 || h.events < 2) {
		exam_fail(x, "streams",
		    "is it this installation's address, with the same master "
		    "key and clock?  Apache needs CGIPassAuth On",
		    "%s%s answers %d: Authorization did not arrive, or was "
		    "refused",
		    url, path, h.status);
		return;
	}
	spread = (h.last - h.first) / CLOCK_MS;
	/* The server takes 750 ms from the first event to the last. */
	if (spread < 350)
		exam_fail(x, "streams",
		    "nginx: fastcgi_buffering off and fastcgi_keep_conn on for "
		    "/accounts/*/agents/*/*/stream; Apache: flushpackets=on; "
		    "and look at every proxy in between",
		    "held back: %d events made over 750 ms came within "
		    "%" PRId64 " ms",
		    h.events, spread);
	else
		exam_ok(x, "streams",
		    "pass at once: %d events over %" PRId64 " ms", h.events,
		    spread);
}

void
exam_front(struct exam *x, const char *url)
{
	struct net *net;
	char *base;
	size_t n;

	if (url == NULL) {
		exam_warn(x, "web server",
		    "--url with the address that visitors use",
		    "not looked at");
		return;
	}
	n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	base = mem_strndup(x->c->ctx, url, n);
	net = net_new(1);
	if (exam_address(x, net, base)) {
		exam_ready(x, net, base);
		exam_streams(x, net, base);
	}
	net_free(net);
}
