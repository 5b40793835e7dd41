/* Master keys: their file, their names, what derives from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "secret/keyring.h"
#include "secret/purpose.h"

#include "util/banned.h"

#define ONE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TWO "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static char dir[] = "/tmp/sb-test-keyring-XXXXXX", file[64];

static void
put(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, 0600), 0);
}

static struct keyring *
ring(void)
{
	struct keyring *k = NULL;
	struct err e = { 0 };

	if (keyring_read(file, &k, &e) != 0)
		fail_msg("%s", e.text);
	return k;
}

static void
test_forms(void **state)
{
	static const struct {
		const char *text, *complaint;
		int n;
	} rows[] = {
		{ ONE "\n", NULL, 1 },
		{ "key " ONE "\n", NULL, 1 },
		{ "# a comment\n\nkey " ONE "\n  # another\nkey " TWO, NULL,
		    2 },
		{ "key " ONE "\nkey " ONE "\n", "twice", 0 },
		{ "key " ONE "\n" TWO "\n", "neither", 0 },
		{ ONE "\nkey " TWO "\n", "neither", 0 },
		{ "key " ONE "\nkey 0011\n", "2 bytes", 0 },
		{ "key " ONE "\nkey zz\n", "hexadecimal", 0 },
		{ "key " ONE "\nkey " ONE "00\nkey " ONE "01\nkey " ONE
		  "02\nkey " ONE "03\n",
		    "more than 4", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keyring *k = NULL;
		struct err e = { 0 };

		put(rows[i].text);
		if (rows[i].complaint == NULL) {
			k = ring();
			assert_int_equal(keyring_count(k), rows[i].n);
			keyring_free(k);
			continue;
		}
		assert_int_equal(keyring_read(file, &k, &e), -1);
		if (strstr(e.text, rows[i].complaint) == NULL)
			fail_msg("row %zu: %s", i, e.text);
		assert_null(strstr(e.text, "0001020304"));
	}
}

/* F5: no two purposes share a key, no two master keys either. */
static void
test_purposes(void **state)
{
	static const char *const labels[] = { PURPOSES };
	enum { N = sizeof(labels) / sizeof(labels[0]) };
	unsigned char key[2 * N][32];
	struct keyring *k;
	char hex[65];

	(void)state;
	put("key " ONE "\nkey " TWO "\n");
	k = ring();
	for (int i = 0; i < 2 * N; i++)
		keyring_derive(k, i / N, labels[i % N], key[i]);
	for (int i = 0; i < 2 * N; i++)
		for (int j = 0; j < i; j++)
			if (memcmp(key[i], key[j], 32) == 0)
				fail_msg(
				    "%s and %s", labels[i % N], labels[j % N]);
	/* a name says nothing of its key */
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", key[0][i]);
	assert_int_equal(strlen(keyring_id(k, 0)), 16);
	assert_null(strstr(ONE, keyring_id(k, 0)));
	assert_null(strstr(hex, keyring_id(k, 0)));
	assert_int_equal(keyring_find(k, keyring_id(k, 1)), 1);
	assert_int_equal(keyring_find(k, "0000000000000000"), -1);
	keyring_free(k);
}

static void
test_change(void **state)
{
	struct keyring *old, *new;
	struct err e = { 0 };
	struct stat st;
	char id[KEYRING_ID];

	(void)state;
	put(ONE);
	assert_int_equal(chmod(file, 0440), 0);
	old = ring();
	assert_false(keyring_stale(old));
	assert_int_equal(keyring_add(file, &e), 0);
	assert_true(keyring_stale(old));
	new = ring();
	assert_int_equal(keyring_count(new), 2);
	assert_string_equal(keyring_id(new, 1), keyring_id(old, 0));
	assert_string_not_equal(keyring_id(new, 0), keyring_id(old, 0));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
	snprintf(id, sizeof(id), "%s", keyring_id(new, 0));
	keyring_free(old);

	/* not even asked to does it go without the one in use */
	assert_int_equal(keyring_keep(new, 0, &e), 0);
	keyring_free(new);
	new = ring();
	assert_int_equal(keyring_count(new), 1);
	assert_string_equal(keyring_id(new, 0), id);
	keyring_free(new);
	for (int i = 0; i < 3; i++)
		assert_int_equal(keyring_add(file, &e), 0);
	assert_int_equal(keyring_add(file, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
}

static void
test_given(void **state)
{
	struct keyring *k;
	struct err e = { 0 };

	(void)state;
	put(ONE);
	keyring_given("");
	assert_false(keyring_is_given());
	keyring_given(TWO "," ONE);
	assert_true(keyring_is_given());
	k = ring();
	assert_int_equal(keyring_count(k), 2);
	assert_false(keyring_stale(k));
	assert_int_equal(keyring_add(file, &e), -1);
	assert_int_equal(keyring_keep(k, 1, &e), -1);
	keyring_free(k);
	keyring_given("abc");
	assert_int_equal(keyring_read(file, &k, &e), -1);
	assert_non_null(strstr(e.text, "SB_MASTER_KEY"));
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/master.key", dir);
	return crypto_setup(NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir); /* and nothing else was left there */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_purposes),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_given),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
