/*
 * Telephone and card numbers.  Digits with separators are collected into
 * groups; then the groups are judged.  What is surely something else (a date,
 * an address, a decimal number, a time in seconds since 1970) is kept.
 */
#include <string.h>
#include <strings.h>

#include "telemetry/redact_priv.h"

#include "util/banned.h"

#define GROUPS 16
#define DIGITS 40
#define BYTES 80 /* of a candidate */

struct number {
	char digit[DIGITS];
	unsigned digits;
	unsigned start[GROUPS]; /* first digit of each group */
	size_t end[GROUPS];     /* where each ends in the text */
	unsigned groups;
	char sep[GROUPS]; /* first separator after each group */
	bool plus, paren;
	bool alone; /* nothing else stands in the text */
	bool named; /* a word like "phone" stands before it */
};

static unsigned
group_len(const struct number *c, unsigned g)
{
	return (g + 1 < c->groups ? c->start[g + 1] : c->digits) - c->start[g];
}

/* Bytes of a separator at s[i], 0 if none; *as is what it counts as. */
static size_t
separator(const char *s, size_t n, size_t i, char *as)
{
	if (i >= n)
		return 0;
	*as = s[i];
	if (s[i] != '\0' && strchr(" -./()", s[i]) != NULL)
		return 1;
	/* No-break space; hyphens, dashes and thin spaces of U+2009..202F. */
	*as = ' ';
	if (n - i >= 2 && memcmp(s + i, "\xc2\xa0", 2) == 0)
		return 2;
	if (n - i >= 3 && memcmp(s + i, "\xe2\x80", 2) == 0) {
		unsigned char c = (unsigned char)s[i + 2];

		if (c >= 0x90 && c <= 0x95)
			*as = '-';
		if ((c >= 0x89 && c <= 0x95) || c == 0xaf)
			return 3;
	}
	return 0;
}

/* The separators at s[i] up to a digit; their end, or ${i} if none follows. */
static size_t
gap_end(const char *s, size_t n, size_t i, struct number *c, char *first)
{
	size_t at = i, len;
	unsigned count = 0;
	char as;

	*first = '\0';
	while ((len = separator(s, n, at, &as)) > 0) {
		if (++count > 3)
			return i;
		if (*first == '\0')
			*first = as;
		if (as == '(' || as == ')')
			c->paren = true;
		at += len;
	}
	return at < n && redact_is_digit(s[at]) ? at : i;
}

static bool
collect(const char *s, size_t n, size_t at, struct number *c)
{
	size_t i = at, next;
	bool paren;
	char first;

	memset(c, 0, sizeof(*c));
	if (s[i] == '+') {
		c->plus = true;
		i++;
	}
	while (i < n && (s[i] == '(' || s[i] == ' ') && i - at < 3) {
		c->paren = c->paren || s[i] == '(';
		i++;
		if (i < n && s[i] == '+') {
			c->plus = true;
			i++;
		}
	}
	if (i >= n || !redact_is_digit(s[i]))
		return false;
	while (c->groups < GROUPS && i - at < BYTES) {
		c->start[c->groups] = c->digits;
		while (i < n && redact_is_digit(s[i])) {
			if (c->digits == DIGITS)
				return false;
			c->digit[c->digits++] = s[i++];
		}
		c->end[c->groups++] = i;
		paren = c->paren;
		next = gap_end(s, n, i, c, &first);
		if (next == i) {
			c->paren = paren;
			break;
		}
		c->sep[c->groups - 1] = first;
		i = next;
	}
	/* A group that a letter follows belongs to a word ("x": extension). */
	i = c->end[c->groups - 1];
	if (i < n && redact_is_word(s[i]) && s[i] != 'x' && s[i] != 'e') {
		c->groups--;
		c->digits = c->groups > 0 ? c->start[c->groups] : 0;
	}
	return c->groups > 0;
}

static unsigned
group_value(const struct number *c, unsigned g)
{
	unsigned v = 0;

	for (unsigned i = 0; i < group_len(c, g) && i < 9; i++)
		v = v * 10 + (unsigned)(c->digit[c->start[g] + i] - '0');
	return v;
}

/* The first three groups as a date, in either order. */
static bool
is_date(const struct number *c)
{
	unsigned year, month, day;

	if (c->groups < 3 || c->sep[0] != c->sep[1] || c->sep[0] == ' ' ||
	    c->plus || c->paren || group_len(c, 1) > 2)
		return false;
	if (group_len(c, 0) == 4 && group_len(c, 2) == 2) {
		year = group_value(c, 0);
		month = group_value(c, 1);
		day = group_value(c, 2);
	} else if (group_len(c, 0) <= 2 && group_len(c, 2) == 4) {
		year = group_value(c, 2);
		month = group_value(c, 1);
		day = group_value(c, 0);
		if (month > 12) {
			month = day;
			day = group_value(c, 1);
		}
	} else {
		return false;
	}
	return year >= 1900 && year < 2200 && month >= 1 && month <= 12 &&
	       day >= 1 && day <= 31;
}

/* Group ${g} as 20261122: part of many a version's name. */
static bool
is_short_date(const struct number *c, unsigned g)
{
	unsigned v = group_value(c, g);

	return group_len(c, g) == 8 && v / 10000 >= 1900 && v / 10000 < 2200 &&
	       v / 100 % 100 >= 1 && v / 100 % 100 <= 12 && v % 100 >= 1 &&
	       v % 100 <= 31;
}

static bool
is_ipv4(const struct number *c)
{
	if (c->groups < 4 || c->plus || c->paren)
		return false;
	for (unsigned g = 0; g < 4; g++)
		if (group_len(c, g) > 3 || group_value(c, g) > 255 ||
		    (g < 3 && c->sep[g] != '.'))
			return false;
	return c->groups == 4 || c->sep[3] != '.';
}

static bool
is_decimal(const struct number *c)
{
	return c->groups >= 2 && c->sep[0] == '.' && !c->plus && !c->paren &&
	       (c->groups == 2 || c->sep[1] != '.') &&
	       !(group_len(c, 0) == 3 && group_len(c, 1) == 4);
}

static bool
luhn(const char *digit, unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned d = (unsigned)(digit[n - 1 - i] - '0');

		if (i % 2 == 1)
			d = d > 4 ? d * 2 - 9 : d * 2;
		sum += d;
	}
	return sum % 10 == 0;
}

/* Any run of whole groups that is a card's number. */
static bool
is_card(const struct number *c)
{
	for (unsigned a = 0; a < c->groups; a++) {
		unsigned n = 0;
		char first = c->digit[c->start[a]];

		/* ISO/IEC 7812: what banks and merchants give out. */
		if (first < '2' || first > '6')
			continue;
		for (unsigned b = a; b < c->groups && n <= 19; b++) {
			n += group_len(c, b);
			if (n >= 13 && n <= 19 &&
			    luhn(c->digit + c->start[a], n))
				return true;
		}
		/* Written like one, with a slip of the pen. */
		if (c->groups - a >= 4 && group_len(c, a) == 4 &&
		    group_len(c, a + 1) == 4 && group_len(c, a + 2) == 4 &&
		    group_len(c, a + 3) == 4)
			return true;
	}
	return false;
}

/* One group, no signs: is it a telephone number rather than a count? */
static bool
is_phone_plain(const struct number *c, unsigned n)
{
	char first = c->digit[0];

	if (first == '0')
		return n >= 9 && n <= 17;
	if (c->alone)
		return false;
	/* Seconds since 1970 have 10 digits and start with 1, milliseconds
	 * 13; so do mobile numbers of China, with 11. */
	if (first == '1')
		return n == 11 && c->digit[1] >= '2';
	return n >= 10 && n <= 13;
}

static bool
all_groups(const struct number *c, unsigned len)
{
	for (unsigned g = 0; g < c->groups; g++)
		if (group_len(c, g) != len)
			return false;
	return true;
}

/* Groups with separators, neither plus nor parentheses. */
static bool
is_phone_grouped(const struct number *c)
{
	unsigned single = 0;
	char first = c->digit[0];

	for (unsigned g = 0; g < c->groups; g++) {
		single += group_len(c, g) == 1;
		if (is_short_date(c, g))
			return false;
	}
	if (single > 2)
		return false;
	if (first == '0')
		return c->digits >= 8;
	if (c->groups == 2 && c->sep[0] == '/')
		return false; /* a ratio */
	if (c->digits == 7)
		return c->groups == 2 && group_len(c, 0) == 3 &&
		       c->sep[0] != ' ';
	if (c->digits == 8)
		return c->groups == 2 && group_len(c, 0) == 4 &&
		       c->sep[0] == '-';
	if (c->digits < 9)
		return false;
	/* "200 201 404" are statuses, "612 345 678" is a number. */
	if (all_groups(c, 3) && c->sep[0] == ' ')
		return c->groups == 3 && first >= '6';
	return !(all_groups(c, 2) && c->sep[0] == ' ');
}

static bool
is_phone(const struct number *c)
{
	unsigned longest = 0;

	if (c->plus || c->paren)
		return c->digits >= 7;
	if (c->named && c->digits >= 6)
		return true;
	for (unsigned g = 0; g < c->groups; g++)
		if (group_len(c, g) > longest)
			longest = group_len(c, g);
	/* Counts side by side: the first is judged alone. */
	if (c->groups == 1 || (longest >= 10 && c->digit[0] != '0'))
		return is_phone_plain(c, group_len(c, 0));
	return is_phone_grouped(c);
}

/* Does a word that announces a telephone number stand shortly before? */
static bool
is_named(const char *s, size_t at)
{
	static const char *const words[] = { "tel", "phone", "mobil", "cell",
		"fax", "whatsapp", "call", "sms", "handy", "phon" };
	size_t from = at > 20 ? at - 20 : 0;

	for (size_t i = from; i < at; i++) {
		if (!redact_is_alpha(s[i]) ||
		    (i > 0 && redact_is_word(s[i - 1])))
			continue;
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
			size_t len = strlen(words[w]);

			if (i + len <= at &&
			    strncasecmp(s + i, words[w], len) == 0)
				return true;
		}
	}
	return false;
}

bool
redact_number(const char *s, size_t n, size_t at, struct redact_found *f)
{
	struct number c;
	size_t end;

	if (s[at] != '+' && s[at] != '(' && !redact_is_digit(s[at]))
		return false;
	if (!collect(s, n, at, &c))
		return false;
	end = c.end[c.groups - 1];
	c.alone = at == 0 && end == n;
	if (is_date(&c) || is_ipv4(&c) || is_decimal(&c)) {
		unsigned g = is_ipv4(&c) ? 3 : is_date(&c) ? 2 : 1;

		*f = (struct redact_found){ .keep = c.end[g] - at };
		return true;
	}
	if (is_card(&c)) {
		*f =
		    (struct redact_found){ .hide = end - at, .mask = "[card]" };
		return true;
	}
	c.named = is_named(s, at);
	if (is_phone(&c)) {
		*f = (struct redact_found){ .hide = end - at,
			.mask = "[phone]" };
		return true;
	}
	/* The first group is no part of one; the next may start one. */
	*f = (struct redact_found){ .keep = c.end[0] - at };
	return true;
}
