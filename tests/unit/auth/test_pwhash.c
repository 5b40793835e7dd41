/* Password hashes for those who serve, with the real Argon2id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "auth/pwhash.h"
#include "crypto/hash.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static struct pwhash_answer
check(const char *hash, const char *password)
{
	struct pwhash_answer a;
	struct err e = { 0 };

	assert_int_equal(pwhash_check(hash, password, &a, &e), 0);
	return a;
}

static void
makes_and_checks(void **state)
{
	void *root = mem_root("test");
	struct err e = { 0 };
	char *hash;

	(void)state;
	/* without a map, as the commands of the operator, and with one */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    pwhash_make(root, "correct horse", &hash, &e), 0);
		assert_true(check(hash, "correct horse").ok);
		assert_false(check(hash, "correct horse").stale);
		assert_false(check(hash, "correct horsf").ok);
		assert_false(check(hash, "").ok);
		assert_false(check(NULL, "correct horse").ok);
		assert_false(check(NULL, "").ok);
		assert_false(check("", "").ok);
		assert_false(check("!", "!").ok);
		pwhash_map(0, 4, 1000);
	}
	mem_free(root);
}

/* Made with less than today's parameters: right, and to be made anew. */
static void
old_parameters(void **state)
{
	static const char old[] = "$argon2id$v=19$m=8192,t=1,p=1$"
				  "gFKKqOQ6QwHFeDzsfU4PbA$"
				  "uiTd2rP/H/o3cc8DgWlMs+2NAI5gPxvQ27qmEN5JoSM";

	(void)state;
	assert_true(check(old, "correct horse").ok);
	assert_true(check(old, "correct horse").stale);
	assert_false(check(old, "correct horsf").ok);
	assert_false(check(old, "correct horsf").stale);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

#define TRIES 15

static int64_t
median_of(const char *hash)
{
	int64_t took[TRIES];

	for (int i = 0; i < TRIES; i++) {
		int64_t began = clock_mono();

		assert_false(check(hash, "some wrong password").ok);
		took[i] = clock_mono() - began;
	}
	qsort(took, TRIES, sizeof(took[0]), compare);
	return took[TRIES / 2];
}

/* Who does not exist, and whose hash is broken, cost what others cost: a
 * computation too few or too many would be a factor of a hundred, or of two. */
static void
unknown_takes_as_long(void **state)
{
	void *root = mem_root("test");
	struct err e = { 0 };
	int64_t known, unknown, broken;
	char *hash;

	(void)state;
	assert_int_equal(pwhash_make(root, "correct horse", &hash, &e), 0);
	known = median_of(hash);
	unknown = median_of(NULL);
	broken = median_of("$argon2id$broken");
	assert_true(unknown > known / 2 && unknown < known * 2);
	assert_true(broken > known / 2 && broken < known * 2);
	mem_free(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_and_checks),
		cmocka_unit_test(old_parameters),
		cmocka_unit_test(unknown_takes_as_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
