/* Session keys: bound to account, session and widget key; nothing forged gets
 * through; the master key file is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/session_key.h"
#include "crypto/hash.h"

#include "util/banned.h"

static char dir[] = "/tmp/sb-session-key-XXXXXX";
static char file[64];

static void
master(const char *text, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static const char good[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

static void
use(const char *text)
{
	struct err e = { 0 };

	master(text, 0600);
	if (session_key_setup(file, &e) != 0)
		fail_msg("%s", e.text);
}

static void
makes_and_checks(void **state)
{
	struct uuid account, session, widget, nil = { 0 }, got;
	char key[SESSION_KEY_TEXT], other[SESSION_KEY_TEXT];

	(void)state;
	use(good);
	id_new(&account);
	id_new(&session);
	id_new(&widget);
	session_key_make(&account, &session, &widget, key);
	assert_int_equal(strlen(key), 45);
	assert_int_equal(strncmp(key, "s_", 2), 0);
	assert_true(session_name_ok(key));
	assert_true(session_key_check(key, &account, &widget, &got));
	assert_true(id_eq(&got, &session));
	memset(&got, 0, sizeof(got));
	assert_true(session_key_peek(key, &got));
	assert_true(id_eq(&got, &session));

	/* For somebody else's account or widget key it is nothing. */
	assert_false(session_key_check(key, &widget, &widget, &got));
	assert_false(session_key_check(key, &account, &account, &got));
	assert_false(session_key_check(key, &account, &nil, &got));
	assert_false(session_key_check(key, &account, NULL, &got));
	session_key_make(&account, &session, NULL, other);
	assert_string_not_equal(key, other);
	assert_true(session_key_check(other, &account, &nil, &got));
	assert_false(session_key_check(other, &account, &widget, &got));

	/* Another master key knows nothing of it. */
	use("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
	assert_false(session_key_check(key, &account, &widget, &got));
}

static void
forgeries(void **state)
{
	struct uuid account, session, got;
	char key[SESSION_KEY_TEXT], bent[SESSION_KEY_TEXT + 8];

	(void)state;
	use(good);
	id_new(&account);
	id_new(&session);
	session_key_make(&account, &session, NULL, key);
	/* Every single change of a character, also of the last one's spare
	 * bits. */
	for (size_t i = 0; key[i] != '\0'; i++)
		for (int c = '-'; c <= 'z'; c++) {
			memcpy(bent, key, sizeof(key));
			if (c == key[i])
				continue;
			bent[i] = (char)c;
			assert_false(
			    session_key_check(bent, &account, NULL, &got));
		}
	snprintf(bent, sizeof(bent), "%sA", key);
	assert_false(session_key_check(bent, &account, NULL, &got));
	assert_false(session_key_peek(bent, &got));
	snprintf(bent, sizeof(bent), "%.44s", key);
	assert_false(session_key_check(bent, &account, NULL, &got));
	assert_false(session_key_check("", &account, NULL, &got));
	assert_false(session_key_check("s_", &account, NULL, &got));
	assert_false(session_key_check(NULL, &account, NULL, &got));
	assert_false(session_key_peek("my-session", &got));
}

static void
master_key_file(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *complaint; /* NULL: good */
	} rows[] = {
		{ good, 0600, NULL },
		{ good, 0400, NULL },
		{ good, 0640, NULL },
		{ good, 0644, "chmod 600" },
		{ good, 0604, "chmod 600" },
		{ good, 0620, "chmod 600" },
		{ " 00010203 04050607\n08090A0B0C0D0E0F10111213141516171819"
		  "1a1b1c1d1e1f \n",
		    0600, NULL },
		{ "", 0600, "0 bytes" },
		{ "00010203", 0600, "at least 32" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c"
		  "1d1e",
		    0600, "31 bytes" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c"
		  "1d1e1",
		    0600, "hexadecimal" },
		{ "not hexadecimal", 0600, "hexadecimal" },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&e, 0, sizeof(e));
		master(rows[i].text, rows[i].mode);
		if (rows[i].complaint == NULL) {
			if (session_key_setup(file, &e) != 0)
				fail_msg("row %zu: %s", i, e.text);
			continue;
		}
		assert_int_equal(session_key_setup(file, &e), -1);
		if (strstr(e.text, rows[i].complaint) == NULL)
			fail_msg("row %zu: %s", i, e.text);
		/* No byte of the file in the message. */
		assert_null(strstr(e.text, "00010203"));
	}
	unlink(file);
	assert_int_equal(session_key_setup(file, &e), -1);
	assert_int_equal(session_key_setup(dir, &e), -1);
}

/* The master key is exchanged under running processes: nobody is cut off until
 * the old one goes. */
static void
exchanged(void **state)
{
#define OLD                                                                    \
	"key "                                                                 \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define NEW                                                                    \
	"key "                                                                 \
	"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0\n"
	struct uuid account, session, got;
	char old[SESSION_KEY_TEXT], new[SESSION_KEY_TEXT];

	(void)state;
	id_new(&account);
	id_new(&session);
	use(OLD);
	session_key_make(&account, &session, NULL, old);
	use(NEW OLD);
	assert_true(session_key_check(old, &account, NULL, &got));
	session_key_make(&account, &session, NULL, new);
	assert_string_not_equal(old, new);
	assert_true(session_key_check(new, &account, NULL, &got));
	/* one who knows the old one only looks when he is shown the new */
	use(OLD);
	assert_false(session_key_check(new, &account, NULL, &got));
	master(NEW OLD, 0600);
	assert_true(session_key_check(new, &account, NULL, &got));
	assert_true(session_key_check(old, &account, NULL, &got));
	/* a file that is broken meanwhile changes nothing */
	master("key", 0600);
	new[10] ^= 1;
	assert_false(session_key_check(new, &account, NULL, &got));
	new[10] ^= 1;
	assert_true(session_key_check(new, &account, NULL, &got));
	use(NEW);
	assert_false(session_key_check(old, &account, NULL, &got));
	assert_true(session_key_check(new, &account, NULL, &got));
}

static void
names(void **state)
{
	char longest[130];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[128] = '\0';
	assert_true(session_name_ok("a"));
	assert_true(session_name_ok("Az09._:-"));
	assert_true(session_name_ok(longest));
	longest[128] = 'a';
	longest[129] = '\0';
	assert_false(session_name_ok(longest));
	assert_false(session_name_ok(""));
	assert_false(session_name_ok(NULL));
	assert_false(session_name_ok("a b"));
	assert_false(session_name_ok("a/b"));
	assert_false(session_name_ok("a\n"));
	assert_false(session_name_ok("\xc3\xa9"));
}

static int
setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/master.key", dir);
	return crypto_setup(&e);
}

static int
teardown(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_and_checks),
		cmocka_unit_test(forgeries),
		cmocka_unit_test(master_key_file),
		cmocka_unit_test(exchanged),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
