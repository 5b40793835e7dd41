/*
 * Finding a route.  The path is looked at exactly as it was sent: a spelling
 * that another layer might read differently (escapes, dots, backslashes, empty
 * segments) matches nothing, so that no second reading exists.
 */
#include "http/router.h"

#include <string.h>

#include "http/request.h"
#include "util/mem.h"

#include "util/banned.h"

#define PATH_MAX_LENGTH 1024

struct piece {
	const char *p;
	size_t n;
};

struct path {
	struct piece seg[ROUTER_SEGMENTS];
	int n;
};

/* Split "/a/b"; "/" is no segment at all.  0, or -1 too many or empty. */
static int
split(const char *s, struct path *out)
{
	out->n = 0;
	if (*s++ != '/')
		return -1;
	while (*s != '\0') {
		size_t n = strcspn(s, "/");

		if (n == 0 || out->n == ROUTER_SEGMENTS)
			return -1;
		out->seg[out->n++] = (struct piece){ s, n };
		s += n;
		if (*s == '/' && *++s == '\0')
			return -1; /* a trailing slash */
	}
	return 0;
}

static bool
plain(const struct path *path, const char *s)
{
	if (strlen(s) > PATH_MAX_LENGTH)
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f ||
		    *s == '%' || *s == '\\')
			return false;
	for (int i = 0; i < path->n; i++) {
		const struct piece *p = &path->seg[i];

		if (p->p[0] == '.' &&
		    (p->n == 1 || (p->n == 2 && p->p[1] == '.')))
			return false;
	}
	return true;
}

static bool
is_variable(const struct piece *p)
{
	return p->n > 2 && p->p[0] == '{' && p->p[p->n - 1] == '}';
}

static bool
matches(const struct path *path, const struct path *pattern)
{
	if (path->n != pattern->n)
		return false;
	for (int i = 0; i < path->n; i++) {
		const struct piece *have = &path->seg[i];
		const struct piece *want = &pattern->seg[i];

		if (!is_variable(want) &&
		    (have->n != want->n ||
			memcmp(have->p, want->p, want->n) != 0))
			return false;
	}
	return true;
}

static void
set_vars(
    struct http_req *req, const struct path *path, const struct path *pattern)
{
	struct http_param *vars =
	    mem_array(req->ctx, struct http_param, HTTP_PATH_PARAMS);
	int n = 0;

	for (int i = 0; i < path->n && n < HTTP_PATH_PARAMS; i++) {
		const struct piece *want = &pattern->seg[i];

		if (!is_variable(want))
			continue;
		vars[n].name = mem_strndup(req->ctx, want->p + 1, want->n - 2);
		vars[n].value =
		    mem_strndup(req->ctx, path->seg[i].p, path->seg[i].n);
		n++;
	}
	req->vars = vars;
	req->nvars = n;
}

static void
add_allow(struct route_match *m, const char *method)
{
	size_t have = strlen(m->allow), n = strlen(method);

	if (have + n + 3 > sizeof(m->allow))
		return;
	if (have > 0) {
		memcpy(m->allow + have, ", ", 2);
		have += 2;
	}
	memcpy(m->allow + have, method, n + 1);
}

void
router_find(struct http_req *req,
    bool (*get)(
	const void *table, int i, const char **method, const char **pattern),
    const void *table, struct route_match *out)
{
	bool head = strcmp(req->method, "HEAD") == 0;
	const char *method, *text;
	struct path path, pattern;

	*out = (struct route_match){ .row = -1 };
	req->vars = NULL;
	req->nvars = 0;
	if (split(req->path, &path) != 0 || !plain(&path, req->path))
		return;
	for (int i = 0; get(table, i, &method, &text); i++) {
		if (split(text, &pattern) != 0 || !matches(&path, &pattern))
			continue;
		if (strcmp(method, req->method) == 0 ||
		    (head && strcmp(method, "GET") == 0)) {
			out->row = i;
			out->other_method = false;
			set_vars(req, &path, &pattern);
			return;
		}
		if (!out->other_method)
			set_vars(req, &path, &pattern);
		out->other_method = true;
		add_allow(out, method);
		if (strcmp(method, "GET") == 0)
			add_allow(out, "HEAD");
	}
}
