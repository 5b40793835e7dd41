/*
 * builtin:concierge: answers without a model and without the network, from
 * what retrieval found.  It says only what stands in a passage, names where,
 * and says plainly when nothing answers the question.  The same request always
 * gets the same answer.
 */
#include <string.h>

#include "llm/concierge_priv.h"
#include "llm/provider_priv.h"
#include "util/str.h"

#include "util/banned.h"

#define ANSWER_MAX ((size_t)8192)
#define SENTENCE_MAX ((size_t)320)
#define PASSAGES_TOLD 3
#define OVERVIEW_TOLD 6
/* From here on the search's own judgement helps. */
#define SCORE_SURE 0.6
#define PIECE 32 /* bytes said at once, about */

struct answer {
	const struct llm_request *rq;
	struct words all, content; /* of the question */
	bool price;
	struct buf out;
};

struct ranked {
	const struct llm_passage *p;
	int score;
	int covered; /* words of the question it holds */
};

static const char *
company(const struct llm_request *rq)
{
	return rq->account_name && *rq->account_name ? rq->account_name : "our";
}

static const char *
possessive(const struct llm_request *rq)
{
	if (!rq->account_name || !*rq->account_name)
		return "";
	return rq->account_name[strlen(rq->account_name) - 1] == 's' ? "'"
	                                                             : "'s";
}

static const struct llm_message *
user_message(const struct llm_request *rq, int back)
{
	for (int i = rq->nmessages - 1; i >= 0; i--)
		if (rq->messages[i].role == LLM_USER && back-- == 0)
			return &rq->messages[i];
	return NULL;
}

/* Words of what was asked before, for a question that points back to it. */
static void
remember(struct answer *a)
{
	struct words all, content;

	for (int back = 1; back <= 2; back++) {
		const struct llm_message *m = user_message(a->rq, back);
		if (!m || !m->text)
			return;
		words_read(&all, m->text, m->len);
		words_content(&all, &content);
		for (int i = 0; i < content.n && a->content.n < WORDS_MAX; i++)
			if (!words_have(&a->content, content.word[i]))
				memcpy(a->content.word[a->content.n++],
				    content.word[i], WORD_SIZE);
		if (content.n > 0)
			return;
	}
}

/* Passages. */

static const char *
title_of(const struct llm_passage *p)
{
	return p->title ? p->title : "";
}

static const char *
text_of(const struct llm_passage *p)
{
	return p->text ? p->text : "";
}

static bool
is_product(const struct llm_passage *p)
{
	return p->kind && strcmp(p->kind, "product") == 0;
}

/*
 * How well a passage answers; false: not at all.  It shares a third of the
 * question's words, or it is a product that the question names, or it shares
 * one and the search is sure of it.
 */
static bool
rank_one(const struct answer *a, const struct llm_passage *p, struct ranked *r)
{
	int title = words_found(&a->content, title_of(p), strlen(title_of(p)));
	int text = words_found(&a->content, text_of(p), strlen(text_of(p)));

	r->p = p;
	r->covered = text > title ? text : title;
	r->score = 3 * title + 2 * text;
	if (a->price && r->score > 0 && sentence_price(text_of(p)).n > 0)
		r->score += 2;
	if (r->covered == 0)
		return false;
	return r->covered * 3 >= a->content.n || p->score >= SCORE_SURE ||
	       (title > 0 && is_product(p));
}

/* The passages that answer, best first; none that is far behind the best. */
static int
rank(const struct answer *a, struct ranked *best)
{
	struct ranked r;
	int n = 0;

	for (int i = 0; i < a->rq->npassages; i++) {
		if (!rank_one(a, &a->rq->passages[i], &r))
			continue;
		int k = n < PASSAGES_TOLD ? n++ : PASSAGES_TOLD;
		/* Equal ones stay in the order of the search. */
		while (k > 0 && best[k - 1].score < r.score) {
			if (k < PASSAGES_TOLD)
				best[k] = best[k - 1];
			k--;
		}
		if (k < PASSAGES_TOLD)
			best[k] = r;
	}
	for (int i = 1; i < n; i++)
		if (best[i].score * 5 < best[0].score * 3)
			n = i;
	return n;
}

static void
add_sentence(struct buf *b, struct sentence x)
{
	size_t n = x.n;

	if (n > SENTENCE_MAX) {
		n = str_utf8_prefix(x.s, SENTENCE_MAX);
		while (n > 0 && x.s[n] != ' ')
			n--;
		if (n == 0)
			n = str_utf8_prefix(x.s, SENTENCE_MAX);
		buf_add(b, x.s, n);
		buf_adds(b, "\xe2\x80\xa6");
		return;
	}
	buf_add(b, x.s, n);
	if (n > 0 && !strchr(".!?:", x.s[n - 1]))
		buf_addc(b, '.');
}

static void
add_passage(struct answer *a, const struct ranked *r, bool first)
{
	const struct llm_passage *p = r->p;
	bool product = is_product(p);
	struct sentence s[2], cost = { "", 0 };
	int n =
	    sentences_pick(text_of(p), &a->content, a->price, s, first ? 2 : 1);

	if (product || a->price)
		cost = sentence_price(text_of(p));
	buf_addf(&a->out, "**%s**:", title_of(p));
	for (int i = 0; i < n; i++) {
		buf_addc(&a->out, ' ');
		add_sentence(&a->out, s[i]);
		if (s[i].s == cost.s)
			cost.n = 0; /* said */
	}
	if (cost.n > 0) {
		buf_addc(&a->out, ' ');
		add_sentence(&a->out, cost);
	}
	buf_addf(&a->out, " [%d]", p->n);
}

/* Is a price asked for that no passage names? */
static bool
price_unknown(const struct answer *a, const struct ranked *best, int n)
{
	for (int i = 0; i < n; i++)
		if (sentence_price(text_of(best[i].p)).n > 0)
			return false;
	return a->price;
}

static void
say_nothing_found(struct answer *a)
{
	buf_addf(&a->out,
	    "I could not find an answer to that in %s%s products and "
	    "documents, and I would rather not guess. Which product or topic "
	    "do you mean? If you put it in other words, I will look again.",
	    company(a->rq), possessive(a->rq));
}

/* What the passages hold is not known. */
static void
say_search_away(struct answer *a)
{
	buf_addf(&a->out,
	    "I cannot look anything up in %s%s products and documents at the "
	    "moment, and I would rather not guess. Please ask me again in a "
	    "few minutes.",
	    company(a->rq), possessive(a->rq));
}

static void
say_answer(struct answer *a)
{
	struct ranked best[PASSAGES_TOLD];
	int n = rank(a, best);

	if (words_greets(&a->all))
		buf_adds(&a->out, "Hello! ");
	if (n == 0) {
		if (a->rq->search_away)
			say_search_away(a);
		else
			say_nothing_found(a);
		return;
	}
	if (price_unknown(a, best, n))
		buf_addf(&a->out,
		    "I found no price for that in %s%s products and documents. "
		    "This is what they say:\n\n",
		    company(a->rq), possessive(a->rq));
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_adds(&a->out, "\n\n");
		add_passage(a, &best[i], i == 0);
	}
	if (is_product(best[0].p))
		buf_addf(&a->out, "\n\nWould you like to know more about %s?",
		    n > 1 ? "one of these" : "it");
}

/* The small talk of a good clerk. */

static void
say_hello(struct answer *a)
{
	const struct llm_request *rq = a->rq;

	buf_adds(&a->out, "Hello, and welcome");
	if (rq->account_name && *rq->account_name)
		buf_addf(&a->out, " to %s", rq->account_name);
	buf_adds(&a->out, "! ");
	if (rq->agent_name && *rq->agent_name)
		buf_addf(&a->out, "I am %s. ", rq->agent_name);
	buf_adds(&a->out, "What can I help you with today?");
}

static void
say_who(struct answer *a)
{
	const struct llm_request *rq = a->rq;

	buf_addf(&a->out, "I am %s, an automated assistant",
	    rq->agent_name && *rq->agent_name ? rq->agent_name
					      : "the concierge");
	if (rq->account_name && *rq->account_name)
		buf_addf(&a->out, " of %s", rq->account_name);
	buf_addf(&a->out,
	    ". I answer questions from %s%s products and documents, and I say "
	    "so when they hold no answer. What would you like to know?",
	    company(rq), possessive(rq));
}

static void
say_human(struct answer *a)
{
	struct ranked best[PASSAGES_TOLD];
	int n;

	buf_adds(&a->out,
	    "I am an automated assistant and cannot put you through to a "
	    "person myself.");
	/* A passage on how to reach somebody is what is wanted now. */
	words_read(&a->content, "contact", 7);
	n = rank(a, best);
	if (n > 0) {
		buf_adds(&a->out, " This may help:\n\n");
		add_passage(a, &best[0], true);
	} else {
		buf_adds(&a->out,
		    " If you tell me what it is about, I will gladly try to "
		    "help you here.");
	}
}

static void
say_which(struct answer *a)
{
	buf_addf(&a->out,
	    "Gladly. Which of %s%s products or topics do you mean? The more "
	    "precisely you tell me, the better I can look it up.",
	    company(a->rq), possessive(a->rq));
}

static void
say_overview(struct answer *a)
{
	int told = 0;

	/* Products when there are any, else what else there is. */
	for (int pass = 0; pass < 2 && told == 0; pass++)
		for (int i = 0; i < a->rq->npassages && told < OVERVIEW_TOLD;
		     i++) {
			struct ranked r = { .p = &a->rq->passages[i] };
			if (pass == 0 && !is_product(r.p))
				continue;
			buf_adds(&a->out,
			    told++ ? "\n- "
				   : "This is some of what I know:\n\n- ");
			add_passage(a, &r, false);
		}
	if (told == 0 && a->rq->search_away)
		say_search_away(a);
	else if (told == 0)
		say_which(a);
	else
		buf_adds(
		    &a->out, "\n\nWhich of these may I tell you more about?");
}

static void
compose(struct answer *a)
{
	const struct llm_message *m = user_message(a->rq, 0);
	enum intent intent;

	words_read(&a->all, m && m->text ? m->text : "", m ? m->len : 0);
	intent = words_intent(&a->all);
	words_content(&a->all, &a->content);
	a->price = words_about_price(&a->all);
	if (intent == ASK_VAGUE ||
	    (intent == ASK_QUESTION && a->content.n <= 2 &&
		words_refers(&a->all))) {
		remember(a);
		if (intent == ASK_VAGUE && a->content.n > 0)
			intent = ASK_QUESTION;
	}
	switch (intent) {
	case ASK_NOTHING:
	case ASK_VAGUE:
		say_which(a);
		break;
	case ASK_GREETING:
		say_hello(a);
		break;
	case ASK_OVERVIEW:
		say_overview(a);
		break;
	case ASK_THANKS:
		buf_adds(&a->out,
		    "You are welcome! Is there anything else I can do for "
		    "you?");
		break;
	case ASK_BYE:
		buf_adds(&a->out, "Goodbye, and thank you for your visit!");
		break;
	case ASK_IDENTITY:
		say_who(a);
		break;
	case ASK_HUMAN:
		say_human(a);
		break;
	case ASK_QUESTION:
		say_answer(a);
		break;
	}
}

/* Hand it out in pieces of a few words. */
static int
speak(struct llm_stream *s, const char *p, size_t n)
{
	int rc = 0;

	while (n > 0 && rc == 0) {
		size_t k = n < PIECE ? n : PIECE;
		while (k < n && p[k - 1] != ' ' && p[k - 1] != '\n')
			k++;
		rc = stream_text(s, p, k);
		p += k;
		n -= k;
	}
	return rc;
}

static int
concierge_complete(
    const struct llm_request *rq, struct llm_stream *s, struct err *e)
{
	struct answer a = { .rq = rq };
	struct llm_sink *sink = s->sink;

	buf_init(&a.out, s->tmp, ANSWER_MAX);
	compose(&a);
	if (sink && sink->cancel && atomic_load(sink->cancel)) {
		s->gone = true;
		return err_set(e, ERR_CANCELLED, "stopped on request");
	}
	if (speak(s, a.out.data, a.out.len) != 0)
		return err_set(e, ERR_GONE, "the reader left");
	stream_finish(s, LLM_STOP);
	return 0;
}

static bool
concierge_knows(const char *name)
{
	return strcmp(name, "concierge") == 0;
}

const struct llm_provider llm_builtin = {
	.name = "builtin",
	.knows = concierge_knows,
	.complete = concierge_complete,
};
