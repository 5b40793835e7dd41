/* Bodies of the management API against every schema, times, and differences. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/manage/diff.h"
#include "api/validate.h"
#include "util/json.h"
#include "util/rfc3339.h"
#include "util/str.h"

#include "util/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const schemas[] = { "account_create", "account_change",
	"agent_create", "agent_change", "config_put", "api_key_create",
	"api_key_rotate", "widget_key_create", "widget_key_change",
	"user_change" };

static void
check_errors(json_t *errors)
{
	json_t *v;
	size_t i;

	if (json_array_size(errors) < 1 || json_array_size(errors) > 32)
		abort();
	json_array_foreach(errors, i, v)
	{
		const char *at =
		    json_string_value(json_object_get(v, "pointer"));
		const char *what =
		    json_string_value(json_object_get(v, "detail"));

		if (at == NULL || what == NULL || (*at != '\0' && *at != '/') ||
		    !str_utf8_valid(at, strlen(at)) ||
		    !str_utf8_valid(what, strlen(what)))
			abort();
	}
	json_decref(errors);
}

static void
check_body(const json_t *body)
{
	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
		json_t *errors = NULL;
		struct err e = { 0 };

		if (validate(schemas[i], body, &errors, &e) == 0)
			continue;
		if (e.code != ERR_INVALID)
			abort();
		check_errors(errors);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *body, *list;
	char text[64];
	int64_t us;

	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = '\0';
		if (rfc3339_read(text, &us) == 0 &&
		    (us < -INT64_C(86400000000) ||
			us > INT64_C(253402387200000000)))
			abort();
	}
	if (json_parse((const char *)data, size, &JSON_LIMITS_REQUEST, &body,
		NULL) != 0)
		return 0;
	check_body(body);
	list = diff(json_object_get(body, "name"), body);
	json_decref(list);
	list = diff(body, body);
	if (json_array_size(list) != 0)
		abort();
	json_decref(list);
	json_decref(body);
	return 0;
}
