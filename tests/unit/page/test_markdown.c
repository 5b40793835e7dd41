/* Markdown as the hosted chat shows it: what models write, and nothing that
 * could run, whatever somebody writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "page/markdown.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define A(url)                                                                 \
	"<a href=\"" url "\" target=\"_blank\" "                               \
	"rel=\"noopener noreferrer nofollow ugc\">"

static void *ctx;

static int
begin(void **state)
{
	(void)state;
	ctx = mem_root("test");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	mem_free(ctx);
	return 0;
}

static const char *
html(const char *text)
{
	struct buf b;

	buf_init(&b, ctx, 1 << 24);
	markdown_html(&b, text, strlen(text));
	buf_addc(&b, '\0');
	assert_false(buf_failed(&b));
	return b.data;
}

static void
test_blocks(void **state)
{
	static const struct {
		const char *text, *html;
	} cases[] = {
		{ "", "" },
		{ "a\nb\r\n\r\nc", "<p>a<br>b</p>\n<p>c</p>\n" },
		{ "# a #\n### b", "<h3 class=\"large\">a</h3>\n<h3>b</h3>\n" },
		{ "#a", "<p>#a</p>\n" },
		{ "---\n***\n- - -", "<hr>\n<hr>\n<hr>\n" },
		{ "```js\na < b\n\n```\nc",
		    "<pre tabindex=\"0\" dir=\"ltr\"><code>a &lt; b\n\n"
		    "</code></pre>\n<p>c</p>\n" },
		{ "~~~\nopen", "<pre tabindex=\"0\" dir=\"ltr\"><code>open\n"
			       "</code></pre>\n" },
		{ "> a\nb\n> > c", "<blockquote><p>a<br>b</p>\n"
				   "<blockquote><p>c</p>\n</blockquote>\n"
				   "</blockquote>\n" },
		{ "- a\n- b\n  - c\n\nd",
		    "<ul><li>a</li>\n<li>b<ul><li>c</li>\n</ul>\n</li>\n"
		    "</ul>\n<p>d</p>\n" },
		{ "3. a\n4. b", "<ol start=\"3\"><li>a</li>\n<li>b</li>\n"
				"</ol>\n" },
		{ "1. a\n\n   b\n2. c",
		    "<ol><li><p>a</p>\n<p>b</p>\n</li>\n<li><p>c</p>\n</li>\n"
		    "</ol>\n" },
		{ "|a|b|\n|:-:|-:|\n|1\\|2|3|\nx",
		    "<div class=\"table\" tabindex=\"0\"><table><thead><tr>"
		    "<th scope=\"col\" class=\"center\">a</th>"
		    "<th scope=\"col\" class=\"end\">b</th></tr></thead><tbody>"
		    "<tr><td class=\"center\">1|2</td><td class=\"end\">3</td>"
		    "</tr></tbody></table></div>\n<p>x</p>\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(html(cases[i].text), cases[i].html);
}

static void
test_inline(void **state)
{
	static const struct {
		const char *text, *html;
	} cases[] = {
		{ "**a** *b* __c__ _d_ ~~e~~",
		    "<strong>a</strong> <em>b</em> <strong>c</strong> "
		    "<em>d</em> <del>e</del>" },
		{ "a_b_c 2 * 3 * 4 **x", "a_b_c 2 * 3 * 4 **x" },
		{ "**a *b* c**", "<strong>a <em>b</em> c</strong>" },
		{ "`a*b*` ``c`d`` `e", "<code>a*b*</code> <code>c`d</code> "
				       "`e" },
		{ "\\*a\\* \\<b>", "*a* &lt;b&gt;" },
		{ "[a *b*](https://x.example/y \"t\")",
		    A("https://x.example/y") "a <em>b</em></a>" },
		{ "[a](<http://x.example/a_b>)",
		    A("http://x.example/a_b") "a</a>" },
		{ "![a](https://x.example/i.png)",
		    A("https://x.example/i.png") "a</a>" },
		{ "(https://x.example/a?b=1&c=2).",
		    "(" A(
			"https://x.example/a?b=1&amp;c=2") "https://x.example/"
							   "a?b=1&amp;c=2</"
							   "a>)." },
		{ "<mailto:a@x.example>",
		    A("mailto:a@x.example") "mailto:a@x.example</a>" },
		{ "[a](/b) [c](//d) [e]() [f]", "a c e [f]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = html(cases[i].text);
		size_t n = strlen(got);

		assert_true(n > 8 && memcmp(got, "<p>", 3) == 0);
		assert_string_equal(got + n - 5, "</p>\n");
		assert_string_equal(
		    mem_strndup(ctx, got + 3, n - 8), cases[i].html);
	}
}

static const char *const hostile[] = { "<script>alert(1)</script>",
	"<img src=x onerror=alert(1)>", "[x](javascript:alert(1))",
	"[x](JaVaScRiPt:alert(1))", "[x](java\tscript:alert(1))",
	"[x](data:text/html,x)", "[x](vbscript:x)", "[x](<javascript:x>)",
	"![x](javascript:alert(1))", "<javascript:alert(1)>",
	"[x](https://user:pw@evil.example)", "[x](https://a.example\\@b)",
	"[x](https:///evil)", "[x](file:///etc/passwd)",
	"[x](https://e.example/\"onmouseover=\"alert(1))",
	"https://e.example/\"><img/src=x/onerror=alert(1)>",
	"| <svg onload=alert(1)> |\n|---|\n| [x](javascript:x) |",
	"# <script>alert(1)</script>", "> <script>", "- <script>", "`<script>`",
	"```<script>\n<script>\n```", "**<script>**",
	"[<script>](https://e.example)", "[x](\x01javascript:alert(1))" };

/* Every < is of a tag that is written there, every attribute too. */
static void
check_tags(const char *got)
{
	static const char *const tags[] = { "<p>", "<br>", "<ul>", "<ol>",
		"<li>", "<strong>", "<em>", "<del>", "<code>", "<h3>", "<hr>",
		"<h3 class=\"large\">", "<blockquote>", "<table>", "<thead>",
		"<tbody>", "<tr>", "<td>", "<th scope=\"col\">", "<td class=\"",
		"<th scope=\"col\" class=\"", "<ol start=\"", "</",
		"<div class=\"table\" tabindex=\"0\">",
		"<pre tabindex=\"0\" dir=\"ltr\">", "<a href=\"https://",
		"<a href=\"http://", "<a href=\"mailto:", "<a href=\"tel:" };

	for (const char *p = got; (p = strchr(p, '<')) != NULL; p++) {
		bool known = false;

		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
			known |= strncmp(p, tags[i], strlen(tags[i])) == 0;
		if (!known)
			fail_msg("a tag of somebody's: %.60s", p);
	}
}

static void
test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		const char *got = html(hostile[i]);

		check_tags(got);
		assert_null(strstr(got, "href=\"java"));
		assert_null(strstr(got, "\"onmouse"));
	}
}

/* All short texts of the marks, and long ones of each: right and soon. */
static void
test_marks(void **state)
{
	static const char marks[] = "*_`[](!<>|-#1.~ \n\\a";
	const size_t n = sizeof(marks) - 1;
	char text[6] = "", *big;
	int64_t began = clock_mono();

	(void)state;
	for (size_t k = 0; k < n * n * n * n; k++) {
		size_t rest = k;

		for (int i = 0; i < 4; i++, rest /= n)
			text[i] = marks[rest % n];
		check_tags(html(text));
		if (k % 1000 == 0) {
			mem_free(ctx);
			ctx = mem_root("test");
		}
	}
	big = mem_array(ctx, char, 20001);
	for (size_t a = 0; a < n; a++)
		for (size_t b = 0; b < n; b++) {
			for (size_t i = 0; i < 20000; i += 2) {
				big[i] = marks[a];
				big[i + 1] = marks[b];
			}
			big[20000] = '\0';
			(void)html(big);
		}
	assert_true(clock_mono() - began < 60 * CLOCK_S);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
