/*
 * FastCGI parameters become a request.  libfcgi's strings die early and its
 * idea of a parameter is loose (a name may hold "="), so everything is copied
 * once, in one block, and looked up by exact name.
 */
#include "http/request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "http/form.h"
#include "http/http_priv.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define METHOD_MAX 16
#define HEADER_NAME_MAX 64

/* How many parameters fit the bounds, and their bytes with the NULs. */
static int
measure(char *const *env, size_t *bytes, bool *all)
{
	int n = 0;

	*bytes = 0;
	*all = true;
	for (; *env != NULL; env++) {
		size_t size = strlen(*env) + 1;

		if (strchr(*env, '=') == NULL)
			continue; /* a NUL in the name: nobody asks for it */
		if (n == HTTP_PARAMS_MAX || *bytes + size > HTTP_PARAMS_BYTES) {
			*all = false;
			break;
		}
		*bytes += size;
		n++;
	}
	return n;
}

static void
copy_params(struct http_req *req, char *const *env)
{
	struct http_param *params;
	size_t bytes;
	bool all;
	char *to;
	int n = measure(env, &bytes, &all);

	params = mem_array(req->ctx, struct http_param, (size_t)n + 1);
	to = mem_zalloc(req->ctx, bytes + 1, "http params");
	for (int i = 0; i < n && *env != NULL; env++) {
		size_t size = strlen(*env) + 1, name = strcspn(*env, "=");

		if ((*env)[name] == '\0')
			continue;
		memcpy(to, *env, size);
		to[name] = '\0';
		params[i].name = to;
		params[i].value = to + name + 1;
		to += size;
		i++;
	}
	req->params = params;
	req->nparams = n;
	if (!all)
		err_set_kind(&req->bad, ERR_MALFORMED, "headers-too-large", 0,
		    "the request's headers are more than %d or larger than "
		    "%d bytes",
		    HTTP_PARAMS_MAX, HTTP_PARAMS_BYTES);
}

const char *
http_param(const struct http_req *req, const char *name)
{
	for (int i = 0; i < req->nparams; i++)
		if (strcmp(req->params[i].name, name) == 0)
			return req->params[i].value;
	return NULL;
}

/* Where in ${path} the name of a model begins, which OpenAI's libraries escape
 * with its slash; NULL: none is there. */
static const char *
model_in(const char *path)
{
	static const char before[] = "/accounts/", models[] = "/v1/models/";

	if (!str_starts(path, before))
		return NULL;
	path += sizeof(before) - 1;
	path += strcspn(path, "/%");
	return str_starts(path, models) ? path + sizeof(models) - 1 : NULL;
}

/*
 * The escapes that are taken: clients escape the ":" that a session key may
 * hold, and no literal segment of a route has one; and the "/" in the name of a
 * model, behind which no literal segment follows.  Whatever else is escaped
 * matches nothing.
 */
static const char *
with_colons(const void *ctx, const char *path)
{
	const char *model;
	char *out, *to;

	if (strchr(path, '%') == NULL)
		return path;
	model = model_in(path);
	out = to = mem_strdup(ctx, path);
	for (; *path != '\0'; path++) {
		if (strncasecmp(path, "%3a", 3) == 0) {
			*to++ = ':';
			path += 2;
		} else if (model != NULL && path > model &&
			   strncasecmp(path, "%2f", 3) == 0) {
			*to++ = '/';
			path += 2;
		} else {
			*to++ = *path;
		}
	}
	*to = '\0';
	return out;
}

/* Path and query as sent; a query that another layer decoded is not used. */
static void
take_uri(struct http_req *req)
{
	const char *uri = http_param(req, "REQUEST_URI"), *mark;

	req->path = req->query = "";
	if (uri == NULL || *uri == '\0') {
		if (req->bad.code == ERR_NONE)
			err_set(&req->bad, ERR_MALFORMED, "no request target");
		return;
	}
	mark = strchr(uri, '?');
	if (mark == NULL) {
		req->path = with_colons(req->ctx, uri);
		return;
	}
	req->path = with_colons(
	    req->ctx, mem_strndup(req->ctx, uri, (size_t)(mark - uri)));
	req->query = mark + 1;
}

static void
take_method(struct http_req *req)
{
	const char *m = http_param(req, "REQUEST_METHOD");
	size_t n = m != NULL ? strlen(m) : 0;

	req->method = "";
	if (n > 0 && n <= METHOD_MAX &&
	    strspn(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == n)
		req->method = m;
	else if (req->bad.code == ERR_NONE)
		err_set(&req->bad, ERR_MALFORMED, "not a request method");
}

static void
take_length(struct http_req *req)
{
	const char *s = http_param(req, "CONTENT_LENGTH");
	int64_t n;

	req->content_length = -1;
	if (s == NULL || *s == '\0')
		return;
	/* digits only: a sign or a list is how smuggling starts */
	if (strspn(s, "0123456789") == strlen(s) &&
	    str_int(s, 0, INT64_MAX, &n) == 0)
		req->content_length = n;
	else if (req->bad.code == ERR_NONE)
		err_set(&req->bad, ERR_MALFORMED,
		    "Content-Length is not a number of bytes");
}

struct http_req *
http_req_new(void *ctx, char *const *env, const struct http_io *io,
    const struct http_bounds *bounds)
{
	struct http_req *req = mem_new(ctx, struct http_req);
	const char *https;

	req->ctx = ctx;
	req->started = clock_mono();
	req->gone_fd = -1;
	copy_params(req, env);
	take_uri(req);
	take_method(req);
	take_length(req);
	req->client_address = http_param(req, "REMOTE_ADDR");
	if (req->client_address == NULL)
		req->client_address = "";
	https = http_param(req, "HTTPS");
	req->scheme =
	    https != NULL && strcmp(https, "on") == 0 ? "https" : "http";
	req->host = http_header(req, "host");
	if (req->host == NULL)
		req->host = "";
	body_init(req, io, bounds);
	return req;
}

const char *
http_header(const struct http_req *req, const char *name)
{
	char param[HEADER_NAME_MAX + 6] = "HTTP_";
	size_t n = strlen(name);

	if (n > HEADER_NAME_MAX)
		return NULL;
	/* CGI gives these two without HTTP_ */
	if (strcmp(name, "content-type") == 0)
		return http_param(req, "CONTENT_TYPE");
	if (strcmp(name, "content-length") == 0)
		return http_param(req, "CONTENT_LENGTH");
	for (size_t i = 0; i < n; i++)
		param[5 + i] = name[i] == '-'
		                   ? '_'
		                   : (char)toupper((unsigned char)name[i]);
	param[5 + n] = '\0';
	return http_param(req, param);
}

const char *
http_var(const struct http_req *req, const char *name)
{
	for (int i = 0; i < req->nvars; i++)
		if (strcmp(req->vars[i].name, name) == 0)
			return req->vars[i].value;
	return NULL;
}

const char *
http_query(struct http_req *req, const char *name, struct err *e)
{
	const char *at = req->query, *end = at + strlen(at);
	struct form_pair pair;
	char *value;

	if (e != NULL)
		e->code = ERR_NONE;
	while (form_next(&at, end, &pair)) {
		if (!form_is(pair.name, pair.name_len, name))
			continue;
		if (form_decode(
			req->ctx, pair.value, pair.value_len, &value, e) != 0) {
			err_prefix(e, "query parameter %s", name);
			return NULL;
		}
		return value;
	}
	return NULL;
}

int
http_query_limit(struct http_req *req, int *limit, struct err *e)
{
	struct err mine = { 0 };
	const char *s = http_query(req, "limit", &mine);
	int64_t n = 50;

	if (mine.code != ERR_NONE) {
		if (e != NULL)
			*e = mine;
		return -1;
	}
	if (s != NULL && str_int(s, 1, 200, &n) != 0)
		return err_set(e, ERR_INVALID,
		    "limit must be a whole number from 1 to 200");
	*limit = (int)n;
	return 0;
}
