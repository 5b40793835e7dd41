/* The concierge's reading: words, what they ask for, sentences that answer. */
#ifndef LLM_CONCIERGE_PRIV_H
#define LLM_CONCIERGE_PRIV_H

#include <stdbool.h>
#include <stddef.h>

struct llm_passage;

#define WORDS_MAX 64
#define WORD_SIZE 32

/* The words of a text in lower case; of long texts the first ones. */
struct words {
	int n;
	char word[WORDS_MAX][WORD_SIZE];
};

enum intent {
	ASK_NOTHING, /* no words at all */
	ASK_GREETING,
	ASK_THANKS,
	ASK_BYE,
	ASK_IDENTITY, /* who are you, what can you do */
	ASK_HUMAN,
	ASK_OVERVIEW, /* what there is at all */
	ASK_VAGUE,    /* words, but none that could be looked for */
	ASK_QUESTION,
};

/* A sentence of a passage. */
struct sentence {
	const char *s;
	size_t n;
};

void words_read(struct words *, const char *text, size_t len);
bool words_have(const struct words *, const char *word);
/* Only those that say what is asked for, each once. */
void words_content(const struct words *all, struct words *out);
/* Does the text begin with a greeting (and go on)? */
bool words_greets(const struct words *);
bool words_about_price(const struct words *);
/* Does it point back ("it", "that one", "and the other")? */
bool words_refers(const struct words *);
enum intent words_intent(const struct words *);

/* How many of the words stand in the text, in some form. */
int words_found(const struct words *, const char *text, size_t len);

/*
 * The best ${max} sentences of ${text} for the words, in the text's order;
 * with ${price} those that name one come first.  Returns how many.
 */
int sentences_pick(const char *text, const struct words *, bool price,
    struct sentence *out, int max);
/* The first sentence or fragment that names a price; n is 0 when none does. */
struct sentence sentence_price(const char *text);

#endif
