/*
 * Secrets: by the name they stand under, by how they start, or by looking
 * like nothing a person or a program would write otherwise.
 */
#include <string.h>
#include <strings.h>

#include "telemetry/redact.h"
#include "telemetry/redact_priv.h"

#include "util/banned.h"

#define NAME_MOST 64    /* of a key before "=" */
#define RANDOM_MOST 256 /* looked at to judge a text */
#define RANDOM_LEAST 32 /* shorter texts are not judged by their looks */

static const struct redact_found nothing;

static bool
ends_with(const char *s, size_t n, const char *end)
{
	size_t len = strlen(end);

	return n >= len && strncasecmp(s + n - len, end, len) == 0;
}

static bool
contains(const char *s, size_t n, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= n; i++)
		if ((s[i] | 0x20) == *part && /* in lower case, as all are */
		    strncasecmp(s + i, part, len) == 0)
			return true;
	return false;
}

/* Is ${end} the last word of the name? */
static bool
last_word(const char *s, size_t n, const char *end)
{
	size_t len = strlen(end);

	return ends_with(s, n, end) &&
	       (n == len || s[n - len - 1] == '_' || s[n - len - 1] == '-');
}

/* Does a value under this name have to be hidden? */
static bool
secret_name(const char *s, size_t n)
{
	/* What is said about a secret is none: api_key_id, password_file. */
	static const char *const about[] = { "_id", "_prefix", "_count",
		"_name", "_file", "_length", "-id" };
	static const char *const parts[] = { "password", "passwd", "passphrase",
		"secret", "apikey", "api_key", "api-key", "private_key",
		"private-key", "authorization", "cookie" };
	static const char *const ends[] = { "token", "pwd", "session_key",
		"session-key", "widget_key", "widget-key", "access_key",
		"access-key", "master_key", "signing_key", "totp", "otp",
		"credentials" };

	/* Shorter than the shortest above. */
	if (n < sizeof("pwd") - 1)
		return false;
	for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		if (ends_with(s, n, about[i]))
			return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (contains(s, n, parts[i]))
			return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (last_word(s, n, ends[i]))
			return true;
	return false;
}

bool
redact_names_secret(const char *name)
{
	return secret_name(name, strlen(name));
}

bool
redact_key(const char *key)
{
	/* What a visitor said or who he is: never in a log at all. */
	static const char *const whole[] = { "message", "reply", "prompt",
		"content", "body", "email", "e_mail", "phone", "telephone",
		"mobile", "card", "card_number", "first_name", "last_name",
		"full_name", "contact_name", "visitor_name", "address" };

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if ((key[0] | 0x20) == whole[i][0] &&
		    strcasecmp(key, whole[i]) == 0)
			return true;
	return secret_name(key, strlen(key));
}

static size_t
skip_spaces(const char *s, size_t n, size_t i)
{
	while (i < n && (s[i] == ' ' || s[i] == '\t'))
		i++;
	return i;
}

/* A quote at s[i], perhaps with a backslash from an outer text before it. */
static size_t
quote_len(const char *s, size_t n, size_t i)
{
	size_t k = i;

	while (k < n && s[k] == '\\' && k - i < 3)
		k++;
	return k < n && (s[k] == '"' || s[k] == '\'') ? k + 1 - i : 0;
}

/* "=", ":", "=>", "%3D" after a name; its end, or 0. */
static size_t
separator_end(const char *s, size_t n, size_t i)
{
	i += quote_len(s, n, i);
	i = skip_spaces(s, n, i);
	if (i + 3 <= n && strncasecmp(s + i, "%3d", 3) == 0)
		return i + 3;
	if (i >= n || (s[i] != '=' && s[i] != ':'))
		return 0;
	i++;
	if (i < n && s[i - 1] == '=' && s[i] == '>')
		i++;
	/* A scheme, or C++. */
	if (i < n && s[i - 1] == ':' && (s[i] == '/' || s[i] == ':'))
		return 0;
	return skip_spaces(s, n, i);
}

/* Does "&name=" stand at s[i]: the next field of a form? */
static bool
next_field(const char *s, size_t n, size_t i)
{
	size_t k = i + 1;

	while (k < n && k - i < NAME_MOST &&
	       (redact_is_word(s[k]) || s[k] == '-' || s[k] == '.'))
		k++;
	return k > i + 1 && k < n && s[k] == '=';
}

/* End of a value whose opening quote, ${quote} bytes, stands at ${at}. */
static size_t
quoted_end(const char *s, size_t n, size_t at, size_t quote)
{
	char q = s[at + quote - 1];

	for (size_t i = at + quote; i < n; i++) {
		/* An inner text's quotes all have their backslashes. */
		if (quote > 1 ? s[i] == '\\' && quote_len(s, n, i) == quote
			      : s[i] == q)
			return i;
		if (quote == 1 && s[i] == '\\')
			i++;
	}
	return n;
}

/* End of the value that starts at ${at}; ${line}: it goes to the line's end. */
static size_t
value_end(const char *s, size_t n, size_t at, bool line)
{
	size_t quote = quote_len(s, n, at), i = at;

	if (quote > 0)
		return quoted_end(s, n, at, quote);
	for (; i < n && s[i] != '\n' && s[i] != '\r' && s[i] != '"'; i++) {
		if (line)
			continue;
		if (s[i] == ' ' || s[i] == '\t' || s[i] == '\'' ||
		    s[i] == '<' || (s[i] == '&' && next_field(s, n, i)))
			break;
	}
	return i;
}

/* "bearer" and its token; the end of what is kept, or 0. */
static size_t
bearer_end(const char *s, size_t n, size_t at)
{
	size_t i = at + 6, k;

	if (n - at < 7 || strncasecmp(s + at, "bearer", 6) != 0)
		return 0;
	i = skip_spaces(s, n, i);
	if (i + 3 <= n && strncasecmp(s + i, "%20", 3) == 0)
		i += 3;
	for (k = i; k < n && (redact_is_word(s[k]) ||
				 (s[k] != '\0' && strchr("-.~+/=", s[k])));
	     k++)
		continue;
	/* Not "bearer token" or "bearer of". */
	return i > at + 6 && k - i >= 8 ? i : 0;
}

/* A whole block, or what there is of one. */
static bool
pem_key(const char *s, size_t n, size_t at, struct redact_found *f)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ";
	const char *p;

	if (n - at < sizeof(begin) - 1 ||
	    memcmp(s + at, begin, sizeof(begin) - 1) != 0)
		return false;
	*f = (struct redact_found){ .hide = n - at, .mask = "[secret]" };
	p = memmem(s + at, n - at, end, sizeof(end) - 1);
	if (p == NULL)
		return true;
	p += sizeof(end) - 1;
	p = memmem(p, (size_t)(s + n - p), "-----", 5);
	if (p != NULL)
		f->hide = (size_t)(p + 5 - (s + at));
	return true;
}

bool
redact_pair(const char *s, size_t n, size_t at, struct redact_found *f)
{
	size_t i = at, value, end;
	bool line;

	if (pem_key(s, n, at, f))
		return true;
	value = bearer_end(s, n, at);
	if (value > 0) {
		*f = (struct redact_found){ .keep = value - at,
			.hide = value_end(s, n, value, false) - value,
			.mask = "[secret]" };
		return true;
	}
	while (i < n && i - at < NAME_MOST &&
	       (redact_is_word(s[i]) || s[i] == '-'))
		i++;
	if (i == at)
		return false;
	/* Most words stand before no value, which is told sooner than what
	 * they mean. */
	value = separator_end(s, n, i);
	if (value == 0 || value >= n ||
	    !(secret_name(s + at, i - at) || last_word(s + at, i - at, "pass")))
		return false;
	line = contains(s + at, i - at, "authorization") ||
	       contains(s + at, i - at, "cookie");
	end = value_end(s, n, value, line);
	value += quote_len(s, n, value);
	if (end <= value)
		return false;
	*f = (struct redact_found){
		.keep = value - at, .hide = end - value, .mask = "[secret]"
	};
	return true;
}

static bool
is_token(char c)
{
	return redact_is_word(c) || (c != '\0' && strchr("-.+/=~$,:", c));
}

bool
redact_token(const char *s, size_t n, size_t at, struct redact_found *f)
{
	/* How it starts, and how much must follow. */
	static const struct {
		const char *start;
		size_t least;
	} starts[] = { { "sk-", 8 }, { "sk_", 8 }, { "pk_live", 8 },
		{ "pk_test", 8 }, { "rk_live", 8 }, { "sb_live_", 8 },
		{ "sb_test_", 8 }, { "sb_pub_", 8 }, { "sb_", 24 },
		{ "ghp_", 16 }, { "gho_", 16 }, { "ghu_", 16 }, { "ghs_", 16 },
		{ "ghr_", 16 }, { "github_pat_", 16 }, { "glpat-", 12 },
		{ "xoxb-", 8 }, { "xoxp-", 8 }, { "xoxa-", 8 }, { "xoxs-", 8 },
		{ "xapp-", 8 }, { "AKIA", 12 }, { "ASIA", 12 }, { "AIza", 20 },
		{ "hf_", 16 }, { "whsec_", 8 }, { "SG.", 20 }, { "npm_", 20 },
		{ "pypi-", 20 }, { "shpat_", 16 }, { "ya29.", 16 },
		{ "pat-na1-", 16 }, { "pat-eu1-", 16 }, { "gsk_", 16 },
		{ "xai-", 16 }, { "eyJ", 24 }, { "$argon2", 16 },
		{ "$2a$", 20 }, { "$2b$", 20 }, { "$2y$", 20 }, { "$6$", 20 },
		{ "SCRAM-SHA-256$", 16 } };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		size_t len, end;

		if (starts[i].start[0] != s[at])
			continue;
		len = strlen(starts[i].start);
		if (n - at < len + starts[i].least ||
		    memcmp(s + at, starts[i].start, len) != 0)
			continue;
		end = at + len;
		while (end < n && is_token(s[end]))
			end++;
		while (end > at && strchr(".,:", s[end - 1]) != NULL)
			end--;
		if (end - at < len + starts[i].least)
			continue;
		*f = nothing;
		f->hide = end - at;
		f->mask = "[secret]";
		return true;
	}
	return false;
}

static int
class_of(char c)
{
	if (redact_is_digit(c))
		return 1;
	if (c >= 'a' && c <= 'z')
		return 2;
	return c >= 'A' && c <= 'Z' ? 3 : 0;
}

static bool
is_random(char c)
{
	return redact_is_word(c) || c == '-';
}

bool
redact_random(const char *s, size_t n, size_t at, struct redact_found *f)
{
	size_t end = at, changes = 0;
	bool seen[4] = { false };

	while (end < n && end - at < RANDOM_MOST && is_random(s[end])) {
		seen[class_of(s[end])] = true;
		if (end > at && class_of(s[end]) != 0 &&
		    class_of(s[end - 1]) != 0 &&
		    class_of(s[end]) != class_of(s[end - 1]))
			changes++;
		end++;
	}
	/*
	 * Random base64 changes between digits, small and capital letters at
	 * two places of three, names at one of five; hex has one size of
	 * letters only.
	 */
	if (end - at < RANDOM_LEAST || !seen[1] || !seen[2] || !seen[3] ||
	    changes * 5 < (end - at) * 2)
		return false;
	while (end < n && (is_random(s[end]) || s[end] == '='))
		end++;
	*f = nothing;
	f->hide = end - at;
	f->mask = "[secret]";
	return true;
}
