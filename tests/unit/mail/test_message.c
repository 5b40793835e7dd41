/* Messages and templates: what is written, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/message.h"
#include "mail/mime_priv.h"
#include "mail/template.h"
#include "util/buf.h"
#include "util/mem.h"

#include "util/banned.h"

static void
addresses(void **state)
{
	static const char *const good[] = { "a@b", "ann@shop.example",
		"ann.m+x@mail.shop.example", "o'neil@x.example",
		"a!#$%&'*+-/=?^_`{|}~@x.example", "a@xn--bcher-kva.example" };
	static const char *const bad[] = { "", "@", "a@", "@b", "a", "a@b@c",
		"a b@c.example", "a@b c", "a@b\r\nRCPT TO:<x@evil>",
		"a\r\n@b.example", "a@b\n", "<a@b>", "a@b,c@d", "\"a b\"@c",
		".a@b", "a.@b", "a..b@c", "a@.b", "a@b.", "a@b..c", "a@-b",
		"a@b-", "a@b-.c", "a@b_c", "a@[127.0.0.1]", "a@b>",
		"\xc3\xa4@b.example", "a@\xc3\xa4.example", "a@b\x7f",
		/* 65 before the @ */
		("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaa@b") };
	void *root = mem_root("test");

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!mail_address_ok(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mail_address_ok(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_string_equal(
	    mail_address_of(root, "Ann M. <ann@x.example>"), "ann@x.example");
	assert_string_equal(
	    mail_address_of(root, "<ann@x.example>"), "ann@x.example");
	assert_string_equal(
	    mail_address_of(root, "ann@x.example"), "ann@x.example");
	assert_null(mail_address_of(root, "Ann <ann@x.example> "));
	assert_null(mail_address_of(root, "Ann <>"));
	assert_null(mail_address_of(root, "Ann <"));
	assert_null(mail_address_of(root, ""));
	mem_free(root);
}

static const char *
encoded(void *root, const char *s)
{
	struct buf b;

	buf_init(&b, root, 1 << 20);
	mime_quoted_printable(&b, s);
	assert_false(buf_failed(&b));
	return b.data;
}

static void
quoted_printable(void **state)
{
	void *root = mem_root("test");
	char text[3000];
	const char *out, *line, *end;

	(void)state;
	assert_string_equal(encoded(root, "a=b\n"), "a=3Db\r\n");
	assert_string_equal(encoded(root, "a \n b\t\n"), "a=20\r\n b=09\r\n");
	assert_string_equal(encoded(root, "no end"), "no end\r\n");
	assert_string_equal(encoded(root, "\xc3\xa4\n"), "=C3=A4\r\n");
	assert_string_equal(encoded(root, "a\r\nb"), "a=0D\r\nb\r\n");
	assert_string_equal(encoded(root, "\n\n"), "\r\n\r\n");
	assert_string_equal(encoded(root, ""), "");
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = (char)(i % 3 == 0 ? '=' : 'x');
	text[sizeof(text) - 1] = '\0';
	out = encoded(root, text);
	for (line = out; (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		assert_in_range(end - line, 1, 76);
	assert_int_equal(*line, '\0');
	mem_free(root);
}

static const char *
header(void *root, const char *s)
{
	struct buf b;

	buf_init(&b, root, 1 << 20);
	mime_header(&b, s, 9);
	return b.data;
}

static void
encoded_words(void **state)
{
	void *root = mem_root("test");
	char text[501];
	const char *out, *line, *end;

	(void)state;
	assert_string_equal(header(root, "Plain text"), "Plain text");
	assert_string_equal(header(root, "\xc3\xa4"), "=?UTF-8?B?w6Q=?=");
	assert_string_equal(header(root, "=?x"), "=?UTF-8?B?PT94?=");
	/* long ones are folded, and no character is cut */
	for (size_t i = 0; i + 3 <= 500; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	out = header(root, text);
	for (line = out; (end = strstr(line, "\r\n ")) != NULL;
	     line = end + 3) {
		assert_in_range(end - line, 20, 75);
		/* a euro sign in base64: words begin and end with one */
		assert_memory_equal(line, "=?UTF-8?B?4oKs", 14);
		assert_memory_equal(end - 5, "oKs?=", 5);
	}
	mem_free(root);
}

static struct mail
good_mail(void)
{
	return (struct mail){ .from = "Shop <noreply@shop.example>",
		.to = "ann@x.example",
		.subject = "Hello",
		.text = "Text\n" };
}

static void
refuse(struct mail m, const char *complaint)
{
	void *root = mem_root("test");
	struct err e = { 0 };
	char *out;
	size_t n;

	assert_int_equal(mail_message(root, &m, &out, &n, &e), -1);
	assert_null(out);
	if (strstr(e.text, complaint) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", e.text, complaint);
	mem_free(root);
}

static void
injections(void **state)
{
	static const char *const breaks[] = { "x\r\nBcc: e@evil", "x\nBcc: e",
		"x\rBcc: e", "x\n", "x\x7f", "x\x1b[31m", "x\xff" };
	struct mail m;

	(void)state;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		char from[64];

		m = good_mail();
		m.subject = breaks[i];
		refuse(m, "subject");
		m = good_mail();
		m.to = breaks[i];
		refuse(m, "recipient");
		m = good_mail();
		snprintf(from, sizeof(from), "%s <a@b.example>", breaks[i]);
		m.from = from;
		refuse(m, "sender");
		snprintf(from, sizeof(from), "A <a@b.example%s>", breaks[i]);
		refuse(m, "sender");
	}
	m = good_mail();
	m.subject = "";
	refuse(m, "subject");
	m = good_mail();
	m.text = "\xff";
	refuse(m, "UTF-8");
	m = good_mail();
	m.html = "<p>\xc3</p>";
	refuse(m, "UTF-8");
}

static void
whole(void **state)
{
	void *root = mem_root("test");
	struct err e = { 0 };
	struct mail m = good_mail();
	char *out;
	size_t n;

	(void)state;
	assert_int_equal(mail_message(root, &m, &out, &n, &e), 0);
	assert_int_equal(strlen(out), n);
	assert_non_null(strstr(out, "From: \"Shop\"\r\n <noreply@shop.example>"
				    "\r\nTo: <ann@x.example>\r\n"
				    "Subject: Hello\r\nDate: "));
	assert_non_null(strstr(out, "@shop.example>\r\nMIME-Version: 1.0\r\n"));
	assert_non_null(strstr(out, "\r\n\r\nText\r\n"));
	for (size_t i = 0; i < n; i++)
		assert_true(out[i] != '\n' || (i > 0 && out[i - 1] == '\r'));
	/* quotes in a name do not end it */
	m.from = "A \"B\" \\ C, D <a@b.example>";
	assert_int_equal(mail_message(root, &m, &out, &n, &e), 0);
	assert_non_null(strstr(
	    out, "From: \"A \\\"B\\\" \\\\ C, D\"\r\n <a@b.example>\r\n"));
	mem_free(root);
}

static void
templates(void **state)
{
	static const struct mail_value values[] = { { "name", "Ann" },
		{ "link", "https://x.example/?a={{name}}" }, { NULL, NULL } };
	static const struct {
		const char *text, *complaint;
	} bad[] = {
		{ "", "does not begin" },
		{ "Hello\n\n{{name}} {{link}}", "does not begin" },
		{ "Subject: x\nno empty line {{name}}", "does not begin" },
		{ "Subject: x\n\n{{name}} {{link}} {{nam}}", "{{nam}}" },
		{ "Subject: x\n\n{{name}} {{link", "no \"}}\"" },
		{ "Subject: {{other}}\n\n{{name}} {{link}}", "{{other}}" },
		{ "Subject: x\n\n{{name}}", "does not say {{link}}" },
	};
	void *root = mem_root("test");
	char *subject, *body;
	struct err e;

	(void)state;
	assert_int_equal(mail_fill(root,
			     "Subject: For {{name}}\n\nHi {{name}},\n{{link}}\n"
			     "{ {x} }\n",
			     values, &subject, &body, &e),
	    0);
	assert_string_equal(subject, "For Ann");
	assert_string_equal(
	    body, "Hi Ann,\nhttps://x.example/?a={{name}}\n{ {x} }\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    mail_fill(root, bad[i].text, values, &subject, &body, &e),
		    -1);
		if (strstr(e.text, bad[i].complaint) == NULL)
			fail_msg("row %zu: %s", i, e.text);
		assert_null(subject);
		assert_null(body);
	}
	mem_free(root);
}

/* A name with line breaks writes no line of its own. */
static void
hostile_value(void **state)
{
	static const struct mail_value values[] = {
		{ "name", "Ann\r\nBcc: e@evil\n\nClick http://evil" },
		{ NULL, NULL }
	};
	void *root = mem_root("test");
	char *subject, *body;
	struct err e;

	(void)state;
	assert_int_equal(mail_fill(root, "Subject: {{name}}\n\n{{name}}!\n",
			     values, &subject, &body, &e),
	    0);
	assert_null(strpbrk(subject, "\r\n"));
	assert_string_equal(body, "Ann  Bcc: e@evil  Click http://evil!\n");
	mem_free(root);
}

/* Those that are shipped, with what they are given. */
static void
shipped(void **state)
{
	static const struct mail_value invitation[] = { { "account",
							    "Shoe Palace" },
		{ "role", "viewer" }, { "until", "22 November, 12:00 UTC" },
		{ "link", "https://x.example/i/abc" }, { NULL, NULL } };
	static const struct mail_value reset[] = { { "product", "Switchboard" },
		{ "email", "ann@x.example" },
		{ "until", "22 November, 12:00 UTC" },
		{ "link", "https://x.example/r/abc" }, { NULL, NULL } };
	const char *source = getenv("srcdir");
	void *root = mem_root("test");
	char dir[512], *subject, *body;
	struct err e = { 0 };

	(void)state;
	snprintf(dir, sizeof(dir), "%s/templates/mail",
	    source != NULL ? source : ".");
	if (mail_template(
		root, dir, "invitation", invitation, &subject, &body, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(subject, "Your invitation to Shoe Palace");
	assert_non_null(strstr(body, "\nhttps://x.example/i/abc\n"));
	if (mail_template(root, dir, "reset", reset, &subject, &body, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(subject, "A new password for Switchboard");
	assert_int_equal(
	    mail_template(root, dir, "none", reset, &subject, &body, &e), -1);
	assert_non_null(strstr(e.text, "none.txt"));
	mem_free(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(quoted_printable),
		cmocka_unit_test(encoded_words),
		cmocka_unit_test(injections),
		cmocka_unit_test(whole),
		cmocka_unit_test(templates),
		cmocka_unit_test(hostile_value),
		cmocka_unit_test(shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
