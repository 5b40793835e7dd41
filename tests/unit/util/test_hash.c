/* The keyed hash is the one its authors publish vectors for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/hash.h"

#include "util/banned.h"

/* The vectors of the SipHash paper and its reference code. */
static void
siphash(void **state)
{
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	unsigned char in[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)i;
	assert_true(hash_keyed(key, in, 15) == 0xa129ca6149be45e5);
	assert_true(hash_keyed(key, in, 0) == 0x726fdb47dd0e0e31);
	assert_true(hash_keyed(key, in, 8) == 0x93f5f5799a932462);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
