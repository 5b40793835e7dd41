/*
 * Sentences for the concierge: where they end, which of them answer, and which
 * one names a price.
 */
#include <string.h>

#include "llm/concierge_priv.h"

#include "util/banned.h"

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Is the word before the full stop at s[i] one that is written with one? */
static bool
abbreviated(const char *s, size_t i, size_t from)
{
	static const char *const list[] = { "Dr", "Mr", "Mrs", "Ms", "Prof",
		"St", "Nr", "No", "vs", "approx", "ca", "Fig", "incl", "excl",
		"max", "min", NULL };
	char word[8];
	size_t k = i;

	while (k > from && is_letter(s[k - 1]))
		k--;
	if (i - k >= sizeof(word))
		return false;
	memcpy(word, s + k, i - k);
	word[i - k] = '\0';
	/* A single letter is an initial, or the end of "e.g." */
	if (i - k == 1 && !is_digit(word[0]))
		return true;
	if (strcmp(word, "No") == 0)
		return s[i + 1] == ' ' && is_digit(s[i + 2]);
	for (const char *const *p = list; *p; p++)
		if (strcmp(*p, word) == 0)
			return true;
	return false;
}

/* Does a sentence end at s[i]?  "3.5", "e.g. this" and "No. 5" do not. */
static bool
sentence_ends(const char *s, size_t i, size_t from)
{
	if (s[i] == '\n')
		return true;
	if (s[i] != '.' && s[i] != '!' && s[i] != '?')
		return false;
	if (s[i + 1] != '\0' && !is_space(s[i + 1]))
		return false;
	if (s[i] != '.')
		return true;
	if (s[i + 1] != '\0' && abbreviated(s, i, from))
		return false;
	size_t k = i + 1;
	while (s[k] == ' ')
		k++;
	/* Abbreviations go on in lower case; sentences do not. */
	return !(s[k] >= 'a' && s[k] <= 'z');
}

/* The next sentence from *at; n 0 at the end. */
static struct sentence
sentence_next(const char *s, size_t *at)
{
	size_t i, from;

	while (
	    is_space(s[*at]) || s[*at] == '-' || s[*at] == '#' || s[*at] == '*')
		++*at;
	from = i = *at;
	while (s[i] && !sentence_ends(s, i, from))
		i++;
	*at = s[i] ? i + 1 : i;
	size_t end = s[i] && s[i] != '\n' ? i + 1 : i;
	while (end > from && is_space(s[end - 1]))
		end--;
	return (struct sentence){ s + from, end - from };
}

/* An amount of money: a sign or code beside a digit. */
static bool
names_price(const char *s, size_t n)
{
	static const char *const signs[] = { "$", "\xe2\x82\xac", "\xc2\xa3",
		"USD", "EUR", "GBP", "CHF", "SEK", "JPY", "\xc2\xa5" };

	for (size_t k = 0; k < sizeof(signs) / sizeof(signs[0]); k++) {
		const char *p = memmem(s, n, signs[k], strlen(signs[k]));
		if (!p)
			continue;
		const char *after = p + strlen(signs[k]);
		if (after < s + n && *after == ' ')
			after++;
		if (after < s + n && is_digit(*after))
			return true;
		if (p > s && (is_digit(p[-1]) || (p[-1] == ' ' && p > s + 1 &&
						     is_digit(p[-2]))))
			return true;
	}
	return false;
}

struct sentence
sentence_price(const char *text)
{
	size_t at = 0;
	struct sentence x;

	while ((x = sentence_next(text, &at)).n > 0)
		if (names_price(x.s, x.n))
			return x;
	return (struct sentence){ text, 0 };
}

int
sentences_pick(const char *text, const struct words *w, bool price_too,
    struct sentence *out, int max)
{
	int score[8] = { 0 }, n = 0;
	size_t at = 0;
	struct sentence x;

	if (max > 8)
		max = 8;
	while ((x = sentence_next(text, &at)).n > 0) {
		int found = words_found(w, x.s, x.n) * 4;
		if (price_too && names_price(x.s, x.n))
			found += 6;
		if (n > 0 && found == 0)
			continue;
		int low = 0;
		for (int i = 1; i < n; i++)
			if (score[i] < score[low])
				low = i;
		if (n < max) {
			out[n] = x;
			score[n++] = found;
		} else if (found > score[low]) {
			/* Keep the text's order. */
			for (int i = low; i + 1 < n; i++) {
				out[i] = out[i + 1];
				score[i] = score[i + 1];
			}
			out[n - 1] = x;
			score[n - 1] = found;
		}
	}
	/* The first sentence stood in while nothing better was known. */
	if (n > 1 && score[0] == 0) {
		memmove(out, out + 1, (size_t)(n - 1) * sizeof(*out));
		n--;
	}
	return n;
}
