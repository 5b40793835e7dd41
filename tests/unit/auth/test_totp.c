/* Codes by time, their QR code and recovery codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/totp.h"
#include "auth/totp_priv.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

/* RFC 6238, appendix B: its secret, and the last 6 of its 8 digits. */
static const unsigned char rfc_secret[] = "12345678901234567890";
static const struct {
	int64_t at;
	const char *code;
} rfc[] = {
	{ 59, "287082" },
	{ 1111111109, "081804" },
	{ 1111111111, "050471" },
	{ 1234567890, "005924" },
	{ 2000000000, "279037" },
	{ 20000000000, "353130" },
};

static bool
check(int64_t at, const char *code, uint64_t last, uint64_t *step)
{
	*step = 0;
	return totp_check(
	    rfc_secret, sizeof(rfc_secret) - 1, code, at, last, step);
}

static void
vectors(void **state)
{
	uint64_t step;

	(void)state;
	for (size_t i = 0; i < sizeof(rfc) / sizeof(rfc[0]); i++) {
		uint64_t right = (uint64_t)rfc[i].at / TOTP_STEP;

		assert_true(check(rfc[i].at, rfc[i].code, 0, &step));
		assert_int_equal(step, right);
		/* one step early and late, and it says which step it was */
		assert_true(check(rfc[i].at + 30, rfc[i].code, 0, &step));
		assert_int_equal(step, right);
		if (rfc[i].at > 60) {
			assert_true(
			    check(rfc[i].at - 30, rfc[i].code, 0, &step));
			assert_int_equal(step, right);
			assert_false(
			    check(rfc[i].at - 60, rfc[i].code, 0, &step));
		}
		assert_false(check(rfc[i].at + 60, rfc[i].code, 0, &step));
		assert_int_equal(step, 0);
	}
}

static void
once_only(void **state)
{
	uint64_t step, last;

	(void)state;
	assert_true(check(1234567890, "005924", 0, &last));
	assert_false(check(1234567890, "005924", last, &step));
	assert_false(check(1234567890 + 30, "005924", last, &step));
	assert_false(check(1234567890 + 30, "005924", last + 1, &step));
	assert_true(check(1234567890, "005924", last - 1, &step));
}

static void
no_codes(void **state)
{
	static const char *const no[] = { "", "00592", "0059240", "005923",
		"00592a", "-05924", "+05924", "5924", "0x1724", "005924\n",
		"\xd9\xa0\xd9\xa0\xd9\xa5\xd9\xa9\xd9\xa2\xd9\xa4" };
	uint64_t step;

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(check(1234567890, no[i], 0, &step));
	assert_true(check(1234567890, "005 924", 0, &step));
	assert_true(check(1234567890, " 005924 ", 0, &step));
	assert_false(check(-1, "005924", 0, &step));
}

static void
secrets_as_text(void **state)
{
	unsigned char a[TOTP_SECRET], b[TOTP_SECRET];
	char text[TOTP_SECRET_TEXT];

	(void)state;
	totp_secret_text(rfc_secret, text);
	assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
	base32((const unsigned char *)"foobar1234", 10, BASE32_LOWER, text);
	assert_string_equal(text, "mzxw6ytboiytemzu");
	totp_secret_new(a);
	totp_secret_new(b);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
uri(void **state)
{
	void *root = mem_root("test");
	char *s = totp_uri(
	    root, "Sch\xc3\xb6n & Co: ?", "ann+x@shop.example", rfc_secret);
	char longest[1100];

	(void)state;
	assert_string_equal(s,
	    "otpauth://totp/Sch%C3%B6n%20%26%20Co%3A%20%3F:ann%2Bx%40shop."
	    "example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Sch%C3%B6n"
	    "%20%26%20Co%3A%20%3F&algorithm=SHA1&digits=6&period=30");
	memset(longest, 'x', sizeof(longest));
	longest[1099] = '\0';
	assert_null(totp_uri(root, "a", longest, rfc_secret));
	mem_free(root);
}

/* --- the QR code ------------------------------------------------------------
 */

#define SCALE 4
#define SIDE_MAX 256

/* Draw the path of ${svg} as a PGM file; its side in modules. */
static int
draw(const char *svg, const char *file)
{
	static unsigned char px[SIDE_MAX * SCALE][SIDE_MAX * SCALE];
	const char *p = strstr(svg, "viewBox=\"0 0 ");
	int side, x, y, w, back, n;
	FILE *f;

	assert_non_null(p);
	assert_int_equal(sscanf(p, "viewBox=\"0 0 %d", &side), 1);
	assert_in_range(side, 29, SIDE_MAX);
	memset(px, 255, sizeof(px));
	p = strstr(svg, "<path d=\"");
	assert_non_null(p);
	assert_null(strstr(p + 1, "<path"));
	for (p += 9; *p == 'M'; p += n) {
		n = 0;
		assert_int_equal(
		    sscanf(p, "M%d %dh%dv1h-%dz%n", &x, &y, &w, &back, &n), 4);
		assert_true(n > 0 && w == back && w > 0);
		/* the quiet zone stays quiet */
		assert_in_range(x, 4, side - 4 - w);
		assert_in_range(y, 4, side - 5);
		for (int r = 0; r < SCALE; r++)
			memset(&px[y * SCALE + r][x * SCALE], 0,
			    (size_t)(w * SCALE));
	}
	assert_string_equal(p, "\"/></svg>");
	f = fopen(file, "wb");
	assert_non_null(f);
	fprintf(f, "P5\n%d %d\n255\n", side * SCALE, side * SCALE);
	for (y = 0; y < side * SCALE; y++)
		fwrite(px[y], 1, (size_t)(side * SCALE), f);
	assert_int_equal(fclose(f), 0);
	return side;
}

/* What ${program} prints when run on ${file}; false: there is none. */
static bool
output_of(char *const argv[], char *out, size_t size)
{
	int fd[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(fd[1]);
	while (
	    len + 1 < size && (n = read(fd[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return false;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return true;
}

static void
qr_is_read_back(void **state)
{
	void *root = mem_root("test");
	char dir[] = "/tmp/test-totp-XXXXXX", file[64], got[4096], *svg;
	char zbarimg[] = "zbarimg", quiet[] = "-q", raw[] = "--raw";
	char *argv[] = { zbarimg, quiet, raw, file, NULL };
	char longest[1200];
	struct err e = { 0 };
	bool there = true;

	(void)state;
	memset(longest, 'L', sizeof(longest));
	longest[1199] = '\0';
	const char *const texts[] = { "x",
		totp_uri(root, "Switchboard", "ann@shop.example", rfc_secret),
		totp_uri(root, "Sch\xc3\xb6n & Co", "\xe6\x88\x91@x.example",
		    rfc_secret),
		longest };
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/qr.pgm", dir);
	for (size_t i = 0; i < 4 && there; i++) {
		assert_int_equal(totp_qr_svg(root, texts[i], &svg, &e), 0);
		(void)draw(svg, file);
		there = output_of(argv, got, sizeof(got));
		if (there) {
			got[strcspn(got, "\n")] = '\0';
			assert_string_equal(got, texts[i]);
		}
	}
	unlink(file);
	rmdir(dir);
	mem_free(root);
	if (!there) {
		print_message("zbarimg is not installed: not read back\n");
		skip();
	}
}

static void
qr_refuses(void **state)
{
	void *root = mem_root("test");
	struct err e = { 0 };
	char text[2002], *svg;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[2000] = '\0';
	assert_int_equal(totp_qr_svg(root, text, &svg, &e), 0);
	text[2000] = 'x';
	text[2001] = '\0';
	assert_int_equal(totp_qr_svg(root, text, &svg, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_null(svg);
	assert_int_equal(totp_qr_svg(root, "", &svg, &e), -1);
	mem_free(root);
}

/* --- recovery codes ---------------------------------------------------------
 */

static void
recovery(void **state)
{
	char text[RECOVERY_CODES][RECOVERY_TEXT], typed[64];
	unsigned char hash[RECOVERY_CODES][RECOVERY_HASH], h[RECOVERY_HASH];
	static const char *const no[] = { "", "abcd-efgh-ijkl-mno",
		"abcd-efgh-ijkl-mnopq", "abcd-efgh-ijkl-mno1",
		"abcd-efgh-ijkl-mno!", "abcd_efgh_ijkl_mnop" };
	struct uuid ann, ben;

	(void)state;
	id_new(&ann);
	id_new(&ben);
	for (int i = 0; i < RECOVERY_CODES; i++) {
		recovery_new(&ann, text[i], hash[i]);
		assert_int_equal(strlen(text[i]), RECOVERY_TEXT - 1);
		assert_true(recovery_hash(&ann, text[i], h));
		assert_memory_equal(h, hash[i], sizeof(h));
		/* It is its user's. */
		assert_true(recovery_hash(&ben, text[i], h));
		assert_memory_not_equal(h, hash[i], sizeof(h));
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(hash[i], hash[k], sizeof(h));
	}
	/* As people type it. */
	snprintf(typed, sizeof(typed), " %.4s%.4s %.4s %.4s ", text[0],
	    text[0] + 5, text[0] + 10, text[0] + 15);
	for (char *c = typed; *c != '\0'; c++) {
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
		if (*c == 'O')
			*c = '0';
		if (*c == 'B')
			*c = '8';
	}
	assert_true(recovery_hash(&ann, typed, h));
	assert_memory_equal(h, hash[0], sizeof(h));
	/* Any other character is another code, or none. */
	for (size_t i = 0; text[1][i] != '\0'; i++) {
		char was = text[1][i];

		text[1][i] = was == 'a' ? 'c' : 'a';
		if (recovery_hash(&ann, text[1], h))
			assert_memory_not_equal(h, hash[1], sizeof(h));
		text[1][i] = was;
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(recovery_hash(&ann, no[i], h));
}

static int
setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	return totp_setup(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(once_only),
		cmocka_unit_test(no_codes),
		cmocka_unit_test(secrets_as_text),
		cmocka_unit_test(uri),
		cmocka_unit_test(qr_is_read_back),
		cmocka_unit_test(qr_refuses),
		cmocka_unit_test(recovery),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
