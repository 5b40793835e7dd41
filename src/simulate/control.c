/* Settings at run time, and what the simulator tells about its callers. */
#include "simulate/control_priv.h"

#include <jansson.h>
#include <string.h>

#include "simulate/meter_priv.h"
#include "simulate/simulate.h"
#include "simulate/stats_priv.h"
#include "util/str.h"

#include "util/banned.h"

/* The whole number of a member, -1: none; false: something else. */
static bool
number_of(const json_t *v, const char *name, int64_t *n)
{
	const json_t *m = json_object_get(v, name);

	*n = -1;
	if (!m)
		return true;
	if (!json_is_integer(m) || json_integer_value(m) < 0 ||
	    json_integer_value(m) > INT32_MAX)
		return false;
	*n = json_integer_value(m);
	return true;
}

/* {"key","plan","times","rpm","tpm","itpm"}: NULL, or what is wrong. */
static const char *
set_key(const char *body, size_t n)
{
	json_auto_t *v = json_loadb(body, n, 0, NULL);
	const json_t *key = json_object_get(v, "key"),
		     *plan = json_object_get(v, "plan");
	int64_t limit[RATES], times;

	if (!json_is_object(v) || !json_is_string(key) ||
	    (plan && !json_is_string(plan)))
		return "wants {\"key\": \"...\", \"plan\": \"...\"}";
	if (plan && json_string_length(plan) > 0 &&
	    !simulate_plan_ok(json_string_value(plan)))
		return "plan: unknown words";
	if (!number_of(v, "times", &times) ||
	    !number_of(v, "rpm", &limit[RATE_REQUESTS]) ||
	    !number_of(v, "tpm", &limit[RATE_TOKENS]) ||
	    !number_of(v, "itpm", &limit[RATE_INPUT]))
		return "times, rpm, tpm, itpm: numbers from 0";
	if (!meter_set(json_string_value(key), json_string_length(key),
		plan ? json_string_value(plan) : NULL,
		times < 0 ? 0 : (int)times, limit))
		return "key: 1 to 127 characters, at most 255 keys; limits of "
		       "one key, not of \"*\"";
	return NULL;
}

bool
control_answer(const struct request *r, int *status, struct buf *b)
{
	bool post = strcmp(r->method, "POST") == 0;
	const char *wrong = NULL;

	if (!str_starts(r->path, "/_"))
		return false;
	*status = 200;
	if (!post && strcmp(r->path, "/_stats") == 0) {
		stats_write(b);
	} else if (!post && strcmp(r->path, "/_last") == 0) {
		stats_last(b);
	} else if (!post && strcmp(r->path, "/_log") == 0) {
		stats_log(b);
	} else if (post && strcmp(r->path, "/_reset") == 0) {
		stats_reset();
		meter_reset();
	} else if (post && strcmp(r->path, "/_control") == 0) {
		wrong = set_key(r->body, r->body_len);
		if (wrong)
			*status = 400;
	} else {
		wrong = "no such request";
		*status = 404;
	}
	if (wrong) {
		buf_adds(b, "{\"error\":");
		buf_json_str(b, wrong, strlen(wrong));
		buf_adds(b, "}");
	} else if (b->len == 0) {
		buf_adds(b, "{}");
	}
	return true;
}
