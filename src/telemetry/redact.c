/*
 * The redactor: a walk over the text that asks the matchers at the start of
 * each word.  Where in doubt it masks: a log line with a hole is a nuisance, a
 * secret in a log is an incident.  It keeps what logs are read for: UUIDs,
 * times, addresses of hosts, small numbers.
 */
#include <string.h>

#include "telemetry/log.h"
#include "telemetry/redact.h"
#include "telemetry/redact_priv.h"
#include "util/str.h"

#include "util/banned.h"

#define LOCAL_MOST 128 /* of an e-mail address; RFC 5321 says 64 */
#define DOMAIN_MOST 255
#define AUTHORITY_MOST 512

struct out {
	char *p;
	size_t len, max;
};

/* False when the room is used up: nothing after it matters. */
static bool
put(struct out *o, const char *s, size_t n)
{
	size_t room = o->max - 1 - o->len, fits = n < room ? n : room;

	memcpy(o->p + o->len, s, fits);
	o->len += fits;
	return fits == n;
}

/* Take away the start of a character whose rest did not fit. */
static void
trim(struct out *o)
{
	size_t at = o->len;

	for (int back = 0; back < 3 && at > 0; back++) {
		unsigned char c = (unsigned char)o->p[--at];

		if (c < 0x80)
			return;
		if (c >= 0xc0) {
			size_t need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

			if (o->len - at < need)
				o->len = at;
			return;
		}
	}
}

/* Does a word start at ${at}?  "%3D" and its like count as an end before. */
static bool
word_starts(const char *s, size_t at)
{
	if (at == 0 || !redact_is_word(s[at - 1]))
		return true;
	return at >= 3 && s[at - 3] == '%' && str_hex_digit(s[at - 2]) >= 0 &&
	       str_hex_digit(s[at - 1]) >= 0;
}

/* An id of ours: kept whole, digits and all. */
static bool
match_uuid(const char *s, size_t n, size_t at, struct redact_found *f)
{
	if (n - at < 36 || (n - at > 36 && redact_is_word(s[at + 36])))
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[at + i] != '-' : str_hex_digit(s[at + i]) < 0)
			return false;
	}
	*f = (struct redact_found){ .keep = 36 };
	return true;
}

/* "@" at s[i], or as an URL writes it; its length, or 0. */
static size_t
at_sign(const char *s, size_t n, size_t i)
{
	if (i < n && s[i] == '@')
		return 1;
	if (i + 3 <= n && memcmp(s + i, "%40", 3) == 0)
		return 3;
	return 0;
}

static bool
is_local(char c)
{
	return redact_is_word(c) || (c != '\0' && strchr(".%+-!#$^~*|", c)) ||
	       (unsigned char)c >= 0x80;
}

static size_t
domain_end(const char *s, size_t n, size_t at)
{
	size_t end = at;

	if (end < n && s[end] == '[') {
		while (end < n && end - at < DOMAIN_MOST && s[end] != ']')
			end++;
		return end < n && s[end] == ']' ? end + 1 : at;
	}
	while (end < n && end - at < DOMAIN_MOST &&
	       (redact_is_word(s[end]) || s[end] == '.' || s[end] == '-' ||
		   (unsigned char)s[end] >= 0x80))
		end++;
	/* The full stop of a sentence. */
	while (end > at && (s[end - 1] == '.' || s[end - 1] == '-'))
		end--;
	return end;
}

static bool
match_email(const char *s, size_t n, size_t at, struct redact_found *f)
{
	size_t end = at, sign, stop;

	if (s[at] == '"') {
		for (end++; end < n && s[end] != '"'; end++)
			if (end - at > LOCAL_MOST)
				return false;
		end++;
	} else {
		while (end < n && end - at < LOCAL_MOST && is_local(s[end]) &&
		       at_sign(s, n, end) == 0)
			end++;
	}
	sign = at_sign(s, n, end);
	if (end == at || sign == 0)
		return false;
	stop = domain_end(s, n, end + sign);
	if (stop == end + sign)
		return false;
	*f = (struct redact_found){ .hide = stop - at, .mask = "[email]" };
	return true;
}

/* End of what may hold a user and a password: up to ${stops} or white space. */
static size_t
authority_end(const char *s, size_t n, size_t at, const char *stops)
{
	size_t end = at;

	while (end < n && end - at < AUTHORITY_MOST &&
	       (unsigned char)s[end] > ' ' && strchr(stops, s[end]) == NULL)
		end++;
	return end;
}

/* The last "@" of s[from..to), or ${to}. */
static size_t
last_at(const char *s, size_t from, size_t to)
{
	for (size_t i = to; i > from; i--)
		if (s[i - 1] == '@')
			return i - 1;
	return to;
}

/* scheme://user:password@host; a password may hold what it should not. */
static bool
match_url(const char *s, size_t n, size_t at, struct redact_found *f)
{
	size_t i = at, start, end, sign, colon;

	if (!redact_is_alpha(s[at]))
		return false;
	while (i < n && i - at < 20 &&
	       (redact_is_word(s[i]) || s[i] == '+' || s[i] == '-'))
		i++;
	if (n - i < 3 || memcmp(s + i, "://", 3) != 0)
		return false;
	start = i + 3;
	end = authority_end(s, n, start, "/?#\"'<>");
	sign = last_at(s, start, end);
	if (sign == end) {
		/* "user:p/w@host": no port stands before the slash. */
		colon = start;
		while (colon < end && s[colon] != ':')
			colon++;
		while (colon < end &&
		       (s[colon] == ':' || redact_is_digit(s[colon])))
			colon++;
		if (colon == end)
			return false;
		end = authority_end(s, n, start, "\"'<>");
		sign = last_at(s, start, end);
		if (sign == end)
			return false;
	}
	*f = (struct redact_found){
		.keep = start - at, .hide = sign - start, .mask = "[secret]"
	};
	return f->hide > 0;
}

typedef bool matcher(const char *, size_t, size_t, struct redact_found *);

static bool
match(const char *s, size_t n, size_t at, struct redact_found *f)
{
	return match_uuid(s, n, at, f) || match_url(s, n, at, f) ||
	       redact_pair(s, n, at, f) || redact_token(s, n, at, f) ||
	       match_email(s, n, at, f) || redact_number(s, n, at, f);
}

static bool
match_random(const char *s, size_t n, size_t at, struct redact_found *f)
{
	return match(s, n, at, f) || redact_random(s, n, at, f);
}

static bool
match_secret(const char *s, size_t n, size_t at, struct redact_found *f)
{
	return match_uuid(s, n, at, f) || match_url(s, n, at, f) ||
	       redact_pair(s, n, at, f) || redact_token(s, n, at, f);
}

static void
walk(const char *in, size_t n, char *out, size_t max, matcher *matches)
{
	struct out o = { .p = out, .max = max };
	size_t at = 0;

	if (max == 0)
		return;
	while (at < n) {
		struct redact_found f = { .keep = 1 };

		if (word_starts(in, at) && !matches(in, n, at, &f))
			f = (struct redact_found){ .keep = 1 };
		if (!put(&o, in + at, f.keep) ||
		    (f.mask != NULL && !put(&o, f.mask, strlen(f.mask)))) {
			trim(&o);
			break;
		}
		at += f.keep + f.hide;
	}
	out[o.len] = '\0';
}

void
redact_text(const char *in, size_t n, char *out, size_t max, bool random)
{
	walk(in, n, out, max, random ? match_random : match);
}

void
redact_secrets(const char *in, size_t n, char *out, size_t max)
{
	walk(in, n, out, max, match_secret);
}

void
log_redact(const char *in, size_t n, char *out, size_t max)
{
	redact_text(in, n, out, max, true);
}
