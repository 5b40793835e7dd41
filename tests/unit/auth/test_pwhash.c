/* Password hashes for those who serve, with the real Argon2id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

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

#define TRIES 9

/* Processor time: what others do on the machine does not count. */
static int64_t
spent(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * CLOCK_S + ts.tv_nsec;
}

/* Who does not exist, and whose hash is broken, cost what others cost: a
 * computation too few or too many would be a factor of a hundred, or of two. */
static void
unknown_takes_as_long(void **state)
{
	void *root = mem_root("test");
	struct err e = { 0 };
	int64_t least[3] = { INT64_MAX, INT64_MAX, INT64_MAX };
	const char *hashes[3] = { NULL, NULL, "$argon2id$broken" };
	char *hash;

	(void)state;
	assert_int_equal(pwhash_make(root, "correct horse", &hash, &e), 0);
	hashes[0] = hash;
	for (int i = 0; i < 3 * TRIES; i++) {
		int64_t began = spent(), took;

		assert_false(check(hashes[i % 3], "some wrong password").ok);
		took = spent() - began;
		if (took < least[i % 3])
			least[i % 3] = took;
	}
	for (int i = 1; i < 3; i++)
		if (least[i] <= least[0] / 2 || least[i] >= least[0] * 2)
			fail_msg("%lld against %lld ns", (long long)least[i],
			    (long long)least[0]);
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
