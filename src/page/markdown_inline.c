/* Markdown within a line.  A closing mark is looked for only so far away, and
 * levels are few, so no line costs more than in proportion to its length. */
#include <string.h>
#include <strings.h>

#include "page/markdown.h"
#include "page/markdown_priv.h"

#include "util/banned.h"

#define FAR 1500 /* bytes that a closing mark may be away */
#define REL " target=\"_blank\" rel=\"noopener noreferrer nofollow ugc\">"

void
markdown_escape(struct buf *b, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		switch (p[i]) {
		case '&':
			buf_adds(b, "&amp;");
			break;
		case '<':
			buf_adds(b, "&lt;");
			break;
		case '>':
			buf_adds(b, "&gt;");
			break;
		case '"':
			buf_adds(b, "&quot;");
			break;
		case '\'':
			buf_adds(b, "&#39;");
			break;
		default:
			buf_addc(b, p[i]);
		}
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Bytes of other letters than ASCII's count as such. */
static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool
is_punct(char c)
{
	return c > ' ' && c < 0x7f && (!is_word(c) || c == '_');
}

static bool
starts(struct piece s, size_t at, const char *with)
{
	size_t n = strlen(with);

	return s.n - at >= n && strncasecmp(s.p + at, with, n) == 0;
}

/* May a link lead there?  Never to a script, nor with a password. */
static bool
safe_url(struct piece u)
{
	size_t from = starts(u, 0, "https://")  ? 8
	              : starts(u, 0, "http://") ? 7
	                                        : 0;

	for (size_t i = 0; i < u.n; i++)
		if ((unsigned char)u.p[i] <= ' ' || u.p[i] == 0x7f ||
		    u.p[i] == '\\')
			return false;
	if (from == 0)
		return starts(u, 0, "mailto:") || starts(u, 0, "tel:");
	for (size_t i = from; i < u.n && !strchr("/?#", u.p[i]); i++)
		if (u.p[i] == '@')
			return false;
	return u.n > from && !strchr("/?#:", u.p[from]);
}

static void
open_link(struct buf *b, struct piece url)
{
	buf_adds(b, "<a href=\"");
	markdown_escape(b, url.p, url.n);
	buf_adds(b, "\"" REL);
}

/* The place after what closes the ${open} at ${at}, or 0. */
static size_t
balanced(struct piece s, size_t at, char open, char close)
{
	int depth = 0;

	for (size_t i = at; i < s.n && i < at + FAR; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == open)
			depth++;
		else if (s.p[i] == close && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Of (address "title") only the address. */
static struct piece
address_in(struct piece s)
{
	size_t n = 0;

	while (s.n > 0 && is_space(s.p[0]))
		s = (struct piece){ s.p + 1, s.n - 1 };
	if (s.n > 0 && s.p[0] == '<') {
		while (n + 1 < s.n && s.p[n + 1] != '>')
			n++;
		return (struct piece){ s.p + 1, n };
	}
	while (n < s.n && !is_space(s.p[n]))
		n++;
	return (struct piece){ s.p, n };
}

/* [text](address), or with ! before it an image, which becomes a link.  The
 * place after it, or 0: there is none. */
static size_t
add_link(struct buf *b, struct piece s, size_t at, int deep)
{
	bool image = s.p[at] == '!';
	size_t text = at + (image ? 1 : 0);
	size_t middle = balanced(s, text, '[', ']');
	size_t end = middle > 0 && middle < s.n && s.p[middle] == '('
	                 ? balanced(s, middle, '(', ')')
	                 : 0;
	struct piece url, label;

	if (end == 0)
		return 0;
	url = address_in((struct piece){ s.p + middle + 1, end - middle - 2 });
	label = (struct piece){ s.p + text + 1, middle - text - 2 };
	if (image && label.n == 0)
		label = url;
	if (safe_url(url))
		open_link(b, url);
	if (image)
		markdown_escape(b, label.p, label.n);
	else
		markdown_inline(b, label, deep + 1, true);
	if (safe_url(url))
		buf_adds(b, "</a>");
	return end;
}

/* An address that stands for itself. */
static size_t
add_bare(struct buf *b, struct piece s, size_t at, bool angle)
{
	size_t from = at + (angle ? 1 : 0), end = from;
	struct piece url;

	if (!starts(s, from, "http://") && !starts(s, from, "https://") &&
	    !(angle && starts(s, from, "mailto:")))
		return 0;
	if (!angle && at > 0 && is_word(s.p[at - 1]))
		return 0;
	while (
	    end < s.n && end < from + FAR && !strchr(" \t<>\"'`*|\\", s.p[end]))
		end++;
	if (angle && (end == s.n || s.p[end] != '>'))
		return 0;
	while (!angle && end > from && strchr(".,:;!?_~)", s.p[end - 1]))
		end--;
	url = (struct piece){ s.p + from, end - from };
	if (!safe_url(url))
		return 0;
	open_link(b, url);
	markdown_escape(b, url.p, url.n);
	buf_adds(b, "</a>");
	return end + (angle ? 1 : 0);
}

static size_t
add_code(struct buf *b, struct piece s, size_t at)
{
	size_t ticks = 0, run;

	while (at + ticks < s.n && s.p[at + ticks] == '`')
		ticks++;
	for (size_t i = at + ticks; i < s.n && i < at + FAR; i += run) {
		for (run = 0; i + run < s.n && s.p[i + run] == '`'; run++)
			;
		if (run == ticks) {
			buf_adds(b, "<code>");
			markdown_escape(b, s.p + at + ticks, i - at - ticks);
			buf_adds(b, "</code>");
			return i + run;
		}
		if (run == 0)
			run = 1;
	}
	markdown_escape(b, s.p + at, ticks);
	return at + ticks;
}

/* Where ${mark} closes what begins at ${from}, or 0. */
static size_t
closing(struct piece s, size_t from, const char *mark)
{
	size_t n = strlen(mark);

	for (size_t i = from + 1; i + n <= s.n && i < from + FAR; i++) {
		if (memcmp(s.p + i, mark, n) != 0 || is_space(s.p[i - 1]) ||
		    s.p[i - 1] == '\\')
			continue;
		if (n == 1 && i + 1 < s.n && s.p[i + 1] == *mark) {
			i++;
			continue;
		}
		if (*mark == '_' && i + n < s.n && is_word(s.p[i + n]))
			continue;
		return i;
	}
	return 0;
}

static size_t
add_emphasis(struct buf *b, struct piece s, size_t at, int deep, bool linked)
{
	static const struct {
		const char *mark, *tag;
	} marks[] = { { "**", "strong" }, { "__", "strong" }, { "~~", "del" },
		{ "*", "em" }, { "_", "em" } };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		size_t n = strlen(marks[i].mark), from = at + n, end;

		if (!starts(s, at, marks[i].mark) || from >= s.n ||
		    is_space(s.p[from]) ||
		    (n == 1 && s.p[from] == *marks[i].mark) ||
		    (s.p[at] == '_' && at > 0 && is_word(s.p[at - 1])))
			continue;
		end = closing(s, from, marks[i].mark);
		if (end == 0)
			continue;
		buf_addf(b, "<%s>", marks[i].tag);
		markdown_inline(b, (struct piece){ s.p + from, end - from },
		    deep + 1, linked);
		buf_addf(b, "</%s>", marks[i].tag);
		return end + n;
	}
	return 0;
}

static size_t
add_special(struct buf *b, struct piece s, size_t at, int deep, bool linked)
{
	switch (s.p[at]) {
	case '`':
		return add_code(b, s, at);
	case '*':
	case '_':
	case '~':
		return add_emphasis(b, s, at, deep, linked);
	case '!':
		return !linked && at + 1 < s.n && s.p[at + 1] == '['
		           ? add_link(b, s, at, deep)
		           : 0;
	case '[':
		return linked ? 0 : add_link(b, s, at, deep);
	case '<':
		return linked ? 0 : add_bare(b, s, at, true);
	case 'h':
	case 'H':
		return linked ? 0 : add_bare(b, s, at, false);
	default:
		return 0;
	}
}

void
markdown_inline(struct buf *b, struct piece s, int deep, bool linked)
{
	for (size_t i = 0, to; i < s.n; i = to) {
		if (s.p[i] == '\\' && i + 1 < s.n && is_punct(s.p[i + 1])) {
			markdown_escape(b, s.p + i + 1, 1);
			to = i + 2;
			continue;
		}
		to = deep < MARKDOWN_DEPTH ? add_special(b, s, i, deep, linked)
		                           : 0;
		if (to > 0)
			continue;
		/* a run of one mark is looked at once */
		for (to = i + 1;
		     to < s.n && strchr("*_~", s.p[i]) && s.p[to] == s.p[i];
		     to++)
			;
		markdown_escape(b, s.p + i, to - i);
	}
}
