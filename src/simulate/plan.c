/* Behaviours: the words a model's name, a marker or a setting is made of. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/meter_priv.h"
#include "simulate/plan_priv.h"
#include "simulate/simulate.h"

#include "util/banned.h"

#define CHUNKS_MOST 1000000

void
plan_default(struct plan *p)
{
	*p = (struct plan){ .status = 200,
		.retry_after = -1,
		.chunks = 3,
		.cut_at = -1,
		.rst_at = -1,
		.stall_at = -1,
		.error_at = -1,
		.in = 21,
		.cached = 5,
		.out = 7,
		.reasoning = 2 };
}

/* What a word does; it may be followed by numbers "N" or "NxM". */
enum kind { FLAG, NUMBER, PAIR };
static const struct word {
	const char *word;
	enum kind kind;
	size_t at, at2; /* offsets in struct plan */
	int without;    /* value where no number follows */
	const char *help;
} words[] = {
#define AT(x) offsetof(struct plan, x)
	{ "slow", NUMBER, AT(first_ms), 0, 1000,
	    "silence of N ms before anything" },
	{ "paced", PAIR, AT(chunks), AT(gap_ms), 10,
	    "NxM: N pieces of text, M ms apart" },
	{ "words", NUMBER, AT(chunks), 0, 10, "N pieces at once" },
	{ "drip", NUMBER, AT(drip_ms), 0, 1000, "a byte of body each N ms" },
	{ "cut", NUMBER, AT(cut_at), 0, 0, "close after N pieces" },
	{ "rst", NUMBER, AT(rst_at), 0, 0, "reset after N pieces" },
	{ "reset", NUMBER, AT(rst_at), 0, 0, "the same" },
	{ "stall", NUMBER, AT(stall_at), 0, 0,
	    "silent for ever after N pieces (0: nothing is sent)" },
	{ "error", NUMBER, AT(error_at), 0, 0,
	    "an error event after N pieces" },
	{ "split", NUMBER, AT(split), 0, 1, "N bytes a send" },
	{ "usage", PAIR, AT(in), AT(out), 0, "NxM tokens in and out" },
	{ "cached", NUMBER, AT(cached), 0, 0, "N tokens of the input cached" },
	{ "reasoning", NUMBER, AT(reasoning), 0, 0, "N tokens of reasoning" },
	{ "retry", NUMBER, AT(retry_after), 0, 1, "Retry-After: N" },
	{ "tool", NUMBER, AT(tools), 0, 1, "call the first tool, then answer" },
	{ "toolloop", NUMBER, AT(tools), 0, 2, "call a tool in every round" },
	{ "echo", NUMBER, AT(echo), 0, 1,
	    "say what the user said last (2: all of the prompt)" },
	{ "flaky", NUMBER, AT(flaky), 0, 5,
	    "N of 100 answers are 500, 529, cut, reset or an error event" },
	{ "badjson", FLAG, AT(bad_json), 0, 1, "an event that is no JSON" },
	{ "wrongtype", FLAG, AT(wrong_type), 0, 1, "JSON of the wrong types" },
	{ "huge", FLAG, AT(huge), 0, 1, "200 MB of body" },
	{ "headers", FLAG, AT(headers), 0, 1, "100,000 headers" },
	{ "gzip", FLAG, AT(gzip), 0, 1, "a compressed body nobody asked for" },
	{ "html", FLAG, AT(html), 0, 1, "a page instead of JSON" },
	{ "json", FLAG, AT(json), 0, 1, "whole JSON though asked to stream" },
	{ "refuse", FLAG, AT(refuse), 0, 1, "a refusal" },
	{ "length", FLAG, AT(length), 0, 1, "ends at the token limit" },
	{ "nousage", FLAG, AT(no_usage), 0, 1, "no usage" },
	{ "nodone", FLAG, AT(no_done), 0, 1, "no end marker" },
	{ "nofinish", FLAG, AT(no_finish), 0, 1,
	    "no finish and no end marker" },
	{ "crlf", FLAG, AT(crlf), 0, 1, "CRLF line ends" },
	{ "close", FLAG, AT(close), 0, 1, "Connection: close" },
	{ "quota", FLAG, AT(quota), 0, 1,
	    "the account's quota is used up: 429 insufficient_quota, of "
	    "Anthropic 402 billing_error" },
	{ "credit", FLAG, AT(credit), 0, 1,
	    "the same with the code credit_balance_exhausted" },
	{ "noretry", FLAG, AT(no_retry), 0, 1, "x-should-retry: false" },
#undef AT
};

/* Words that only make names readable. */
static const char *const noise[] = { "mock", "after", "first", "at", "by",
	"once", "status" };

static void
put(struct plan *p, const struct word *w, size_t at, int v)
{
	if (w->kind == FLAG) {
		bool yes = v != 0;
		memcpy((char *)p + at, &yes, sizeof(yes));
	} else {
		memcpy((char *)p + at, &v, sizeof(v));
	}
}

static bool
is_noise(const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (strlen(noise[i]) == n && memcmp(noise[i], s, n) == 0)
			return true;
	return false;
}

static const struct word *
word_find(const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == n &&
		    memcmp(words[i].word, s, n) == 0)
			return &words[i];
	return NULL;
}

/* The decimal number at ${*s}, which moves on; false: too large. */
static bool
number(const char **s, int *v)
{
	long n = 0;

	for (; **s >= '0' && **s <= '9'; (*s)++) {
		n = n * 10 + (**s - '0');
		if (n > INT_MAX)
			return false;
	}
	*v = (int)n;
	return true;
}

/* A number after the word ${last}, or a status. */
static bool
take_number(struct plan *p, const struct word *last, const char *t)
{
	int v, v2;

	if (!number(&t, &v))
		return false;
	if (last && last->kind != FLAG) {
		put(p, last, last->at, v);
		if (last->kind == PAIR && *t == 'x') {
			t++;
			if (!number(&t, &v2))
				return false;
			put(p, last, last->at2, v2);
		}
	} else if (v >= 300 && v <= 599) {
		p->status = v;
	} else {
		return false;
	}
	return *t == '\0';
}

bool
plan_parse(struct plan *p, const char *s, size_t n)
{
	const struct word *last = NULL;
	char text[PLAN_WORDS];
	char *save, *t;

	if (n >= sizeof text)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	for (t = strtok_r(text, "-", &save); t;
	     t = strtok_r(NULL, "-", &save)) {
		if (*t >= '0' && *t <= '9') {
			if (!take_number(p, last, t))
				return false;
			last = NULL;
		} else if (!is_noise(t, strlen(t))) {
			last = word_find(t, strlen(t));
			if (!last)
				return false;
			put(p, last, last->at, last->without);
		}
	}
	/* Parts are never more than the whole. */
	if (p->cached > p->in)
		p->cached = p->in;
	if (p->reasoning > p->out)
		p->reasoning = p->out;
	if ((p->quota || p->credit) && p->status == 200)
		p->status = 429;
	return p->chunks <= CHUNKS_MOST;
}

void
plan_flaky(struct plan *p, unsigned long nth)
{
	unsigned long share = (unsigned long)p->flaky;

	if (nth * share % 100 >= share)
		return;
	switch (nth * share / 100 % 5) {
	case 0:
		p->status = 500;
		break;
	case 1:
		p->cut_at = 1;
		break;
	case 2:
		p->rst_at = 1;
		break;
	case 3:
		p->error_at = 1;
		break;
	default:
		p->status = 529;
	}
}

bool
simulate_word(size_t i, const char **name, const char **help)
{
	if (i == 0) {
		*name = "300..599";
		*help = "that status, with the vendor's error body";
		return true;
	}
	if (i > sizeof(words) / sizeof(words[0]))
		return false;
	*name = words[i - 1].word;
	*help = words[i - 1].help;
	return true;
}

bool
simulate_plan_ok(const char *text)
{
	struct plan p;

	plan_default(&p);
	return plan_parse(&p, text, strlen(text));
}

int
simulate_script(const char *key, size_t n, const char *plan, struct err *e)
{
	static const int64_t as_it_is[RATES] = { -1, -1, -1 };

	if (!simulate_plan_ok(plan))
		return err_set(
		    e, ERR_INVALID, "\"%s\" are no words of a behaviour", plan);
	if (!meter_set(key, n, plan, 0, as_it_is))
		return err_set(e, ERR_INVALID,
		    "a key has 1 to %d characters, and 255 can be set",
		    SIMULATE_KEY - 1);
	return 0;
}
