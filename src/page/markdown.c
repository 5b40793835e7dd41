/*
 * Blocks of Markdown: paragraphs, headings, lists, quotes, code, tables, rules.
 * A block's lines are parts of the text; nothing is copied.
 */
#include "page/markdown.h"

#include <string.h>

#include "page/markdown_priv.h"
#include "util/mem.h"

#include "util/banned.h"

#define LINES_MAX ((size_t)20000)
#define CELLS_MAX 64

struct lines {
	struct piece *at;
	size_t n;
};

static size_t
spaces(struct piece s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	return n;
}

static struct piece
from(struct piece s, size_t n)
{
	return (struct piece){ s.p + n, s.n - n };
}

static struct piece
trim(struct piece s)
{
	s = from(s, spaces(s));
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static bool
blank(struct piece s)
{
	return spaces(s) == s.n;
}

static size_t
run(struct piece s, char c)
{
	size_t n = 0;

	while (n < s.n && s.p[n] == c)
		n++;
	return n;
}

/* -- what a line begins ------------------------------------------------ */

/* Marks of a fence of code, at least three, or 0. */
static size_t
fence(struct piece s, char *mark)
{
	size_t in = spaces(s), n;

	s = from(s, in);
	if (in > 3 || s.n < 3 || (s.p[0] != '`' && s.p[0] != '~'))
		return 0;
	*mark = s.p[0];
	n = run(s, *mark);
	return n >= 3 && memchr(s.p + n, '`', s.n - n) == NULL ? n : 0;
}

static bool
closes_fence(struct piece s, char mark, size_t n)
{
	s = trim(s);
	return s.n >= n && run(s, mark) == s.n;
}

static size_t
heading(struct piece s)
{
	size_t in = spaces(s), n;

	s = from(s, in);
	n = run(s, '#');
	return in <= 3 && n >= 1 && n <= 6 && n < s.n &&
	               (s.p[n] == ' ' || s.p[n] == '\t')
	           ? n
	           : 0;
}

static bool
rule(struct piece s)
{
	size_t n = 0;
	char c;

	s = trim(s);
	if (s.n < 3 || !strchr("-*_", s.p[0]))
		return false;
	c = s.p[0];
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == c)
			n++;
		else if (s.p[i] != ' ' && s.p[i] != '\t')
			return false;
	return n >= 3;
}

static bool
quote(struct piece s)
{
	size_t in = spaces(s);

	return in <= 3 && in < s.n && s.p[in] == '>';
}

/* The mark of a list's item. */
struct item {
	size_t indent, content; /* bytes before the mark, and before its text */
	char kind;              /* - * + . ) */
	size_t number;
};

static bool
item(struct piece s, struct item *out)
{
	size_t i = spaces(s), digits = i, after;

	*out = (struct item){ .indent = i, .number = 0 };
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i < digits + 9; i++)
		out->number = out->number * 10 + (size_t)(s.p[i] - '0');
	if (i == s.n ||
	    (i == digits ? !strchr("-*+", s.p[i]) : !strchr(".)", s.p[i])))
		return false;
	out->kind = s.p[i++];
	after = spaces(from(s, i));
	if (i < s.n && after == 0)
		return false;
	out->content = i + (after > 4 ? 1 : after);
	return true;
}

static bool
same_list(const struct item *a, const struct item *b)
{
	return a->kind == b->kind && b->indent < a->indent + 2;
}

/* -- tables ------------------------------------------------------------ */

/* The cells of a row; \| is no border. */
static size_t
cells(struct piece s, struct piece out[CELLS_MAX])
{
	size_t n = 0, begin = 0;

	s = trim(s);
	if (s.n > 0 && s.p[0] == '|')
		s = from(s, 1);
	if (s.n > 1 && s.p[s.n - 1] == '|' && s.p[s.n - 2] != '\\')
		s.n--;
	for (size_t i = 0; i <= s.n && n < CELLS_MAX; i++)
		if (i == s.n ||
		    (s.p[i] == '|' && (i == 0 || s.p[i - 1] != '\\'))) {
			out[n++] =
			    trim((struct piece){ s.p + begin, i - begin });
			begin = i + 1;
		}
	return n;
}

static bool
delimits(struct piece s)
{
	size_t n = s.n;

	if (n > 0 && s.p[0] == ':')
		s = from(s, 1);
	if (s.n > 0 && s.p[s.n - 1] == ':')
		s.n--;
	return s.n > 0 && run(s, '-') == s.n;
}

static bool
table(const struct lines *l, size_t i)
{
	struct piece head[CELLS_MAX], sides[CELLS_MAX];
	size_t n;

	if (i + 1 >= l->n || memchr(l->at[i].p, '|', l->at[i].n) == NULL)
		return false;
	n = cells(l->at[i + 1], sides);
	if (n != cells(l->at[i], head))
		return false;
	for (size_t k = 0; k < n; k++)
		if (!delimits(sides[k]))
			return false;
	return true;
}

static void
add_row(struct buf *b, struct piece line, const struct piece *sides, size_t n,
    const char *tag)
{
	struct piece row[CELLS_MAX];
	size_t have = cells(line, row);

	buf_adds(b, "<tr>");
	for (size_t i = 0; i < n && i < have; i++) {
		bool right = sides[i].p[sides[i].n - 1] == ':';
		bool left = sides[i].p[0] == ':';

		buf_addf(b, "<%s%s%s>", tag,
		    *tag == 't' && tag[1] == 'h' ? " scope=\"col\"" : "",
		    right ? left ? " class=\"center\"" : " class=\"end\"" : "");
		markdown_inline(b, row[i], 0, false);
		buf_addf(b, "</%s>", tag);
	}
	buf_adds(b, "</tr>");
}

static void
add_table(struct buf *b, const struct lines *l, size_t i, size_t end)
{
	struct piece sides[CELLS_MAX];
	size_t n = cells(l->at[i + 1], sides);

	buf_adds(b, "<div class=\"table\" tabindex=\"0\"><table><thead>");
	add_row(b, l->at[i], sides, n, "th");
	buf_adds(b, "</thead><tbody>");
	for (size_t k = i + 2; k < end; k++)
		add_row(b, l->at[k], sides, n, "td");
	buf_adds(b, "</tbody></table></div>\n");
}

/* -- blocks ------------------------------------------------------------ */

static void blocks(struct buf *, struct lines, int deep, bool tight);

static bool
begins(const struct lines *l, size_t i)
{
	struct item it;
	char mark;

	return fence(l->at[i], &mark) > 0 || heading(l->at[i]) > 0 ||
	       rule(l->at[i]) || quote(l->at[i]) ||
	       (item(l->at[i], &it) && it.indent <= 3 &&
		   !blank(from(l->at[i], it.content)) &&
		   (strchr("-*+", it.kind) || it.number == 1));
}

static size_t
add_fence(struct buf *b, const struct lines *l, size_t i)
{
	char mark = 0;
	size_t n = fence(l->at[i], &mark);

	buf_adds(b, "<pre tabindex=\"0\" dir=\"ltr\"><code>");
	for (i++; i < l->n && !closes_fence(l->at[i], mark, n); i++) {
		markdown_escape(b, l->at[i].p, l->at[i].n);
		buf_addc(b, '\n');
	}
	buf_adds(b, "</code></pre>\n");
	return i < l->n ? i + 1 : i;
}

static size_t
add_heading(struct buf *b, const struct lines *l, size_t i)
{
	size_t n = heading(l->at[i]);
	struct piece s = trim(from(trim(l->at[i]), n)), cut = s;

	while (cut.n > 0 && cut.p[cut.n - 1] == '#')
		cut.n--;
	if (cut.n == 0 || cut.p[cut.n - 1] == ' ')
		s = trim(cut);
	buf_adds(b, n < 3 ? "<h3 class=\"large\">" : "<h3>");
	markdown_inline(b, s, 0, false);
	buf_adds(b, "</h3>\n");
	return i + 1;
}

static size_t
add_quote(struct buf *b, const struct lines *l, size_t i, int deep)
{
	struct lines in = { mem_array(b->ctx, struct piece, l->n - i), 0 };

	for (; i < l->n && !blank(l->at[i]) &&
	       (in.n == 0 || quote(l->at[i]) || !begins(l, i));
	     i++) {
		struct piece s = l->at[i];

		if (quote(s)) {
			s = from(s, spaces(s) + 1);
			s = from(s, s.n > 0 && s.p[0] == ' ' ? 1 : 0);
		}
		in.at[in.n++] = s;
	}
	buf_adds(b, "<blockquote>");
	blocks(b, in, deep + 1, false);
	buf_adds(b, "</blockquote>\n");
	mem_free(in.at);
	return i;
}

/* The first line that is no part of the list any more; *loose: blank lines
 * stand between its items. */
static size_t
list_end(const struct lines *l, size_t i, const struct item *first, bool *loose)
{
	struct item it;

	*loose = false;
	for (i++; i < l->n; i++) {
		if (blank(l->at[i])) {
			if (i + 1 == l->n || blank(l->at[i + 1]) ||
			    (spaces(l->at[i + 1]) < 2 &&
				(!item(l->at[i + 1], &it) ||
				    !same_list(first, &it))))
				return i;
			*loose = true;
		} else if (item(l->at[i], &it)) {
			if (!same_list(first, &it) && it.indent < 2)
				return i;
		} else if (spaces(l->at[i]) == 0 &&
			   (begins(l, i) || blank(l->at[i - 1]))) {
			return i;
		}
	}
	return i;
}

static size_t
add_list(struct buf *b, const struct lines *l, size_t i, int deep)
{
	struct lines in = { mem_array(b->ctx, struct piece, l->n - i), 0 };
	bool loose, ordered;
	struct item first, it;
	size_t end, indent = 0;

	(void)item(l->at[i], &first);
	end = list_end(l, i, &first, &loose);
	ordered = strchr(".)", first.kind) != NULL;
	if (ordered && first.number != 1)
		buf_addf(b, "<ol start=\"%zu\">", first.number);
	else
		buf_adds(b, ordered ? "<ol>" : "<ul>");
	for (; i <= end; i++) {
		bool next = i < end && item(l->at[i], &it) &&
		            it.indent < (indent > 0 ? indent : 1) &&
		            same_list(&first, &it);

		if ((next || i == end) && in.n > 0) {
			buf_adds(b, "<li>");
			blocks(b, in, deep + 1, !loose);
			buf_adds(b, "</li>\n");
			in.n = 0;
		}
		if (i == end)
			break;
		if (next)
			indent = it.content;
		else
			it.content = spaces(l->at[i]);
		in.at[in.n++] =
		    from(l->at[i], !next && it.content > indent ? indent
				   : it.content < l->at[i].n    ? it.content
								: l->at[i].n);
	}
	buf_adds(b, ordered ? "</ol>\n" : "</ul>\n");
	mem_free(in.at);
	return end;
}

static size_t
add_text(struct buf *b, const struct lines *l, size_t i, int deep, bool tight)
{
	if (!tight)
		buf_adds(b, "<p>");
	for (size_t first = i; i < l->n && !blank(l->at[i]); i++) {
		if (i > first && deep < MARKDOWN_DEPTH &&
		    (begins(l, i) || table(l, i)))
			break;
		if (i > first)
			buf_adds(b, "<br>");
		markdown_inline(b, trim(l->at[i]), 0, false);
	}
	buf_adds(b, tight ? "" : "</p>\n");
	return i;
}

static size_t
add_block(struct buf *b, const struct lines *l, size_t i, int deep, bool tight)
{
	struct item it;
	size_t end = i + 2;
	char mark;

	if (deep >= MARKDOWN_DEPTH)
		return add_text(b, l, i, deep, tight);
	if (fence(l->at[i], &mark) > 0)
		return add_fence(b, l, i);
	if (heading(l->at[i]) > 0)
		return add_heading(b, l, i);
	if (rule(l->at[i])) {
		buf_adds(b, "<hr>\n");
		return i + 1;
	}
	if (quote(l->at[i]))
		return add_quote(b, l, i, deep);
	if (item(l->at[i], &it) && it.indent <= 3)
		return add_list(b, l, i, deep);
	if (!table(l, i))
		return add_text(b, l, i, deep, tight);
	while (end < l->n && !blank(l->at[end]) &&
	       memchr(l->at[end].p, '|', l->at[end].n) != NULL)
		end++;
	add_table(b, l, i, end);
	return end;
}

static void
blocks(struct buf *b, struct lines l, int deep, bool tight)
{
	for (size_t i = 0; i < l.n && !buf_failed(b);)
		if (blank(l.at[i]))
			i++;
		else
			i = add_block(b, &l, i, deep, tight);
}

/* Lines end in LF, CR or both; those beyond LINES_MAX are one. */
static struct lines
split(const void *ctx, const char *text, size_t len)
{
	size_t n = 1;
	struct lines l;

	for (size_t i = 0; i < len && n < LINES_MAX; i++)
		n += text[i] == '\n' || text[i] == '\r';
	l = (struct lines){ mem_array(ctx, struct piece, n), 0 };
	while (l.n < n) {
		size_t k = 0;

		while (k < len && text[k] != '\n' && text[k] != '\r')
			k++;
		if (l.n + 1 == LINES_MAX)
			k = len;
		l.at[l.n++] = (struct piece){ text, k };
		if (k == len)
			break;
		k += text[k] == '\r' && k + 1 < len && text[k + 1] == '\n' ? 2
		                                                           : 1;
		text += k;
		len -= k;
	}
	return l;
}

void
markdown_html(struct buf *out, const char *text, size_t len)
{
	struct lines l = split(out->ctx, text, len);

	blocks(out, l, 0, false);
	mem_free(l.at);
}
