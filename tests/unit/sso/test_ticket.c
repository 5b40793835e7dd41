/* sso/ticket: cookies of sign-ins on their way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "sso/ticket.h"
#include "util/mem.h"
#include "util/str.h"

#define NOW 1800000000

static const unsigned char key[TICKET_KEY] = "a key of this test and of none";
static const unsigned char other[TICKET_KEY] = "another key, of none either";

static struct ticket
new_ticket(void)
{
	struct ticket t = { .until = NOW + 600, .then = "/me" };

	id_new(&t.account);
	ticket_provider("https://op.example", "us", t.provider);
	return t;
}

static void
test_round(void **state)
{
	void *ctx = mem_root("test");
	struct ticket t = new_ticket(), back, second;
	char *cookie = ticket_make(ctx, key, &t);
	unsigned char hash[32];
	char want[TICKET_PART];

	(void)state;
	assert_int_equal(ticket_read(ctx, key, cookie, NOW, &back), 0);
	assert_true(id_eq(&t.account, &back.account));
	assert_string_equal(back.then, "/me");
	assert_string_equal(back.provider, t.provider);
	assert_string_equal(back.state, t.state);
	assert_string_equal(back.nonce, t.nonce);
	assert_string_equal(back.verifier, t.verifier);
	assert_memory_equal(back.hash, t.hash, 32);
	/* RFC 7636: the challenge is of the verifier. */
	crypto_sha256(back.verifier, strlen(back.verifier), hash);
	str_b64url(hash, sizeof(hash), want);
	assert_string_equal(back.challenge, want);
	/* Nothing of what is derived is the same, or in the cookie. */
	assert_string_not_equal(t.state, t.nonce);
	assert_string_not_equal(t.nonce, t.verifier);
	assert_null(strstr(cookie, t.state));
	assert_null(strstr(cookie, t.nonce));
	assert_null(strstr(cookie, t.verifier));
	/* A second one has nothing of the first. */
	second = t;
	assert_string_not_equal(ticket_make(ctx, key, &second), cookie);
	assert_string_not_equal(second.state, t.state);
	mem_free(ctx);
}

static void
test_refused(void **state)
{
	void *ctx = mem_root("test");
	struct ticket t = new_ticket(), back;
	char *cookie = ticket_make(ctx, key, &t), *long_one;

	(void)state;
	assert_int_equal(ticket_read(ctx, other, cookie, NOW, &back), -1);
	assert_int_equal(ticket_read(ctx, key, cookie, NOW + 599, &back), 0);
	assert_int_equal(ticket_read(ctx, key, cookie, NOW + 600, &back), -1);
	for (size_t i = 0; cookie[i] != '\0'; i++) {
		char was = cookie[i];

		cookie[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(ticket_read(ctx, key, cookie, NOW, &back), -1);
		cookie[i] = '.';
		assert_true(was == '.' ||
			    ticket_read(ctx, key, cookie, NOW, &back) != 0);
		cookie[i] = was;
	}
	static const char *const bad[] = { "", ".", ".....", "a.b.c.d.e.f",
		"......" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ticket_read(ctx, key, bad[i], NOW, &back), -1);
	long_one = mem_zalloc(ctx, 5000, "long");
	memset(long_one, '.', 4999);
	assert_int_equal(ticket_read(ctx, key, long_one, NOW, &back), -1);
	mem_free(ctx);
}

static void
test_packed(void **state)
{
	static const char *const texts[] = { "a", NULL, "b.c \xc3\xa4", NULL };
	const char *back[4];
	void *ctx = mem_root("test");
	char *cookie = ticket_pack(ctx, key, NOW + 5, texts, 4), *big;

	(void)state;
	assert_int_equal(ticket_unpack(ctx, key, cookie, NOW, back, 4), 0);
	assert_string_equal(back[0], "a");
	assert_null(back[1]);
	assert_string_equal(back[2], "b.c \xc3\xa4");
	assert_null(back[3]);
	assert_int_equal(ticket_unpack(ctx, key, cookie, NOW + 5, back, 4), -1);
	assert_int_equal(ticket_unpack(ctx, other, cookie, NOW, back, 4), -1);
	assert_int_equal(ticket_unpack(ctx, key, cookie, NOW, back, 3), -1);
	assert_int_equal(ticket_unpack(ctx, key, cookie, NOW, back, 5), -1);
	for (size_t i = 0; cookie[i] != '\0'; i++) {
		char was = cookie[i];

		cookie[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(
		    ticket_unpack(ctx, key, cookie, NOW, back, 4), -1);
		cookie[i] = was;
	}
	/* One kind is not good for the other. */
	struct ticket t = new_ticket(), read;

	assert_int_equal(
	    ticket_unpack(ctx, key, ticket_make(ctx, key, &t), NOW, back, 4),
	    -1);
	assert_int_equal(ticket_read(ctx, key, cookie, NOW, &read), -1);
	/* More than a cookie holds. */
	big = mem_zalloc(ctx, 4000, "big");
	memset(big, 'x', 3999);
	assert_null(ticket_pack(ctx, key, NOW + 5, (const char *[]){ big }, 1));
	mem_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
