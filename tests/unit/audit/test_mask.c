/* What of a change stands in the record: everything but secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "audit/audit.h"
#include "audit/mask.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define M "\"[masked]\""

/* A key as "key create" makes them, in two pieces: no secret in the source. */
#define LIVE                                                                   \
	"sb_live_"                                                             \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct {
	const char *in, *out;
} cases[] = {
	{ "{\"tier\":\"pro\",\"max_agents\":3,\"x\":null,\"y\":true}",
	    "{\"tier\":\"pro\",\"max_agents\":3,\"x\":null,\"y\":true}" },
	{ "{\"password\":\"a\",\"Password_Hash\":\"b\",\"secret\":7}",
	    "{\"password\":" M ",\"Password_Hash\":" M ",\"secret\":" M "}" },
	{ "{\"api_key\":\"a\",\"key\":\"b\",\"key_hash\":\"c\",\"token\":"
	  "\"d\"}",
	    "{\"api_key\":" M ",\"key\":" M ",\"key_hash\":" M ",\"token\":" M
	    "}" },
	/* what is said about a secret is none, and limits are numbers */
	{ "{\"api_key_id\":\"a\",\"key_prefix\":\"sb_live_abcd\","
	  "\"max_tokens\":9,\"tokens\":7}",
	    "{\"api_key_id\":\"a\",\"key_prefix\":\"sb_live_abcd\","
	    "\"max_tokens\":9,\"tokens\":7}" },
	{ "{\"tools\":[{\"crm\":{\"client_secret\":{\"a\":[1,\"b\"]},"
	  "\"url\":\"https://x.example/y\"}}]}",
	    "{\"tools\":[{\"crm\":{\"client_secret\":" M ","
	    "\"url\":\"https://x.example/y\"}}]}" },
	{ "{\"keys\":[\"a\",\"b\"],\"recovery_codes\":[\"c\"]}",
	    "{\"keys\":" M ",\"recovery_codes\":" M "}" },
	{ "{\"language_code\":\"de\",\"keyword\":\"x\",\"hashtag\":\"y\"}",
	    "{\"language_code\":\"de\",\"keyword\":\"x\",\"hashtag\":\"y\"}" },
	/* people and numbers stay: the record is about them */
	{ "{\"email\":\"ann@example.com\",\"phone\":\"+41 44 668 18 00\"}",
	    "{\"email\":\"ann@example.com\",\"phone\":\"+41 44 668 18 00\"}" },
	{ "\"plain\"", "\"plain\"" },
	{ "[0.2,1e300,-5]", "[0.2,1e300,-5]" },
};

static void
test_cases(void **state)
{
	void *ctx = mem_root("test");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *v = json_loads(cases[i].in, JSON_DECODE_ANY, NULL);
		const char *out = mask_json(ctx, v, AUDIT_VALUE_MAX);

		assert_non_null(v);
		assert_string_equal(out, cases[i].out);
		json_decref(v);
	}
	assert_null(mask_json(ctx, NULL, 100));
	mem_free(ctx);
}

/* Secrets that stand where nobody expects them. */
static void
test_inside_texts(void **state)
{
	static const char *const secrets[] = { LIVE, "hunter2hunter2" };
	void *ctx = mem_root("test");
	json_t *v = json_pack("{s:s, s:[s]}", "system_prompt",
	    "Use " LIVE " for calls.", "notes",
	    "login: password=hunter2hunter2 please");
	const char *out = mask_json(ctx, v, AUDIT_VALUE_MAX);

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_null(strstr(out, secrets[i]));
	assert_non_null(strstr(out, "Use "));
	assert_non_null(strstr(out, " for calls."));
	json_decref(v);
	mem_free(ctx);
}

static void
test_too_long(void **state)
{
	void *ctx = mem_root("test");
	json_t *v = json_pack("{s:s}", "a", "0123456789");

	(void)state;
	assert_string_equal(mask_json(ctx, v, 18), "{\"a\":\"0123456789\"}");
	assert_string_equal(mask_json(ctx, v, 17),
	    "{\"bytes\":18,\"sha256\":\"3253354d955cfa723b12b3d991b7ade4b25c0a"
	    "dd76d45652fa7eed340e401620\"}");
	json_decref(v);
	mem_free(ctx);
}

static void
test_texts(void **state)
{
	void *ctx = mem_root("test");

	(void)state;
	assert_null(mask_text(ctx, NULL, 5));
	assert_string_equal(mask_text(ctx, "", 5), "");
	assert_string_equal(mask_text(ctx, "abcdef", 5), "abcde");
	assert_string_equal(
	    mask_text(ctx, "\xc3\xa4\xc3\xb6x", 2), "\xc3\xa4\xc3\xb6");
	assert_string_equal(mask_text(ctx, "a\xff\xc3", 9), "a??");
	mem_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_inside_texts),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_texts),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
