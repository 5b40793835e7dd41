/* The whole table of permissions, written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/perm.h"

#include "util/banned.h"

/* By role: p public, m oneself, c chat, r turn read, s stop, f feedback,
 * a audit read. */
static const char *const may[ROLE_COUNT] = {
	[ROLE_NONE] = "p",
	[ROLE_VISITOR] = "pcrsf",
	[ROLE_VIEWER] = "pmr",
	[ROLE_SUPPORT] = "pmcrf",
	[ROLE_ANALYST] = "pmr",
	[ROLE_AGENT_MANAGER] = "pmcrsf",
	[ROLE_ACCOUNT_ADMIN] = "pmcrsfa",
	[ROLE_ACCOUNT_OWNER] = "pmcrsfa",
	[ROLE_PLATFORM_ADMIN] = "pmcrsfa",
};
static const char letter[PERM_COUNT] = { 0, 'p', 'm', 'c', 'r', 's', 'f', 'a' };

static void
matrix(void **state)
{
	(void)state;
	for (int r = 0; r < ROLE_COUNT; r++)
		for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++)
			if (perm_allowed((enum role)r, (enum perm)p) !=
			    (strchr(may[r], letter[p]) != NULL))
				fail_msg("%s and %s", role_name((enum role)r),
				    perm_name((enum perm)p));
}

static void
nothing_by_default(void **state)
{
	(void)state;
	for (int r = 0; r < ROLE_COUNT; r++)
		assert_false(perm_allowed((enum role)r, PERM_UNSET));
	assert_false(perm_allowed((enum role)ROLE_COUNT, PERM_PUBLIC));
	assert_false(perm_allowed((enum role) - 1, PERM_PUBLIC));
	assert_false(perm_allowed(ROLE_PLATFORM_ADMIN, (enum perm)PERM_COUNT));
	assert_false(perm_allowed(ROLE_PLATFORM_ADMIN, (enum perm) - 1));
}

static void
names(void **state)
{
	enum role role;

	(void)state;
	for (int r = ROLE_VISITOR; r < ROLE_COUNT; r++) {
		assert_int_equal(role_parse(role_name((enum role)r), &role), 0);
		assert_int_equal(role, r);
	}
	role = ROLE_VIEWER;
	assert_int_equal(role_parse("none", &role), -1);
	assert_int_equal(role_parse("", &role), -1);
	assert_int_equal(role_parse("Viewer", &role), -1);
	assert_int_equal(role_parse("viewer ", &role), -1);
	assert_int_equal(role, ROLE_VIEWER);
	assert_string_equal(perm_name(PERM_CHAT), "chat.talk");
	assert_string_equal(perm_name(PERM_UNSET), "unset");
	assert_string_equal(role_name((enum role)99), "none");
	assert_false(role_for_key(ROLE_NONE));
	assert_false(role_for_key(ROLE_VISITOR));
	assert_true(role_for_key(ROLE_VIEWER));
	assert_true(role_for_key(ROLE_ACCOUNT_OWNER));
	assert_false(role_for_key(ROLE_PLATFORM_ADMIN));
}

static void
document(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	perm_write_doc(f);
	fclose(f);
	assert_non_null(strstr(text, "| `chat.talk` | talk to an agent | yes | "
				     "| yes |"));
	assert_null(strstr(text, "unset"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matrix),
		cmocka_unit_test(nothing_by_default),
		cmocka_unit_test(names),
		cmocka_unit_test(document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
