/*
 * Which words of a question are searched for.  PostgreSQL's own stop words go
 * later; here go those of conversation, which the text of a catalogue may
 * well hold ("tell your doctor", "free help line") and which would make every
 * polite question find something.
 */
#include "knowledge/words.h"

#include <stdlib.h>
#include <string.h>

#include "util/banned.h"

/* Sorted, for bsearch(). */
static const char *const idle[] = { "a", "about", "afternoon", "again", "all",
	"also", "am", "an", "and", "another", "any", "anyone", "anything",
	"are", "as", "ask", "at", "be", "been", "bye", "can", "could", "dear",
	"did", "do", "does", "eh", "else", "evening", "explain", "find",
	"first", "for", "from", "get", "give", "go", "good", "got", "great",
	"had", "has", "have", "he", "hello", "help", "her", "here", "hey", "hi",
	"him", "his", "how", "i", "if", "in", "information", "interested", "is",
	"it", "its", "just", "kind", "know", "later", "let", "like", "list",
	"look", "looking", "many", "may", "maybe", "me", "mean", "might",
	"more", "morning", "much", "must", "my", "need", "no", "not", "now",
	"of", "ok", "okay", "on", "one", "ones", "or", "other", "our", "over",
	"please", "question", "really", "say", "see", "shall", "she", "should",
	"show", "so", "some", "somebody", "someone", "something", "sorry",
	"such", "sure", "talk", "tell", "than", "thank", "thanks", "that",
	"the", "their", "them", "then", "there", "these", "they", "thing",
	"things", "think", "this", "those", "to", "too", "try", "understand",
	"us", "use", "very", "want", "was", "we", "well", "were", "what",
	"when", "where", "which", "who", "why", "will", "wish", "with",
	"wonder", "would", "yes", "you", "your", "yours" };

/* A question of nothing but these asks what there is. */
static const char *const overview[] = { "assortment", "available", "catalog",
	"catalogue", "documents", "items", "offer", "offered", "offers",
	"portfolio", "product", "products", "range", "sell", "selling",
	"service", "services" };

static int
compare(const void *key, const void *entry)
{
	return strcmp(key, *(const char *const *)entry);
}

/* Is ${word} (lower case) one of conversation, or a pronoun, that says nothing
 * about a subject? */
static bool
is_idle(const char *word)
{
	return bsearch(word, idle, sizeof(idle) / sizeof(*idle), sizeof(*idle),
		   compare) != NULL;
}

static bool
is_overview(const char *word)
{
	return bsearch(word, overview, sizeof(overview) / sizeof(*overview),
		   sizeof(*overview), compare) != NULL;
}

static bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(unsigned char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* Does the byte at ${p}, which is no word byte, hold two halves together? */
static bool
joins(const char *start, const char *p)
{
	if (p == start)
		return false;
	unsigned char before = (unsigned char)p[-1];
	unsigned char after = (unsigned char)p[1];

	if (*p == '.')
		return is_digit(before) && is_digit(after);
	return (*p == '-' || *p == '_') && is_word(before) && is_word(after);
}

/* Length of the word at ${p}, which begins with a word byte. */
static size_t
word_length(const char *p)
{
	size_t n = 0;

	while (is_word((unsigned char)p[n]) || (p[n] && joins(p, p + n)))
		n++;
	return n;
}

void
words_of(const char *question, struct words *out)
{
	size_t len = 0;
	bool named = false, general = false;

	out->n = 0;
	for (const char *p = question; *p && out->n < WORDS_MAX;) {
		if (!is_word((unsigned char)*p)) {
			/* "don't", "what's": the end of those is no word */
			bool after = *p == '\'' && p > question &&
			             is_word((unsigned char)p[-1]);
			size_t end = after ? word_length(p + 1) : 0;

			p += end <= 2 ? 1 + end : 1;
			continue;
		}
		size_t n = word_length(p);
		char lower[64];

		if (n < sizeof(lower)) {
			for (size_t i = 0; i < n; i++)
				lower[i] = p[i] >= 'A' && p[i] <= 'Z'
				               ? (char)(p[i] + ('a' - 'A'))
				               : p[i];
			lower[n] = '\0';
			if (!is_idle(lower) &&
			    len + n + 2 < sizeof(out->text)) {
				if (is_overview(lower))
					general = true;
				else
					named = true;
				memcpy(out->text + len, p, n);
				len += n;
				out->text[len++] = ' ';
				out->n++;
			}
		}
		p += n;
	}
	out->text[len > 0 ? len - 1 : 0] = '\0';
	out->overview = general && !named;
}
