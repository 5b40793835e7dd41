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

/* By role: p public, m oneself, c chat, r turn read, s stop, f feedback, A
 * audit read; then account L list, C create, R read, W write, T limits; agent a
 * read, b write, d config; E end, X export; k, l keys; w, x widget keys; u, v
 * members; o, O roles; single sign-on i read, I write, D domains; y SCIM; e
 * sessions; g usage; n, N provider keys; j budgets read, J write. */
static const char *const may[ROLE_COUNT] = {
	[ROLE_NONE] = "p",
	[ROLE_VISITOR] = "pcrsf",
	[ROLE_VIEWER] = "pmrRaegj",
	[ROLE_SUPPORT] = "pmcrfRae",
	[ROLE_ANALYST] = "pmrRaegj",
	[ROLE_AGENT_MANAGER] = "pmcrsfRabdwxegnj",
	[ROLE_ACCOUNT_ADMIN] = "pmcrsfARWabdklwxuvoOiegnNjJ",
	[ROLE_ACCOUNT_OWNER] = "pmcrsfARWEXabdklwxuvoOiIyegnNjJ",
	[ROLE_PLATFORM_ADMIN] = "pmcrsfALCRWTEXabdklwxuvoOiIDyegnNjJ",
};
static const char letter[PERM_COUNT] = { 0, 'p', 'm', 'c', 'r', 's', 'f', 'A',
	'L', 'C', 'R', 'W', 'T', 'E', 'X', 'a', 'b', 'd', 'k', 'l', 'w', 'x',
	'u', 'v', 'o', 'O', 'i', 'I', 'D', 'y', 'e', 'g', 'n', 'N', 'j', 'J' };

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

/* A role of an account's own. */
static void
sets(void **state)
{
	const perm_set always = perm_bit(PERM_PUBLIC) | perm_bit(PERM_SELF);
	enum perm perm;

	(void)state;
	for (int r = 0; r < ROLE_COUNT; r++)
		for (int p = -1; p <= PERM_COUNT; p++)
			assert_int_equal(
			    perm_in(perm_of_role((enum role)r), (enum perm)p),
			    perm_allowed((enum role)r, (enum perm)p));
	assert_int_equal(perm_of_role(ROLE_CUSTOM), 0);
	assert_int_equal(perm_set_parse(""), always);
	assert_int_equal(perm_set_parse("agent.read  key.write nonsense"),
	    always | perm_bit(PERM_AGENT_READ) | perm_bit(PERM_KEY_WRITE));
	/* what is the platform's cannot stand in one */
	assert_int_equal(
	    perm_set_parse("account.limits account.list account.create"),
	    always);
	assert_int_equal(
	    perm_grantable() | always, perm_of_role(ROLE_ACCOUNT_OWNER));
	for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++) {
		assert_int_equal(perm_parse(perm_name((enum perm)p), &perm), 0);
		assert_int_equal(perm, p);
	}
	assert_int_equal(perm_parse("unset", &perm), -1);
	assert_int_equal(perm_parse("", &perm), -1);
	/* so that nobody below gives these */
	assert_int_not_equal(perm_of_role(ROLE_ACCOUNT_OWNER) &
				 ~perm_of_role(ROLE_ACCOUNT_ADMIN),
	    0);
	assert_int_not_equal(perm_of_role(ROLE_ACCOUNT_ADMIN) &
				 ~perm_of_role(ROLE_AGENT_MANAGER),
	    0);
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
		cmocka_unit_test(sets),
		cmocka_unit_test(nothing_by_default),
		cmocka_unit_test(names),
		cmocka_unit_test(document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
