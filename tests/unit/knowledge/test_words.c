/* The words of a question that are worth searching for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "knowledge/words.h"

#include "util/banned.h"

static void
expect(const char *question, const char *words)
{
	struct words w;

	words_of(question, &w);
	assert_string_equal(w.text, words);
}

static void
conversation_is_left_out(void **state)
{
	(void)state;
	expect("Hello!", "");
	expect("Hi, can you please help me?", "");
	expect("What's the price of the GlucoTrack?", "price GlucoTrack");
	expect("Thanks a lot", "lot");
	expect("", "");
}

static void
syntax_becomes_space(void **state)
{
	(void)state;
	expect("a' | 'b & !c:* <-> (d)", "b c d");
	expect("cost\\of'; DROP TABLE x;--", "cost DROP TABLE x");
	expect("blood:pressure*", "blood pressure");
}

static void
words_stay_whole(void **state)
{
	(void)state;
	expect("HH-200 and snake_case", "HH-200 snake_case");
	expect("dose 2.5 mg. Now", "dose 2.5 mg");
	expect("end- -start", "end start");
	expect("J\xc3\xb6rg's M\xc3\xbcller", "J\xc3\xb6rg M\xc3\xbcller");
	expect("l'insuline", "l insuline");
}

static void
everything_at_all(void **state)
{
	struct words w;

	(void)state;
	words_of("What products do you sell?", &w);
	assert_true(w.overview);
	words_of("What do you offer for horses?", &w);
	assert_false(w.overview);
	words_of("hello", &w);
	assert_false(w.overview);
}

static void
a_long_question_is_cut(void **state)
{
	char text[8192];
	struct words w;
	size_t n = 0;

	(void)state;
	while (n < sizeof(text) - 32) {
		memcpy(text + n, "abcdefghijklmnopqrstuvwxyz ", 27);
		n += 27;
	}
	text[n] = '\0';
	words_of(text, &w);
	assert_int_equal(w.n, 37); /* what fits WORDS_SIZE */
	assert_int_equal(strlen(w.text), 37 * 27 - 1);
	memset(text, 'x', 1000);
	memcpy(text + 1000, " y", 3);
	expect(text, "y");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversation_is_left_out),
		cmocka_unit_test(syntax_becomes_space),
		cmocka_unit_test(words_stay_whole),
		cmocka_unit_test(everything_at_all),
		cmocka_unit_test(a_long_question_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
