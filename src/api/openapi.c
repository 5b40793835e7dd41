/*
 * openapi.json from the route table and the schemas.  Every name in a row must
 * be known here: the unit test walks the whole table, so a row cannot say
 * what nobody describes.
 */
#include "api/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/handlers.h"
#include "api/openapi.h"
#include "api/problem.h"
#include "api/schema.h"
#include "http/request.h"
#include "http/response.h"
#include "util/mem.h"

#include "util/banned.h"

/* A variable of a path, a query parameter or a header, and its schema.  A "?"
 * tells a parameter from a path's variable of that name, what follows a "#" one
 * from others of its name; neither is part of it. */
static const struct parameter {
	const char *name, *in, *schema, *description;
} parameters[] = {
	{ "slug", "path",
	    "{\"type\":\"string\",\"pattern\":\"^[a-z0-9][a-z0-9-]{1,62}$\"}",
	    "The account." },
	{ "agent_type", "path",
	    "{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_]{0,62}$\"}",
	    "The agent's type, such as sales." },
	{ "instance_name", "path",
	    "{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_]{0,62}$\"}",
	    "The instance's name." },
	{ "kind", "path", "{\"type\":\"string\",\"pattern\":\"^[a-z-]+$\"}",
	    "The last part of a problem's type." },
	{ "turn_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The turn." },
	{ "id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The message." },
	{ "session_key", "path",
	    "{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,"
	    "\"pattern\":\"^[A-Za-z0-9._:-]+$\"}",
	    "The conversation." },
	{ "limit", "query",
	    "{\"type\":\"integer\",\"minimum\":1,\"maximum\":200,"
	    "\"default\":50}",
	    "Entries of a page." },
	{ "after", "query", "{\"type\":\"string\"}",
	    "next of the page before." },
	{ "action", "query", "{\"type\":\"string\",\"minLength\":1}",
	    "Only this action, or, ending in .*, those of a group: api_key.*" },
	{ "actor_kind", "query",
	    "{\"enum\":[\"user\",\"api_key\",\"cli\",\"system\"]}",
	    "Only what such did." },
	{ "actor_id", "query", "{\"type\":\"string\"}",
	    "Only what this one did." },
	{ "object_kind", "query", "{\"type\":\"string\"}",
	    "Only what was done to such." },
	{ "object_id", "query", "{\"type\":\"string\"}",
	    "Only what was done to this." },
	{ "since", "query", "{\"type\":\"string\",\"format\":\"date-time\"}",
	    "From this moment on, in UTC." },
	{ "until", "query", "{\"type\":\"string\",\"format\":\"date-time\"}",
	    "Before this moment, in UTC." },
	{ "Idempotency-Key", "header",
	    "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255,"
	    "\"pattern\":\"^[!-~]+$\"}",
	    "Makes the request once: sent again with the same key within 24 "
	    "hours it gets the same answer, with Idempotent-Replayed: true." },
	{ "?turn_id", "query", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The turn." },
	{ "Last-Event-ID", "header",
	    "{\"type\":\"string\",\"pattern\":\"^[0-9a-f-]{36}:[0-9]{1,18}$\"}",
	    "The id of the last event that was read; without it, from the "
	    "start." },
	{ "last_event_id", "query",
	    "{\"type\":\"string\",\"pattern\":\"^[0-9a-f-]{36}:[0-9]{1,18}$\"}",
	    "The same for readers that can set no header." },
	{ "agent_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The agent." },
	{ "version", "path", "{\"type\":\"integer\",\"minimum\":1}",
	    "The number of a configuration's version." },
	{ "key_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The key." },
	{ "budget_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The budget." },
	{ "secret_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The visitor secret." },
	{ "credential_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The key for a model provider." },
	{ "user_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The member." },
	{ "scim_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The resource." },
	{ "filter", "query", "{\"type\":\"string\",\"maxLength\":4096}",
	    "Such as userName eq \"ann@example.com\" (RFC 7644, 3.4.2.2)." },
	{ "startIndex", "query", "{\"type\":\"integer\"}",
	    "The first one of the page, counted from 1." },
	{ "count", "query", "{\"type\":\"integer\"}",
	    "Resources of a page, at most 200." },
	{ "attributes", "query", "{\"type\":\"string\"}",
	    "Only these attributes, with commas between." },
	{ "excludedAttributes", "query", "{\"type\":\"string\"}",
	    "All but these." },
	{ "role_name", "path",
	    "{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9_]{0,62}$\"}",
	    "The role." },
	{ "session_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The session." },
	{ "account", "path", "{\"type\":\"string\"}",
	    "The account, by its slug." },
	{ "domain", "path", "{\"type\":\"string\"}",
	    "A domain of e-mail addresses, in lower case." },
	{ "If-Match", "header", "{\"type\":\"string\"}",
	    "The ETag the change is made for; 412 when it has another one by "
	    "now. Without it the last write wins." },
	{ "tier", "query", "{\"type\":\"string\"}", "Only of this tier." },
	{ "status#account", "query",
	    "{\"type\":\"string\",\"enum\":[\"active\",\"suspended\","
	    "\"ending\"]}",
	    "Only those; ending ones are suspended too." },
	{ "status#agent", "query",
	    "{\"type\":\"string\",\"enum\":[\"active\",\"inactive\","
	    "\"archived\"]}",
	    "Only those; absent: all but the archived." },
	{ "status#key", "query",
	    "{\"type\":\"string\",\"enum\":[\"active\",\"expired\","
	    "\"revoked\"]}",
	    "Only those." },
	{ "status#widget", "query",
	    "{\"type\":\"string\",\"enum\":[\"active\",\"revoked\"]}",
	    "Only those." },
	{ "status#credential", "query",
	    "{\"type\":\"string\",\"enum\":[\"active\",\"disabled\"]}",
	    "Only those." },
	{ "provider", "query",
	    "{\"type\":\"string\",\"enum\":[\"openai\",\"anthropic\"]}",
	    "Only those." },
	{ "status#budget", "query",
	    "{\"type\":\"string\",\"enum\":[\"active\",\"paused\"]}",
	    "Only those." },
	{ "status#turn", "query",
	    "{\"type\":\"string\",\"enum\":[\"running\",\"completed\","
	    "\"failed\",\"cancelled\",\"handoff\"]}",
	    "Only those whose last turn is so, or who wait for a person." },
	{ "status#activity", "query",
	    "{\"type\":\"string\",\"enum\":[\"running\",\"completed\","
	    "\"failed\"]}",
	    "Only those that are so." },
	{ "activity_id", "path", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "The activity: its turn's id." },
	{ "agent_type#filter", "query", "{\"type\":\"string\"}",
	    "Only agents of this type." },
	{ "role", "query", "{\"$ref\":\"#/components/schemas/account_role\"}",
	    "Only members with this role." },
	{ "agent", "query", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "Only of this agent." },
	{ "model", "query", "{\"type\":\"string\"}", "Only of this model." },
	{ "from", "query", "{\"type\":\"string\",\"format\":\"date-time\"}",
	    "Not before this time." },
	{ "to", "query", "{\"type\":\"string\",\"format\":\"date-time\"}",
	    "Before this time." },
	{ "group", "query",
	    "{\"type\":\"string\",\"pattern\":\"^(agent|model|key|credential|"
	    "hour|day)(,(agent|model|key|credential|hour|day))*$\"}",
	    "What the series goes by: a list of agent, model and one of hour, "
	    "day; usage also by key (who asked) and credential (which one "
	    "answered)." },
	{ "key", "query", "{\"type\":\"string\",\"format\":\"uuid\"}",
	    "Only what this API key, widget key or person asked." },
	{ "credential", "query",
	    "{\"type\":\"string\",\"pattern\":\"^(none|[0-9a-f-]{36})$\"}",
	    "Only what this credential answered; none: none of the pool." },
	{ "format", "query",
	    "{\"type\":\"string\",\"enum\":[\"json\",\"csv\"]}",
	    "csv, or Accept: text/csv: the series, without group the totals, "
	    "as RFC 4180 has it." },
	{ "period", "query",
	    "{\"type\":\"string\",\"enum\":[\"1h\",\"24h\",\"7d\","
	    "\"30d\",\"90d\"]}",
	    "How long, 24h without it." },
	{ "from_version", "query", "{\"type\":\"integer\",\"minimum\":1}",
	    "Absent: the one before to_version." },
	{ "to_version", "query", "{\"type\":\"integer\",\"minimum\":1}",
	    "Absent: the present one." },
	{ "X-Session-Key", "header", "{\"type\":\"string\",\"maxLength\":128}",
	    "The session of the turn: a widget key must prove it." },
};

const char *
openapi_parameter_text(const char *name)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
		if (strcmp(parameters[i].name, name) == 0)
			return parameters[i].description;
	return NULL;
}

static json_t *
parsed(const char *text)
{
	return json_loads(text, 0, NULL);
}

static json_t *
schema_ref(const char *name)
{
	return json_pack(
	    "{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
}

static void
add_parameter(json_t *list, const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++) {
		const struct parameter *p = &parameters[i];
		const char *shown = p->name + (*p->name == '?');

		if (strlen(p->name) != n || memcmp(p->name, name, n) != 0)
			continue;
		json_array_append_new(
		    list, json_pack("{s:s#, s:s, s:b, s:s, s:o}", "name", shown,
			      (int)strcspn(shown, "#"), "in", p->in, "required",
			      strcmp(p->in, "path") == 0 || *p->name == '?',
			      "description", p->description, "schema",
			      parsed(p->schema)));
	}
}

static json_t *
parameter_list(const struct route *r)
{
	json_t *list = json_array();
	const char *s;

	for (s = strchr(r->pattern, '{'); s != NULL; s = strchr(s, '{')) {
		size_t n = strcspn(++s, "}");

		add_parameter(list, s, n);
		s += n;
	}
	for (s = r->params; s != NULL && *s != '\0';) {
		size_t n = strcspn(s, " ");

		add_parameter(list, s, n);
		s += n + strspn(s + n, " ");
	}
	return list;
}

static void
add_problem(json_t *responses, int status, const char *text)
{
	char key[8];

	snprintf(key, sizeof(key), "%d", status);
	json_object_set_new(responses, key,
	    json_pack("{s:s, s:{s:{s:o}}}", "description", text, "content",
		"application/problem+json", "schema", schema_ref("problem")));
}

static json_t *
success(const struct route *r)
{
	const char *type =
	    r->response_type != NULL ? r->response_type : "application/json";
	json_t *schema;

	if (strcmp(r->statuses, "204") == 0)
		return json_pack(
		    "{s:s}", "description", "Done; there is nothing to say.");
	if (r->response_schema != NULL)
		schema = schema_ref(r->response_schema);
	else if (r->response_type != NULL)
		schema = json_pack("{s:s}", "type", "string");
	else
		return json_pack("{s:s}", "description", "See there.");
	return json_pack("{s:s, s:{s:{s:o}}}", "description", "Done.",
	    "content", type, "schema", schema);
}

static bool
has_param(const struct route *r, const char *name)
{
	return r->params != NULL && strstr(r->params, name) != NULL;
}

bool
openapi_is_managed(const struct route *r)
{
	return (r->faces & FACE_ADMIN) != 0 && r->perm != PERM_PUBLIC;
}

/* Does the answer carry the state that If-Match of this address wants? */
static bool
has_state(const struct route *r)
{
	if (strcmp(r->method, "POST") == 0 || strcmp(r->statuses, "204") == 0)
		return false;
	for (size_t i = 0; i < routes_count; i++)
		if (strcmp(routes[i].pattern, r->pattern) == 0 &&
		    has_param(&routes[i], "If-Match"))
			return true;
	return false;
}

static void
add_header(json_t *answer, const char *name, const char *text)
{
	json_t *headers = json_object_get(answer, "headers");

	if (headers == NULL) {
		headers = json_object();
		json_object_set_new(answer, "headers", headers);
	}
	json_object_set_new(headers, name,
	    json_pack("{s:s, s:{s:s}}", "description", text, "schema", "type",
		"string"));
}

static void
add_success(json_t *responses, const struct route *r)
{
	for (const char *s = r->statuses; *s != '\0';) {
		size_t n = strcspn(s, " ");
		char key[8];

		json_t *answer = success(r);

		snprintf(key, sizeof(key), "%.*s", (int)n, s);
		if (has_state(r))
			add_header(answer, "ETag", "Its state, for If-Match.");
		if (has_param(r, "Idempotency-Key"))
			add_header(answer, "Idempotent-Replayed",
			    "true: the answer of the first request with this "
			    "key.");
		json_object_set_new(responses, key, answer);
		s += n + strspn(s + n, " ");
	}
}

/* Is it about a person who signs in? */
static bool
is_identity(const struct route *r)
{
	return r->perm == PERM_SELF ||
	       strncmp(r->pattern, "/api/v1/auth/", 13) == 0;
}

/* Errors of another format than ours, and the statuses that has. */
static void
set_format(json_t *responses, const struct route *r)
{
	const char *status;
	json_t *answer;

	if (strstr(r->pattern, "/{slug}/v1/") == NULL)
		return;
	json_object_foreach(responses, status, answer)
	{
		if (status[0] >= '4')
			json_object_set_new(answer, "content",
			    json_pack("{s:{s:o}}", "application/json", "schema",
				schema_ref("openai_error")));
	}
	if (!has_param(r, "Idempotency-Key"))
		json_object_del(responses, "422");
	else
		json_object_set_new(json_object_get(responses, "422"),
		    "description",
		    json_string("The Idempotency-Key is another request's."));
}

static json_t *
responses_of(const struct route *r)
{
	json_t *all = json_object();

	add_success(all, r);
	if (r->perm != PERM_PUBLIC) {
		add_problem(all, 400, "Malformed.");
		add_problem(all, 401, "The caller is not known.");
		add_problem(all, 403, "The caller may not.");
	}
	if (strchr(r->pattern, '{') != NULL)
		add_problem(all, 404, "Not there, or not the caller's.");
	if (r->request_schema != NULL) {
		add_problem(all, 413, "The body is too large.");
		add_problem(all, 415, "The body is not JSON.");
		add_problem(all, 422, "A value breaks a rule.");
	}
	if (openapi_is_managed(r) && r->params != NULL)
		add_problem(all, 422, "A value breaks a rule.");
	if (openapi_is_managed(r) && strcmp(r->method, "GET") != 0)
		add_problem(all, 409,
		    "In conflict with the present state, or the first request "
		    "with this Idempotency-Key still runs.");
	else if (has_param(r, "Idempotency-Key"))
		add_problem(all, 409,
		    "The first request with this "
		    "Idempotency-Key still runs.");
	if (is_identity(r)) {
		add_problem(all, 400, "Malformed.");
		add_problem(all, 401, "What was shown does not sign in.");
		add_problem(all, 403, "Not done here, or not by this caller.");
		add_problem(all, 404, "Not there, or not good any more.");
		add_problem(all, 409, "Somebody else was faster.");
		add_problem(all, 422, "A value breaks a rule.");
		add_problem(all, 429, "Too many sign in at once.");
	}
	if (has_param(r, "If-Match"))
		add_problem(all, 412, "It has changed since it was read.");
	if (r->perm == PERM_CHAT) {
		add_problem(all, 429, "A limit is reached.");
		add_problem(all, 502, "The model provider failed.");
		add_problem(all, 504, "The model provider was too slow.");
	}
	add_problem(all, 503, "A needed part is down or full.");
	set_format(all, r);
	return all;
}

/* An API key or token everywhere; a widget key where visitors may. */
static json_t *
security_of(const struct route *r)
{
	json_t *list = json_array();

	if (r->perm == PERM_PUBLIC)
		return list;
	json_array_append_new(list, json_pack("{s:[]}", "bearer"));
	if (perm_allowed(ROLE_VISITOR, r->perm))
		json_array_append_new(list, json_pack("{s:[]}", "widget_key"));
	return list;
}

static const char *
tag_of(const struct route *r)
{
	if ((r->faces & FACE_CHAT) != 0)
		return "chat";
	if (is_identity(r))
		return "identity";
	if (openapi_is_managed(r))
		return "management";
	return (r->faces & FACE_HEALTH) != 0 ? "operations" : "documentation";
}

static json_t *
operation(const struct route *r)
{
	json_t *op = json_pack("{s:s, s:[s], s:s, s:o, s:o, s:o}",
	    "operationId", r->name + sizeof("api_") - 1, "tags", tag_of(r),
	    "summary", r->summary, "parameters", parameter_list(r), "responses",
	    responses_of(r), "security", security_of(r));

	json_object_set_new(op, "description",
	    r->perm == PERM_PUBLIC
		? json_string("Needs no key.")
		: json_sprintf("Needs the permission %s.", perm_name(r->perm)));
	if (r->perm != PERM_PUBLIC)
		json_object_set_new(
		    op, "x-permission", json_string(perm_name(r->perm)));
	if (r->request_schema != NULL)
		json_object_set_new(op, "requestBody",
		    json_pack("{s:b, s:{s:{s:o}}}", "required",
			*r->request_schema != '?', "content",
			"application/json", "schema",
			schema_ref(route_schema(r))));
	return op;
}

static json_t *
paths(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < routes_count; i++) {
		const struct route *r = &routes[i];
		json_t *path = json_object_get(all, r->pattern);
		char method[16];
		size_t n = 0;

		if ((r->faces & (FACE_OWN | FACE_PAGE | FACE_TALK)) != 0)
			continue;
		if (path == NULL) {
			path = json_object();
			json_object_set_new(all, r->pattern, path);
		}
		for (; n < sizeof(method) - 1 && r->method[n] != '\0'; n++)
			method[n] = (char)(r->method[n] | 0x20);
		method[n] = '\0';
		json_object_set_new(path, method, operation(r));
	}
	return all;
}

static json_t *
components(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < schemas_count; i++)
		json_object_set_new(
		    all, schemas[i].name, parsed(schemas[i].json));
	return json_pack("{s:o, s:{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}}}",
	    "schemas", all, "securitySchemes", "bearer", "type", "http",
	    "scheme", "bearer", "description",
	    "An API key, a user's access token, or a widget token.",
	    "widget_key", "type", "apiKey", "in", "header", "name",
	    "X-Widget-Key", "description",
	    "A public widget key; the Origin must be one it allows.");
}

char *
app_openapi(const void *ctx, const char *version)
{
	json_t *doc = json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], "
				"s:[{s:s},{s:s},{s:s},{s:s},{s:s}],"
				" s:o, s:o}",
	    "openapi", "3.1.0", "info", "title", "Switchboard", "version",
	    version, "description",
	    "Chat with an account's agents, and manage them. Errors are RFC "
	    "9457 problem objects; every answer carries X-Request-Id.",
	    "servers", "url", "/", "tags", "name", "chat", "name", "management",
	    "name", "identity", "name", "documentation", "name", "operations",
	    "paths", paths(), "components", components());
	char *text = doc != NULL ? json_dumps(doc, JSON_INDENT(1)) : NULL;
	char *ret = mem_strdup(ctx, text);

	free(text);
	json_decref(doc);
	return ret;
}

void
api_openapi(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	char *text = app_openapi(req->ctx, app->version);
	struct err e = { 0 };

	(void)caller;
	if (text == NULL) {
		err_set(&e, ERR_INTERNAL, "openapi.json cannot be made");
		problem_send(req, resp, &e, NULL);
		return;
	}
	http_set(resp, "Cache-Control", "no-cache");
	http_send(resp, "application/json", text, strlen(text));
}
