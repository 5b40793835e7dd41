/* Tokens of forms: for exactly what they are bound to, and nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/browser.h"
#include "auth/form_token.h"
#include "crypto/hash.h"
#include "util/mem.h"

#include "util/banned.h"

static char dir[] = "/tmp/sb-form-token-XXXXXX";
static char file[64];

static int
use_key(const char *hex)
{
	static const char good[] =
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (hex == NULL)
		hex = good;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, hex, strlen(hex)), (ssize_t)strlen(hex));
	close(fd);
	return form_token_setup(file, NULL);
}

static int
setup(void **state)
{
	(void)state;
	if (crypto_setup(NULL) != 0 || mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/master.key", dir);
	return use_key(NULL);
}

static int
teardown(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

static void
test_bound(void **state)
{
	char a[FORM_TOKEN_TEXT], b[FORM_TOKEN_TEXT], most[FORM_TOKEN_BOUND + 1];

	(void)state;
	form_token_make("alice", 5, a);
	form_token_make("alice", 5, b);
	assert_string_not_equal(a, b); /* each another text */
	assert_true(form_token_check(a, "alice", 5));
	assert_true(form_token_check(b, "alice", 5));
	assert_false(form_token_check(a, "alicf", 5));
	assert_false(form_token_check(a, "alice", 4));
	assert_false(form_token_check(a, "", 0));
	memset(most, 'x', sizeof(most));
	form_token_make(most, FORM_TOKEN_BOUND, a);
	assert_true(form_token_check(a, most, FORM_TOKEN_BOUND));
	assert_false(form_token_check(a, most, FORM_TOKEN_BOUND + 1));
	assert_false(form_token_check(a, most, FORM_TOKEN_BOUND - 1));
}

static void
test_forged(void **state)
{
	char a[FORM_TOKEN_TEXT], c[FORM_TOKEN_TEXT + 8];

	(void)state;
	form_token_make("alice", 5, a);
	assert_false(form_token_check(NULL, "alice", 5));
	assert_false(form_token_check("", "alice", 5));
	for (size_t i = 0; i < strlen(a); i++) {
		memcpy(c, a, sizeof(a));
		c[i] = c[i] == 'A' ? 'B' : 'A';
		assert_false(form_token_check(c, "alice", 5));
		memcpy(c, a, sizeof(a));
		c[i] = '\0';
		assert_false(form_token_check(c, "alice", 5));
	}
	memcpy(c, a, sizeof(a));
	memcpy(c + strlen(a), "A", 2);
	assert_false(form_token_check(c, "alice", 5));
}

static void
test_another_key(void **state)
{
	char a[FORM_TOKEN_TEXT];

	(void)state;
	form_token_make("alice", 5, a);
	assert_int_equal(
	    use_key("ff0102030405060708090a0b0c0d0e0f1011121314151617"
		    "18191a1b1c1d1e1f"),
	    0);
	assert_false(form_token_check(a, "alice", 5));
	assert_int_equal(use_key(NULL), 0);
	assert_true(form_token_check(a, "alice", 5));
}

static void
test_parts(void **state)
{
	char *token, *secret;
	struct err e = { 0 };
	struct browser b;

	(void)state;
	assert_int_equal(
	    browser_parts(NULL, "a.b.c~secret", &token, &secret), 0);
	assert_string_equal(token, "a.b.c");
	assert_string_equal(secret, "secret");
	talloc_free(token);
	talloc_free(secret);
	assert_int_equal(browser_parts(NULL, "a.b.c", &token, &secret), -1);
	/* what is no secret is refused before anybody is asked */
	assert_int_equal(browser_renew(NULL, "", false, 1, 0, &b, &e), -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
	assert_int_equal(
	    browser_renew(NULL, "sb_ref_1_x", false, 1, 0, &b, &e), -1);
	assert_int_equal(browser_renew(NULL,
			     "sb_web__0123456789012345678901234567890123456789"
			     "012",
			     false, 1, 0, &b, &e),
	    -1);
	assert_int_equal(browser_renew(NULL,
			     "sb_web_99999999999999999999_012345678901234567890"
			     "1234567890123456789012",
			     false, 1, 0, &b, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_another_key),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
