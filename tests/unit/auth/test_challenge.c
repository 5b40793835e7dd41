/* Between password and second factor: whose challenge it is, nobody else's, for
 * so many tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "auth/challenge.h"
#include "auth/form_token.h"
#include "auth/throttle.h"
#include "crypto/hash.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static void
test_back(void **state)
{
	struct token t = { .version = 7 };
	char email[300], *text, *other;
	struct challenge c, d;
	void *ctx = mem_root("test");

	(void)state;
	id_new(&t.user);
	text = challenge_make(ctx, &t, "ann@example.com");
	other = challenge_make(ctx, &t, "ann@example.com");
	assert_int_equal(challenge_read(text, &c), 0);
	assert_true(id_eq(&c.token.user, &t.user));
	assert_int_equal(c.token.version, 7);
	assert_string_equal(c.email, "ann@example.com");
	assert_int_equal(challenge_read(other, &d), 0);
	assert_string_not_equal(c.name, d.name);
	/* it goes into a cookie */
	memset(email, 'e', sizeof(email));
	email[254] = '\0';
	text = challenge_make(ctx, &t, email);
	assert_true(strlen(text) < 700);
	assert_int_equal(challenge_read(text, &c), 0);
	assert_string_equal(c.email, email);
	mem_free(ctx);
}

static void
test_forged(void **state)
{
	struct token t = { .version = 7 };
	void *ctx = mem_root("test");
	char *text = challenge_make(ctx, &t, "ann@example.com"), *bad;
	char mac[FORM_TOKEN_TEXT];
	struct challenge c;

	(void)state;
	for (size_t i = 0; i < strlen(text); i++) {
		bad = mem_strdup(ctx, text);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		assert_int_equal(challenge_read(bad, &c), -1);
		bad[i] = '\0';
		assert_int_equal(challenge_read(bad, &c), -1);
	}
	assert_int_equal(challenge_read("", &c), -1);
	assert_int_equal(challenge_read(".", &c), -1);
	/* a token of ours that is bound to something else */
	form_token_make(text, strcspn(text, ".") % FORM_TOKEN_BOUND, mac);
	bad = mem_printf(ctx, "%.*s.%s", (int)strcspn(text, "."), text, mac);
	assert_int_equal(challenge_read(bad, &c), -1);
	mem_free(ctx);
}

static void
test_tries(void **state)
{
	int64_t now = 1000 * CLOCK_S;
	int wait;

	(void)state;
	for (unsigned i = 1; i <= 20; i++)
		assert_int_equal(throttle_tries("step one", now), i);
	assert_int_equal(throttle_tries("step two", now), 1);
	/* of no address and no person */
	assert_int_equal(throttle_check("ann@example.com", "", now, &wait), 0);
	assert_int_equal(
	    throttle_check("ann@example.com", "192.0.2.1", now, &wait), 0);
}

static char dir[] = "/tmp/sb-challenge-XXXXXX";
static char file[64];

static int
setup(void **state)
{
	static const char key[] =
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	int fd;

	(void)state;
	if (crypto_setup(NULL) != 0 || mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/master.key", dir);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, key, sizeof(key) - 1) != sizeof(key) - 1)
		return -1;
	close(fd);
	throttle_map();
	return form_token_setup(file, NULL);
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
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_tries),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
