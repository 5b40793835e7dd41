/* Which passwords may be chosen, and what is said of those that may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "auth/password_priv.h"
#include "crypto/hash.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct password_owner ann = {
	.email = "ann.miller@mail.corpnet.example",
	.name = "Ann M\xc3\xbcller",
	.account = "shoe-palace",
};

/* What is said of ${p}; "" when it is good. */
static const char *
said(void *root, const char *p, size_t n, bool second)
{
	static struct err e;
	struct password_owner o = ann;
	char *out;

	memset(&e, 0, sizeof(e));
	o.second_factor = second;
	if (password_choose(root, p, n, &o, &out, &e) == 0) {
		assert_non_null(out);
		return "";
	}
	assert_null(out);
	assert_int_equal(e.code, ERR_INVALID);
	return e.text;
}

struct row {
	const char *password;
	const char *complaint; /* a part of it; NULL: good */
};

static void
try_rows(const struct row *rows, size_t n, bool second)
{
	void *root = mem_root("test");
	int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const char *p = rows[i].password, *want = rows[i].complaint;
		const char *text = said(root, p, strlen(p), second);

		if (want == NULL ? *text == '\0' : strstr(text, want) != NULL)
			continue;
		print_error("%s: %s\n", p, *text ? text : "good");
		wrong++;
	}
	assert_int_equal(wrong, 0);
	mem_free(root);
}

static void
alone(void **state)
{
	static const struct row rows[] = {
		/* lengths */
		{ "", "empty" },
		{ "k7#Lw0pZt!4vQe", "14 characters, at least 15" },
		{ "k7#Lw0pZt!4vQeu", NULL },
		{ "CorrectHorseBatteryStaple", NULL },
		{ "correct horse battery staple", NULL },
		{ "the cat sat on a mat again", NULL },
		{ "nine purple llamas hum tunes", NULL },
		/* characters count, not bytes */
		{ "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa9k7#Lw0pZt!",
		    "14 characters" },
		{ "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa9k7#Lw0pZt!4", NULL },
		{ "\xe6\x88\x91\xe7\x9a\x84\xe5\xaf\x86\xe7\xa0\x81\xe6\x98"
		  "\xaf\xe5\xbe\x88\xe5\xae\x89\xe5\x85\xa8\xe7\x9a\x84\xe5"
		  "\xa5\xbd\xe5\x90\x97\xe8\xb0\xa2\xe4\xbd\xa0\xe4\xb8\x8d\xe4"
		  "\xba\x86",
		    NULL },
		/* made of little */
		{ "aaaaaaaaaaaaaaa", "repeats itself" },
		{ "aaaaaaaaaaaaaaab", "repeats itself" },
		{ "abcabcabcabcabcabc", "repeats itself" },
		{ "xK9#mQ2$xK9#mQ2$", "repeats itself" },
		{ "xK9xK9xK9xK9xK9!", "repeats itself" },
		{ "123456789012345", "row of neighbouring" },
		{ "abcdefghijklmnop", "row of neighbouring" },
		{ "zyxwvutsrqponml", "row of neighbouring" },
		{ "qwertyuiopasdfghjkl", "row of neighbouring" },
		{ "qwertzuiopasdfgh", "row of neighbouring" },
		{ "azertyuiopqsdfgh", "row of neighbouring" },
		{ "1qaz2wsx3edc4rfv", "row of neighbouring" },
		{ "!@#$%^&*()_+!@#$", "row of neighbouring" },
		{ "zaq1xsw2cde3vfr4", "row of neighbouring" },
		{ "passwordpassword", "repeats itself" },
		{ "PasswordPasswort1", "common word" },
		{ "P@ssw0rd12345678", "would be guessed" },
		{ "Password123!2024", "common word" },
		{ "drowssapnimdA123", "common word" },
		{ "WelcomeWelcome1!", "would be guessed" },
		{ "LetMeInPlease2024!", "common word" },
		{ "administrator2024", "common word" },
		{ "$3cr3t$3cr3t4dm1n", "would be guessed" },
		{ "ILoveYouForever!", "common word" },
		{ "Summer2024Winter2025", "common word" },
		{ "\xef\xbc\xb0\xef\xbc\xa1\xef\xbc\xb3\xef\xbc\xb3word12345678"
		  "9",
		    "would be guessed" }, /* full width PASS */
		{ "19901991199219931994", "years" },
		/* whose it is */
		{ "k7#Lw0pZt!4miller", "your e-mail address" },
		{ "k7#Lw0pZ M1LL3R xx", "your e-mail address" },
		{ "k7#Lw0pZ rellim xx", "your e-mail address" },
		{ "k7#Lw0pZt!corpnet", "your e-mail address" },
		{ "k7#Lw0pZt!4M\xc3\xbcLLER", "your name" },
		{ "k7#Lw0pZt!4palace", "the account's name" },
		{ "Sh0e-Pal@ce k7#Lw0", "the account's name" },
		{ "k7#Lw0pZtSwitchb0ard", "this product's name" },
		{ "ann and ann again, ok", NULL }, /* three letters */
		/* bytes */
		{ "k7#Lw0pZt!4vQeu\x01", "control character" },
		{ "k7#Lw0pZt!4vQeu\n", "control character" },
		{ "k7#Lw0pZt!4vQeu\xff", "not UTF-8 (byte 16" },
		{ "k7#Lw0pZt!4vQeu\xcd\xb8", "does not know" },
	};

	(void)state;
	try_rows(rows, sizeof(rows) / sizeof(rows[0]), false);
}

static void
with_a_second_factor(void **state)
{
	static const struct row rows[] = {
		{ "k7#Lw0p", "7 characters, at least 8 are needed" },
		{ "k7#Lw0pZ", NULL },
		{ "blue7Cat!x", NULL },
		{ "password", "common word" },
		{ "P@ssw0rd1!", "common word" },
		{ "Summer24", "common word" },
		{ "12345678", "row of neighbouring" },
		{ "aaaaaaaa", "repeats itself" },
		{ "iloveyou", "common word" },
		{ "qwerty12", "common word" },
		{ "miller99", "your e-mail address" },
	};

	(void)state;
	try_rows(rows, sizeof(rows) / sizeof(rows[0]), true);
}

/* Nothing is cut off: a change of any character makes another password, at
 * lengths where others cut. */
static void
whole(void **state)
{
	static const size_t lengths[] = { 15, 64, 71, 72, 73, 127, 128, 129,
		255, 256, 257, 1023, 1024 };
	void *root = mem_root("test");
	struct err e = { 0 };
	char p[1026], *out, *hash;
	uint32_t x = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(p); i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (char)('!' + (x >> 16) % 94);
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i];

		assert_int_equal(
		    password_choose(root, p, n, &ann, &out, &e), 0);
		assert_int_equal(strlen(out), n);
		assert_memory_equal(out, p, n);
		assert_int_equal(crypto_password_hash(root, out, &hash, &e), 0);
		assert_true(crypto_password_ok(hash, out));
		out[n - 1] ^= 1;
		assert_false(crypto_password_ok(hash, out));
		out[n - 1] = '\0';
		assert_false(crypto_password_ok(hash, out));
	}
	assert_non_null(strstr(said(root, p, 1025, false), "1024 bytes"));
	p[20] = '\0';
	assert_non_null(strstr(said(root, p, 40, false), "NUL"));
	assert_int_equal(password_prepare(root, p, 40, &out, &e), -1);
	assert_non_null(strstr(e.text, "NUL"));
	mem_free(root);
}

/* One password however a keyboard spells it; and what was chosen is prepared
 * to the same. */
static void
one_spelling(void **state)
{
	void *root = mem_root("test");
	struct err e = { 0 };
	const char *apart = "cafe\xcc\x81 k7#Lw0pZt!4", *one = "caf\xc3\xa9 "
							       "k7#Lw0pZt!4";
	char *a, *b;

	(void)state;
	assert_int_equal(
	    password_choose(root, apart, strlen(apart), &ann, &a, &e), 0);
	assert_int_equal(password_prepare(root, one, strlen(one), &b, &e), 0);
	assert_string_equal(a, b);
	assert_string_equal(a, one);
	/* To sign in there are no rules: it is one or it is not. */
	assert_int_equal(password_prepare(root, "x", 1, &a, &e), 0);
	assert_int_equal(password_prepare(root, "\xcd\xb8", 2, &a, &e), 0);
	assert_int_equal(password_prepare(root, "", 0, &a, &e), -1);
	mem_free(root);
}

/* The words that wait for decorations: as written, in leet, backwards, with a
 * year and a mark, none is good with a second factor. */
static void
every_word_decorated(void **state)
{
	static const char *const leet[] = { "a4", "e3", "i1", "o0", "s5",
		"t7" };
	void *root = mem_root("test");
	char text[96], other[96];
	size_t words = 0;

	(void)state;
	for (; password_words[words] != NULL; words++) {
		const char *w = password_words[words];
		size_t n = strlen(w);

		assert_in_range(n, 3, 63);
		for (size_t i = 0; i < n; i++)
			assert_true(w[i] >= 'a' && w[i] <= 'z');
		for (size_t i = 0; i < n; i++) {
			text[i] = w[i];
			other[i] = w[n - 1 - i];
			for (size_t k = 0; k < 6; k++)
				if (text[i] == leet[k][0])
					text[i] = leet[k][1];
		}
		snprintf(text + n, sizeof(text) - n, "2024!");
		snprintf(other + n, sizeof(other) - n, "12345");
		if (*said(root, text, strlen(text), true) == '\0')
			fail_msg("%s is good", text);
		if (*said(root, other, strlen(other), true) == '\0')
			fail_msg("%s is good", other);
	}
	assert_in_range(words, 250, 2000);
	mem_free(root);
}

/* Random ones are good, all of them; and nothing takes long. */
static void
random_ones_are_good(void **state)
{
	void *root = mem_root("test");
	char p[1024];
	uint32_t x = 12345;
	int64_t began;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		for (size_t k = 0; k < 15; k++) {
			x = x * 1664525 + 1013904223;
			p[k] = (char)('!' + (x >> 16) % 94);
		}
		if (*said(root, p, 15, false) != '\0')
			fail_msg("%.15s: %s", p, said(root, p, 15, false));
	}
	began = clock_mono();
	memset(p, 'a', sizeof(p));
	p[1023] = 'b';
	assert_non_null(strstr(said(root, p, 1024, false), "repeats"));
	/* U+FDFA folds to 18 characters */
	for (size_t i = 0; i + 3 <= sizeof(p); i += 3)
		memcpy(p + i, "\xef\xb7\xba", 3);
	(void)said(root, p, 1023, false);
	assert_true(clock_mono() - began < 2 * CLOCK_S);
	mem_free(root);
}

static void
nothing_of_it_is_told(void **state)
{
	void *root = mem_root("test");
	struct password_owner nobody = { 0 };
	struct err e = { 0 };
	char *out;

	(void)state;
	assert_null(
	    strstr(said(root, "miller-k7#Lw0pZt", 16, false), "miller"));
	assert_int_equal(
	    password_choose(root, "miller-k7#Lw0pZt", 16, &nobody, &out, &e),
	    0);
	mem_free(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone),
		cmocka_unit_test(with_a_second_factor),
		cmocka_unit_test(whole),
		cmocka_unit_test(one_spelling),
		cmocka_unit_test(every_word_decorated),
		cmocka_unit_test(random_ones_are_good),
		cmocka_unit_test(nothing_of_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
