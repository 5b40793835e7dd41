/* A request is read, and what is set for it decides on the answer. */
#include "simulate/answer_priv.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "simulate/stats_priv.h"
#include "util/str.h"

#include "util/banned.h"

size_t
answer_header(const struct request *r, const char *name, const char **v)
{
	size_t k = strlen(name);
	const char *last = r->head + r->head_len;

	for (const char *p = r->head; p < last;) {
		const char *end = memchr(p, '\n', (size_t)(last - p));
		const char *next;

		if (!end)
			break;
		next = end + 1;
		if ((size_t)(end - p) > k && strncasecmp(p, name, k) == 0 &&
		    p[k] == ':') {
			p += k + 1;
			while (*p == ' ')
				p++;
			*v = p;
			while (end > p && (end[-1] == '\r' || end[-1] == ' '))
				end--;
			return (size_t)(end - p);
		}
		p = next;
	}
	*v = "";
	return 0;
}

/* The value of a top-level-looking key, without parsing: quotes inside texts
 * are escaped, so the pattern cannot stand in one. */
static const char *
scan_key(const char *body, size_t n, const char *key)
{
	const char *p = memmem(body, n, key, strlen(key));

	if (!p || (p > body && p[-1] == '\\'))
		return NULL;
	p += strlen(key);
	while (p < body + n && (*p == ' ' || *p == ':'))
		p++;
	return p < body + n ? p : NULL;
}

static void
ask_read(struct ask *a, const struct request *r)
{
	const char *body = r->body, *p;
	size_t n = r->body_len;
	const char *v;

	memset(a, 0, sizeof *a);
	a->anthropic = str_starts(r->path, "/v1/messages") ||
	               answer_header(r, "anthropic-version", &v) > 0;
	a->body = body;
	a->body_len = n;
	p = scan_key(body, n, "\"stream\"");
	a->stream = p && *p == 't';
	p = scan_key(body, n, "\"model\"");
	if (p && *p == '"') {
		const char *end =
		    memchr(p + 1, '"', (size_t)(body + n - p - 1));

		if (end && (size_t)(end - p - 1) < sizeof a->model)
			memcpy(a->model, p + 1, (size_t)(end - p - 1));
	}
}

/* Which words say what to do; the first that there are. */
static bool
choose_plan(const struct ask *a, int key, struct plan *p)
{
	char words[PLAN_WORDS];
	const char *m;

	plan_default(p);
	if (meter_words(key, words))
		return plan_parse(p, words, strlen(words));
	m = memmem(a->body, a->body_len, "[[do:", 5);
	if (m) {
		const char *end =
		    memmem(m, a->body_len - (size_t)(m - a->body), "]]", 2);

		return end && plan_parse(p, m + 5, (size_t)(end - m) - 5);
	}
	if (str_starts(a->model, "mock-"))
		return plan_parse(p, a->model + 5, strlen(a->model) - 5);
	return true;
}

/* What is asked of the key's limits, and whether they hold it. */
static void
take_rates(struct script *s)
{
	const struct plan *p = &s->plan;

	/* Of cached input Anthropic counts nothing towards the limit. */
	meter_take(s->meter, p->in, s->anthropic ? p->in - p->cached : p->in,
	    p->out, &s->rates);
	if (s->rates.refused)
		s->plan.status = 429;
}

static bool
ends_in(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);

	return n >= k && strcmp(path + n - k, end) == 0;
}

/* Everything that is said at once; false: no such path. */
static bool
other_paths(struct script *s, const struct request *r, const struct ask *a)
{
	if (strcmp(r->method, "GET") == 0)
		return lists_models(s, r->path);
	if (ends_in(r->path, "/embeddings"))
		return lists_embeddings(s, a);
	if (ends_in(r->path, "/messages/count_tokens")) {
		lists_count(s, a);
		return true;
	}
	return false;
}

void
answer_make(struct script *s, const void *ctx, const struct request *r)
{
	static atomic_ulong ids;
	unsigned long id;
	const char *key;
	struct ask a;
	struct plan p;
	size_t kn;
	int meter;

	ask_read(&a, r);
	kn =
	    answer_header(r, a.anthropic ? "x-api-key" : "authorization", &key);
	if (kn > 7 && strncasecmp(key, "bearer ", 7) == 0) {
		key += 7;
		kn -= 7;
	}
	meter = meter_key(key, kn);
	stats_request(r->path, key, kn, a.model, r->head, r->head_len, r->body,
	    r->body_len);
	id = atomic_fetch_add(&ids, 1) + 1;
	if (!choose_plan(&a, meter, &p))
		p.status = 400;
	plan_flaky(&p, id);
	if ((p.quota || p.credit) && a.anthropic)
		p.status = 402;
	script_make(s, ctx, &a, &p, id);
	s->meter = meter;
	if (s->plan.status != 200)
		return;
	if (!ends_in(r->path, "/chat/completions") &&
	    !ends_in(r->path, "/messages")) {
		s->stream = false;
		if (!other_paths(s, r, &a) && s->plan.status == 200)
			s->plan.status = 404;
	}
	if (s->plan.status == 200)
		take_rates(s);
}
