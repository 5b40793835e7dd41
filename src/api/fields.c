/* Members of small bodies, one after the other. */
#include "api/fields.h"

#include <string.h>

#include "api/app.h"
#include "http/request.h"
#include "util/json.h"

#include "util/banned.h"

void
fields_wrong(json_t *errors, const char *name, const char *detail)
{
	json_array_append_new(
	    errors, json_pack("{s:o, s:s}", "pointer",
			json_sprintf("/%s", name), "detail", detail));
}

static void
read_field(const struct field *f, const json_t *v, json_t *errors)
{
	size_t n = json_string_length(v);

	if (v == NULL || json_is_null(v)) {
		if (f->needed)
			fields_wrong(errors, f->name, "is missing");
	} else if (!json_is_string(v) || strlen(json_string_value(v)) != n) {
		fields_wrong(errors, f->name, "must be a text");
	} else if (n < f->min || n > f->max) {
		json_array_append_new(
		    errors, json_pack("{s:o, s:o}", "pointer",
				json_sprintf("/%s", f->name), "detail",
				json_sprintf("must have %zu to %zu bytes",
				    f->min, f->max)));
	} else {
		*f->out = json_string_value(v);
	}
}

int
fields_read(struct app *app, struct http_req *req, const struct field *fields,
    size_t n, json_t **body, json_t **errors, struct err *e)
{
	const char *text, *name;
	size_t len, i;
	json_t *v;

	if (http_body(req, app->body_max_admin, &text, &len, e) < 0 ||
	    json_parse(text, len, &JSON_LIMITS_REQUEST, body, e) < 0)
		return -1;
	*errors = json_array();
	if (!json_is_object(*body))
		fields_wrong(*errors, "", "must be an object");
	json_object_foreach(*body, name, v)
	{
		for (i = 0; i < n && strcmp(fields[i].name, name) != 0; i++)
			continue;
		if (i == n)
			fields_wrong(*errors, name, "is not known here");
	}
	for (i = 0; i < n && json_is_object(*body); i++)
		read_field(&fields[i], json_object_get(*body, fields[i].name),
		    *errors);
	if (json_array_size(*errors) > 0)
		return err_set(e, ERR_INVALID, "the body is not valid");
	return 0;
}
