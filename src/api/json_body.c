/* Bytes, then JSON within its limits, then what the route takes. */
#include "api/json_body.h"

#include "api/app.h"
#include "api/validate.h"
#include "http/request.h"
#include "util/json.h"

#include "util/banned.h"

int
json_body(struct app *app, struct http_req *req, const char *schema,
    json_t **body, json_t **errors, struct err *e)
{
	const char *text;
	size_t len;

	if (http_body(req, app->body_max_admin, &text, &len, e) != 0 ||
	    json_parse(text, len, &JSON_LIMITS_REQUEST, body, e) != 0)
		return -1;
	return validate(schema, *body, errors, e);
}

const char *
json_body_text(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}
