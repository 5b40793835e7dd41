/* The demo's parts that need no database: stable ids, the file of secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/demo/content.h"
#include "cli/demo/secrets.h"
#include "cli/files.h"
#include "util/mem.h"

#include "util/banned.h"

static void
test_id(void **state)
{
	struct uuid account, other, a, b;
	char text[UUID_TEXT];

	(void)state;
	id_new(&account);
	id_new(&other);
	content_id(&account, INT64_C(1767225600123), "product X", &a);
	content_id(&account, INT64_C(1767225600123), "product X", &b);
	assert_true(id_eq(&a, &b));
	assert_int_equal(INT64_C(1767225600123), id_time_ms(&a));
	id_format(&a, text);
	assert_int_equal('7', text[14]);
	assert_non_null(strchr("89ab", text[19]));
	assert_int_equal(0, a.b[15] & 3);
	content_id(&account, INT64_C(1767225600123), "product Y", &b);
	assert_false(id_eq(&a, &b));
	content_id(&other, INT64_C(1767225600123), "product X", &b);
	assert_false(id_eq(&a, &b));
}

static void
test_secrets(void **state)
{
	char dir[] = "/tmp/sb-test-cli-XXXXXX";
	struct cli c = { .ctx = mem_root("test") };
	struct secrets s;
	struct err e = { 0 };
	struct stat st;
	char *path;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_printf(c.ctx, "%s/secrets.env", dir);
	assert_int_equal(0, secrets_read(&c, path, &s, &e));
	assert_null(secrets_get(&s, "SB_API_KEY"));
	secrets_set(&s, "SB_API_KEY", "sb_live_a=b");
	secrets_set(&s, "SB_ACCOUNT", "acme");
	assert_int_equal(0, secrets_write(&c, &s, &e));
	secrets_drop(&s);
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(0600, st.st_mode & 07777);

	assert_int_equal(0, secrets_read(&c, path, &s, &e));
	assert_string_equal("sb_live_a=b", secrets_get(&s, "SB_API_KEY"));
	assert_string_equal("acme", secrets_get(&s, "SB_ACCOUNT"));
	/* the same again is no change: the file is not written */
	secrets_set(&s, "SB_ACCOUNT", "acme");
	assert_false(s.changed);
	assert_int_equal(0, unlink(path));
	assert_int_equal(0, secrets_write(&c, &s, &e));
	assert_false(files_exist(path));
	secrets_drop(&s);
	assert_int_equal(0, rmdir(dir));
	mem_free(c.ctx);
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/sb-test-cli-XXXXXX";
	char path[64], link[64], read_back[8] = "";
	struct err e = { 0 };
	struct stat st;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/a", dir);
	snprintf(link, sizeof link, "%s/b", dir);
	assert_int_equal(0, files_write(path, "one", 3, 0600, &e));
	/* a link is replaced, not followed */
	assert_int_equal(0, symlink(path, link));
	assert_int_equal(0, files_write(link, "two", 3, 0640, &e));
	assert_int_equal(0, lstat(link, &st));
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(0640, st.st_mode & 07777);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(3, fread(read_back, 1, sizeof read_back, f));
	fclose(f);
	assert_string_equal("one", read_back);
	assert_int_equal(-1, files_write("/nonexistent/x", "", 0, 0600, &e));
	assert_non_null(strstr(e.text, "/nonexistent/x"));
	assert_int_equal(-1, files_mkdir(path, 0700, &e));
	assert_int_equal(0, files_mkdir(dir, 0700, &e));
	unlink(path);
	unlink(link);
	assert_int_equal(0, rmdir(dir));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
