/*
 * Checked, whatever it is for: grammar, UTF-8, depth and number of values.  One
 * pass, no recursion, and nothing on the heap.
 */
#include "util/json_scan_priv.h"

#include <string.h>

#include "util/str.h"

#include "util/banned.h"

static bool
wrong(struct json_scan *s, size_t at, const char *why)
{
	s->at = at;
	if (at == s->len)
		s->why = "the text ends too early";
	else if (s->text[at] == '\0')
		s->why = "a NUL byte is not allowed";
	else
		s->why = why;
	return false;
}

static void
skip_space(struct json_scan *s)
{
	while (s->at < s->len &&
	       (s->text[s->at] == ' ' || s->text[s->at] == '\n' ||
		   s->text[s->at] == '\r' || s->text[s->at] == '\t'))
		s->at++;
}

static bool
is_digit(const struct json_scan *s, size_t at)
{
	return at < s->len && s->text[at] >= '0' && s->text[at] <= '9';
}

/* The escape whose backslash is at s->at. */
static bool
scan_escape(struct json_scan *s)
{
	size_t at = s->at;
	int v;

	s->escaped = true;
	if (at + 1 >= s->len)
		return wrong(s, s->len, NULL);
	if (s->text[at + 1] != 'u') {
		if (strchr("\"\\/bfnrt", s->text[at + 1]) == NULL ||
		    s->text[at + 1] == '\0')
			return wrong(s, at, "unknown escape");
		s->at += 2;
		return true;
	}
	v = str_hex4(s->text + at + 2, s->len - at - 2);
	if (v < 0)
		return wrong(s, at, "\\u wants four hex digits");
	if (v == 0)
		return wrong(s, at, "a NUL character is not allowed");
	s->at += 6;
	if (v >= 0xdc00 && v <= 0xdfff)
		return wrong(s, at, "lone surrogate");
	if (v < 0xd800 || v > 0xdbff)
		return true;
	if (s->at + 1 >= s->len || s->text[s->at] != '\\' ||
	    s->text[s->at + 1] != 'u')
		return wrong(s, at, "lone surrogate");
	v = str_hex4(s->text + s->at + 2, s->len - s->at - 2);
	if (v < 0xdc00 || v > 0xdfff)
		return wrong(s, at, "lone surrogate");
	s->at += 6;
	return true;
}

/* The string whose opening quote is at s->at. */
static bool
scan_string(struct json_scan *s)
{
	size_t n;

	s->at++;
	s->escaped = false;
	for (;;) {
		s->at += str_json_plain(s->text + s->at, s->len - s->at);
		if (s->at == s->len)
			return wrong(s, s->len, NULL);

		unsigned char c = (unsigned char)s->text[s->at];

		if (c == '"') {
			s->at++;
			return true;
		}
		if (c == '\\') {
			if (!scan_escape(s))
				return false;
			continue;
		}
		if (c < 0x20)
			return wrong(
			    s, s->at, "control characters must be escaped");
		n = c < 0x80 ? 1
		             : str_utf8_char(s->text + s->at, s->len - s->at);
		if (n == 0)
			return wrong(s, s->at, "not UTF-8");
		s->at += n;
	}
}

static bool
scan_number(struct json_scan *s)
{
	size_t at = s->at;

	if (s->text[at] == '-')
		at++;
	if (!is_digit(s, at))
		return wrong(s, at, "a number wants a digit here");
	if (s->text[at] == '0' && is_digit(s, at + 1))
		return wrong(s, at, "a number must not start with 0");
	while (is_digit(s, at))
		at++;
	if (at < s->len && s->text[at] == '.') {
		if (!is_digit(s, ++at))
			return wrong(s, at, "a number wants a digit here");
		while (is_digit(s, at))
			at++;
	}
	if (at < s->len && (s->text[at] | 32) == 'e') {
		at++;
		if (at < s->len && (s->text[at] == '+' || s->text[at] == '-'))
			at++;
		if (!is_digit(s, at))
			return wrong(s, at, "a number wants a digit here");
		while (is_digit(s, at))
			at++;
	}
	s->at = at;
	return true;
}

static bool
scan_word(struct json_scan *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if (s->len - s->at >= n &&
		    memcmp(s->text + s->at, words[i], n) == 0) {
			s->at += n;
			return true;
		}
	}
	return wrong(s, s->at, "a value was expected");
}

/* A key and its colon. */
static bool
scan_key(struct json_scan *s)
{
	size_t at;

	skip_space(s);
	if (s->at == s->len || s->text[s->at] != '"')
		return wrong(s, s->at, "a key in quotes was expected");
	at = s->at + 1;
	if (!scan_string(s))
		return false;
	if (s->doc)
		json_doc_key(s, s->text + at, s->at - 1 - at);
	skip_space(s);
	if (s->at == s->len || s->text[s->at] != ':')
		return wrong(s, s->at, "a colon was expected");
	s->at++;
	return true;
}

static bool
scan_scalar(struct json_scan *s, char c)
{
	bool good;

	if (c == '"')
		good = scan_string(s);
	else if (c == '-' || is_digit(s, s->at))
		good = scan_number(s);
	else
		good = scan_word(s);
	if (good && s->doc)
		json_doc_scalar(s);
	return good;
}

static void
scan_close(struct json_scan *s)
{
	s->at++;
	if (s->doc)
		json_doc_close(s);
	s->depth--;
}

/*
 * One value up to its first inner value: *open says that one follows.
 */
static bool
scan_value(struct json_scan *s, bool *open)
{
	char c;

	*open = false;
	skip_space(s);
	if (s->at == s->len)
		return wrong(s, s->at, NULL);
	if (++s->nodes > s->lim.nodes)
		return wrong(s, s->at, "too many values");
	c = s->text[s->at];
	if (s->doc)
		json_doc_begin(s);
	if (c != '{' && c != '[')
		return scan_scalar(s, c);
	if (s->depth >= s->lim.depth || s->depth >= JSON_DEPTH_MOST)
		return wrong(s, s->at, "nested too deeply");
	s->object[++s->depth] = c == '{';
	if (s->doc)
		json_doc_open(s);
	s->at++;
	skip_space(s);
	if (s->at < s->len && s->text[s->at] == (c == '{' ? '}' : ']')) {
		scan_close(s);
		return true;
	}
	*open = true;
	return c == '[' || scan_key(s);
}

/* After a value: close what ends here; *more says that another follows. */
static bool
scan_after(struct json_scan *s, bool *more)
{
	while (s->depth > 0) {
		bool object = s->object[s->depth];
		char c;

		skip_space(s);
		c = s->at < s->len ? s->text[s->at] : '\0';
		if (c == ',') {
			s->at++;
			*more = true;
			return !object || scan_key(s);
		}
		if (c != (object ? '}' : ']'))
			return wrong(s, s->at,
			    object ? "a comma or } was expected"
				   : "a comma or ] was expected");
		scan_close(s);
	}
	*more = false;
	return true;
}

bool
json_scan(struct json_scan *s)
{
	bool more = true;

	while (more) {
		bool open;

		if (!scan_value(s, &open))
			return false;
		if (!open && !scan_after(s, &more))
			return false;
	}
	skip_space(s);
	if (s->at == s->len)
		return true;
	return wrong(s, s->at, "something follows the end of the text");
}
