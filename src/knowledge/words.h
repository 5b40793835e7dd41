/* The words of a question that are worth searching for. */
#ifndef KNOWLEDGE_WORDS_H
#define KNOWLEDGE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define WORDS_MAX 48
#define WORDS_SIZE 1024

struct words {
	char text[WORDS_SIZE]; /* separated by spaces */
	int n;                 /* words in text */
	bool overview;         /* asks what there is at all: "your products" */
};

/*
 * Take the words of ${question} (UTF-8): letters, digits and what is not
 * ASCII; '-', '_' and a decimal point only between two of them.  Everything
 * that could be query syntax becomes a space.  Words of conversation ("hello",
 * "please", "tell me about") are left out; so are words beyond WORDS_MAX.
 */
void words_of(const char *question, struct words *out);

#endif
