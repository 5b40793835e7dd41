/*
 * The redactor's parts.  Each matcher looks at s[at], where a word starts, and
 * says what it knows.  Matchers look only so far ahead, so that the whole
 * stays linear in the length of the text.
 */
#ifndef TELEMETRY_REDACT_PRIV_H
#define TELEMETRY_REDACT_PRIV_H

#include <stdbool.h>
#include <stddef.h>

/* From ${at}: ${keep} bytes pass as they are, ${hide} become ${mask}. */
struct redact_found {
	size_t keep, hide;
	const char *mask;
};

/* Is all that stands under this key of a log line masked, whatever it is? */
bool redact_key(const char *key);

/* "password=...", "Authorization: ...", bearer tokens, private keys. */
bool redact_pair(const char *s, size_t n, size_t at, struct redact_found *);
/* Tokens known by how they start. */
bool redact_token(const char *s, size_t n, size_t at, struct redact_found *);
/* Long random texts: nothing told us what they are, but they are no words. */
bool redact_random(const char *s, size_t n, size_t at, struct redact_found *);
/* Telephone and card numbers; dates, addresses of hosts and the like are
 * recognised and kept. */
bool redact_number(const char *s, size_t n, size_t at, struct redact_found *);

/* As log_redact; ${random}: also long random texts. */
void redact_text(const char *in, size_t n, char *out, size_t max, bool random);

/* Letters and digits of ASCII, in this file's own way: no locale. */
static inline bool
redact_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
redact_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
redact_is_word(char c)
{
	return redact_is_digit(c) || redact_is_alpha(c) || c == '_';
}

#endif
