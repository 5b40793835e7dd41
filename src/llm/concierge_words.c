/*
 * Words for the concierge.  English, ASCII case; other letters are kept as
 * they are, so that names in any language are found as they are written.
 */
#include "llm/concierge_priv.h"

#include <stdint.h>
#include <string.h>

#include "util/banned.h"

/* Words that are said in nearly every question and name nothing. */
static const char *const stop[] = { "a", "about", "again", "all", "also", "am",
	"an", "and", "any", "anything", "are", "as", "ask", "at", "be", "been",
	"but", "by", "can", "could", "did", "do", "does", "doing", "else",
	"explain", "find", "for", "from", "get", "give", "go", "got", "had",
	"has", "have", "help", "her", "here", "him", "his", "how", "i", "if",
	"in", "info", "information", "into", "is", "it", "its", "just", "kind",
	"know", "let", "like", "look", "looking", "make", "many", "may", "me",
	"mean", "more", "most", "much", "my", "need", "no", "not", "of",
	"offer", "on", "one", "ones", "or", "other", "our", "out", "please",
	"question", "questions", "really", "said", "same", "say", "see", "sell",
	"shall", "she", "should", "show", "so", "some", "something", "sort",
	"still", "such", "tell", "than", "that", "the", "their", "them", "then",
	"there", "these", "they", "thing", "things", "this", "those", "to",
	"too", "up", "us", "use", "very", "want", "was", "we", "well", "were",
	"what", "whats", "when", "where", "which", "who", "why", "will", "with",
	"would", "yes", "you", "your", "yours", "s", "t", "m", "re", "d", "ll",
	"ve", NULL };

static const char *const greet[] = { "hi", "hello", "hey", "howdy", "hiya",
	"greetings", "welcome", "morning", "afternoon", "evening", "hola",
	"hallo", NULL };
static const char *const thank[] = { "thanks", "thank", "thx", "ty", "cheers",
	NULL };
static const char *const bye[] = { "bye", "goodbye", "farewell", "ciao", NULL };
/* What may stand beside those without making them a question. */
static const char *const polite[] = { "there", "good", "day", "all", "everyone",
	"team", "so", "very", "much", "you", "a", "lot", "again", "for", "your",
	"help", "the", "ok", "okay", "great", "perfect", "nice", "now", "then",
	"and", "to", "have", "see", "later", "dear", "sir", "madam", "that",
	"s", "is", "was", "helpful", "wonderful", "super", "cool", "yes", "no",
	"well", "how", "are", "doing", "today", "i", "am", "im", "just", "my",
	"friend", "appreciated", "many", "it", "this", "information", "info",
	NULL };
static const char *const price[] = { "price", "prices", "priced", "pricing",
	"cost", "costs", "expensive", "cheap", "cheaper", "cheapest", "fee",
	"fees", "rate", "rates", "quote", NULL };
static const char *const refer[] = { "it", "its", "that", "this", "they",
	"them", "these", "those", "one", "ones", "their", "same", "other",
	NULL };
/* Words for all there is, when nothing else is named. */
static const char *const offers[] = { "sell", "sells", "offer", "offers",
	"product", "products", "catalogue", "catalog", "range", "assortment",
	"portfolio", "item", "items", "goods", "service", "services", "list",
	"topics", "documents", "articles", "overview", NULL };
static const char *const people[] = { "human", "person", "agent",
	"representative", "rep", "somebody", "someone", "staff", "operator",
	"advisor", "adviser", "colleague", "salesperson", NULL };
static const char *const reach[] = { "speak", "talk", "call", "contact",
	"reach", "connect", "transfer", "real", "live", "phone", NULL };

static bool
in_list(const char *const *list, const char *w)
{
	for (; *list; list++)
		if (strcmp(*list, w) == 0)
			return true;
	return false;
}

static bool
is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c >= 0x80;
}

/* The next word of s[*at..len): where it lies, its length; false: none. */
static bool
next_word(const char *s, size_t len, size_t *at, size_t *from, size_t *n)
{
	while (*at < len && !is_letter((unsigned char)s[*at]))
		++*at;
	*from = *at;
	while (*at < len && is_letter((unsigned char)s[*at]))
		++*at;
	*n = *at - *from;
	return *n > 0;
}

static void
lower(char *out, size_t size, const char *s, size_t n)
{
	size_t k = 0;

	for (; k < n && k + 1 < size; k++)
		out[k] = s[k] >= 'A' && s[k] <= 'Z' ? (char)(s[k] + 32) : s[k];
	out[k] = '\0';
}

void
words_read(struct words *w, const char *text, size_t len)
{
	size_t at = 0, from, n;

	w->n = 0;
	while (w->n < WORDS_MAX && next_word(text, len, &at, &from, &n))
		lower(w->word[w->n++], WORD_SIZE, text + from, n);
}

bool
words_have(const struct words *w, const char *word)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->word[i], word) == 0)
			return true;
	return false;
}

void
words_content(const struct words *all, struct words *out)
{
	out->n = 0;
	for (int i = 0; i < all->n; i++) {
		const char *s = all->word[i];
		if (in_list(stop, s) || in_list(price, s) ||
		    (s[1] == '\0' && (unsigned char)s[0] < 0x80) ||
		    words_have(out, s))
			continue;
		memcpy(out->word[out->n++], s, WORD_SIZE);
	}
}

static bool
any_of(const struct words *w, const char *const *list)
{
	for (int i = 0; i < w->n; i++)
		if (in_list(list, w->word[i]))
			return true;
	return false;
}

static bool
within(const struct words *w, const char *const *list)
{
	for (int i = 0; i < w->n; i++)
		if (!in_list(list, w->word[i]))
			return false;
	return true;
}

/* Nothing but courtesies? */
static bool
small_talk(const struct words *w)
{
	for (int i = 0; i < w->n; i++)
		if (!in_list(polite, w->word[i]) &&
		    !in_list(greet, w->word[i]) &&
		    !in_list(thank, w->word[i]) && !in_list(bye, w->word[i]))
			return false;
	return true;
}

bool
words_greets(const struct words *w)
{
	return w->n > 0 && (in_list(greet, w->word[0]) ||
			       (w->n > 1 && strcmp(w->word[0], "good") == 0 &&
				   in_list(greet, w->word[1])));
}

bool
words_about_price(const struct words *w)
{
	return any_of(w, price) ||
	       (words_have(w, "how") && words_have(w, "much"));
}

bool
words_refers(const struct words *w)
{
	return any_of(w, refer);
}

static bool
pair(const struct words *w, const char *a, const char *b)
{
	for (int i = 0; i + 1 < w->n; i++)
		if (strcmp(w->word[i], a) == 0 &&
		    strcmp(w->word[i + 1], b) == 0)
			return true;
	return false;
}

static bool
about_us(const struct words *w, const struct words *content)
{
	if (content->n > 2)
		return false;
	return pair(w, "who", "are") || pair(w, "you", "do") ||
	       pair(w, "you", "help") || pair(w, "your", "name") ||
	       (pair(w, "are", "you") &&
		   (words_have(w, "bot") || words_have(w, "robot") ||
		       words_have(w, "human") || words_have(w, "ai") ||
		       words_have(w, "real") || words_have(w, "machine")));
}

enum intent
words_intent(const struct words *w)
{
	struct words content;

	if (w->n == 0)
		return ASK_NOTHING;
	words_content(w, &content);
	if (small_talk(w)) {
		if (any_of(w, bye) || pair(w, "see", "you"))
			return ASK_BYE;
		if (any_of(w, thank))
			return ASK_THANKS;
		if (words_greets(w))
			return ASK_GREETING;
	}
	if (about_us(w, &content))
		return ASK_IDENTITY;
	if (any_of(w, people) && any_of(w, reach) && content.n <= 6)
		return ASK_HUMAN;
	if (any_of(w, offers) && within(&content, offers))
		return ASK_OVERVIEW;
	return content.n == 0 ? ASK_VAGUE : ASK_QUESTION;
}

/* Endings that make another form of the same word. */
static bool
is_ending(const char *s, size_t n)
{
	static const char *const endings[] = { "", "s", "es", "ed", "d", "e",
		"ing", "er", "ers", "y", "ies", "ly", "al", "ion", "ions",
		"ation", "ations", "ment", "ments", NULL };

	for (const char *const *p = endings; *p; p++)
		if (strlen(*p) == n && memcmp(*p, s, n) == 0)
			return true;
	return false;
}

static bool
same_word(const char *a, const char *b)
{
	size_t k = 0, an = strlen(a), bn = strlen(b);

	while (k < an && k < bn && a[k] == b[k])
		k++;
	if (k == an && k == bn)
		return true;
	/* Digits and short words have no forms but the plural's. */
	if (k < 4)
		return k >= 3 && ((k == an && strcmp(b + k, "s") == 0) ||
				     (k == bn && strcmp(a + k, "s") == 0));
	return is_ending(a + k, an - k) && is_ending(b + k, bn - k);
}

int
words_found(const struct words *w, const char *text, size_t len)
{
	bool seen[WORDS_MAX] = { false };
	size_t at = 0, from, n;
	int found = 0;
	char word[WORD_SIZE] = "";

	while (found < w->n && next_word(text, len, &at, &from, &n)) {
		lower(word, sizeof(word), text + from, n);
		for (int i = 0; i < w->n; i++)
			if (!seen[i] && same_word(w->word[i], word)) {
				seen[i] = true;
				found++;
			}
	}
	return found;
}
