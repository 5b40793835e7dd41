/*
 * Lists and single resources.  A filter for one name or external id is the
 * database's to find; any other is asked of each resource in turn.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/json_body.h"
#include "api/reply.h"
#include "api/scim/scim.h"
#include "http/request.h"
#include "http/response.h"
#include "scim/filter.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define NIL "00000000-0000-0000-0000-000000000000"
#define SCAN 500
#define WAIT (10 * CLOCK_S)

int
scim_invalid(struct err *e, const char *fmt, ...)
{
	char text[150];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set_kind(e, ERR_MALFORMED, "invalidValue", 0, "%s", text);
}

int
scim_answer(struct manage *m, int status, const json_t *body)
{
	reply_typed(m->req, m->resp, status, "application/scim+json", body);
	return 0;
}

int
scim_body(struct manage *m, struct err *e)
{
	if (json_body(m->app, m->req, "scim_body", &m->body, &m->errors, e) ==
	    0)
		return 0;
	if (e->code == ERR_INVALID || e->code == ERR_MALFORMED)
		err_set_kind(e, ERR_MALFORMED, "invalidSyntax", 0,
		    "the body must be a JSON object");
	return -1;
}

const json_t *
scim_member(const json_t *body, const char *name)
{
	const char *key = scim_key(body, name, strlen(name));

	return key != NULL ? json_object_get(body, key) : NULL;
}

int
scim_text(const json_t *body, const char *name, size_t max, const char **ret,
    struct err *e)
{
	const json_t *v = scim_member(body, name);

	*ret = NULL;
	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_string(v) || json_string_length(v) > max ||
	    strlen(json_string_value(v)) != json_string_length(v))
		return scim_invalid(
		    e, "%s must be a text of at most %zu bytes", name, max);
	*ret = *json_string_value(v) != '\0' ? json_string_value(v) : NULL;
	return 0;
}

void
scim_dress(struct manage *m, const struct scim_kind *kind, json_t *resource,
    const json_t *row)
{
	const char *id = json_string_value(json_object_get(row, "id"));
	const char *base =
	    m->app->public_urls[0] != NULL ? m->app->public_urls[0] : "";
	json_t *schemas =
	    json_pack("[o]", json_sprintf(SCIM_SCHEMA "%s", kind->name));

	if (json_object_get(resource, SCIM_ENTERPRISE) != NULL)
		json_array_append_new(schemas, json_string(SCIM_ENTERPRISE));
	json_object_set_new(resource, "schemas", schemas);
	json_object_set_new(resource, "id", json_string(id));
	json_object_set_new(resource, "meta",
	    json_pack("{s:s, s:O, s:O, s:o, s:o}", "resourceType", kind->name,
		"created", json_object_get(row, "created"), "lastModified",
		json_object_get(row, "lastModified"), "location",
		json_sprintf("%s/scim/v2/%s/%s/%s", base, m->who->account->slug,
		    kind->path, id),
		"version",
		json_sprintf("\"%s\"",
		    json_string_value(json_object_get(row, "version")))));
}

/* Is ${name} one of ${list}, with commas between? */
static bool
is_listed(const char *list, const char *name)
{
	size_t n = strlen(name), k;

	for (; *list != '\0'; list += k + strspn(list + k, ", ")) {
		k = strcspn(list, ",");
		if (k >= n && strncasecmp(list, name, n) == 0 &&
		    (k == n || list[n] == '.'))
			return true;
	}
	return false;
}

/* ?attributes= and ?excludedAttributes=, of whole attributes. */
static int
trim(struct manage *m, json_t *resource, struct err *e)
{
	const char *only = http_query(m->req, "attributes", e), *without;
	const char *key;
	json_t *v;
	void *next;

	if (e->code != ERR_NONE)
		return -1;
	without = http_query(m->req, "excludedAttributes", e);
	if (e->code != ERR_NONE)
		return -1;
	json_object_foreach_safe(resource, next, key, v)
	{
		if (strcmp(key, "id") == 0 || strcmp(key, "schemas") == 0)
			continue;
		if ((only != NULL && !is_listed(only, key)) ||
		    (without != NULL && is_listed(without, key)))
			json_object_del(resource, key);
	}
	return 0;
}

static int
number_given(struct manage *m, const char *name, int64_t least, int64_t most,
    int64_t otherwise, int64_t *out, struct err *e)
{
	const char *text = http_query(m->req, name, e);

	*out = otherwise;
	if (text == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	if (str_int(text, -INT64_C(1000000000), INT64_C(1000000000), out) != 0)
		return scim_invalid(e, "%s must be a whole number", name);
	*out = *out < least ? least : *out > most ? most : *out;
	return 0;
}

/* A list as it is made. */
struct listing {
	struct manage *m;
	const struct scim_kind *kind;
	const struct scim_filter *filter;
	const char *name, *external; /* for the database; NULL: any */
	int64_t start, count, total;
	json_t *resources;
	char after[UUID_TEXT];
};

/* One statement's rows; how many, or -1.  Each goes to ${take}. */
static int
rows(struct listing *l, int64_t offset, int64_t limit,
    int (*take)(struct listing *, json_t *resource, struct err *),
    struct err *e)
{
	void *ctx = mem_root("scim");
	struct db_call call = { .stmt = l->kind->page,
		.param = { l->m->account, l->name, l->external, l->after,
		    mem_printf(ctx, "%lld", (long long)offset),
		    mem_printf(ctx, "%lld", (long long)limit) },
		.nparams = 6 };
	int n = -1, rc;

	rc = db_run(l->m->app->db, DB_CONTROL, &l->m->who->account->id, &call,
	    1, l->m->req->started + WAIT, ctx, e);
	if (rc == 0)
		n = db_rows(call.result);
	for (int i = 0; i < n && rc == 0; i++) {
		json_t *row = rows_object(call.result, i, l->kind->object.cols);
		json_t *resource = l->kind->make(l->m, row);

		rc = take(l, resource, e);
		json_decref(resource);
		json_decref(row);
	}
	if (n > 0)
		snprintf(l->after, sizeof(l->after), "%s",
		    db_text(call.result, n - 1, 0));
	mem_free(ctx);
	return rc == 0 ? n : -1;
}

static int
take_all(struct listing *l, json_t *resource, struct err *e)
{
	if (trim(l->m, resource, e) != 0)
		return -1;
	json_array_append(l->resources, resource);
	return 0;
}

static int
take_matching(struct listing *l, json_t *resource, struct err *e)
{
	if (!scim_filter_match(l->filter, resource))
		return 0;
	l->total++;
	if (l->total < l->start ||
	    (int64_t)json_array_size(l->resources) >= l->count)
		return 0;
	return take_all(l, resource, e);
}

/* The database finds and counts. */
static int
found(struct listing *l, struct err *e)
{
	struct db_call call = { .stmt = l->kind->count,
		.param = { l->m->account, l->name, l->external },
		.nparams = 3 };

	if (manage_read(l->m, &call, e) != 0)
		return -1;
	l->total = db_int(call.result, 0, 0);
	return l->count == 0 ||
	               rows(l, l->start - 1, l->count, take_all, e) >= 0
	           ? 0
	           : -1;
}

static int
searched(struct listing *l, struct err *e)
{
	int n;

	do
		n = rows(l, 0, SCAN, take_matching, e);
	while (n == SCAN);
	return n < 0 ? -1 : 0;
}

/* What of the filter is the database's; true: all of it. */
static bool
narrow(struct listing *l)
{
	const char *name;
	const json_t *value;

	l->name = scim_filter_equals(l->filter, l->kind->first);
	l->external = scim_filter_equals(l->filter, "externalId");
	return scim_filter_only(l->filter, &name, &value) &&
	       (l->name != NULL || l->external != NULL);
}

int
scim_list(struct manage *m, const struct scim_kind *kind, struct err *e)
{
	struct listing l = { .m = m, .kind = kind, .after = NIL };
	const char *text = http_query(m->req, "filter", e);
	json_auto_t *resources = json_array(), *answer = NULL;
	int rc;

	if (e->code != ERR_NONE ||
	    number_given(
		m, "startIndex", 1, INT64_C(1000000000), 1, &l.start, e) != 0 ||
	    number_given(m, "count", 0, SCIM_PAGE_MAX, 100, &l.count, e) != 0)
		return -1;
	l.resources = resources;
	if (text != NULL &&
	    (l.filter = scim_filter_parse(m->ctx, text, e)) == NULL)
		return -1;
	rc = l.filter == NULL || narrow(&l) ? found(&l, e) : searched(&l, e);
	if (rc != 0)
		return -1;
	answer = json_pack("{s:[s], s:I, s:I, s:I, s:O}", "schemas",
	    SCIM_MESSAGE "ListResponse", "totalResults", (json_int_t)l.total,
	    "startIndex", (json_int_t)l.start, "itemsPerPage",
	    (json_int_t)json_array_size(resources), "Resources", resources);
	return scim_answer(m, 200, answer);
}

int
scim_show(struct manage *m, const struct scim_kind *kind, const char *id,
    int status, struct err *e)
{
	struct manage_found f;
	json_auto_t *resource = NULL;
	int rc;

	if (manage_find(m, &kind->object, id, &f, e) != 0)
		return -1;
	resource = kind->make(m, f.json);
	json_decref(f.json);
	http_setf(m->resp, "ETag", "\"%s\"", f.state);
	if (status == 201)
		http_set(m->resp, "Location",
		    json_string_value(json_object_get(
			json_object_get(resource, "meta"), "location")));
	rc = trim(m, resource, e);
	return rc == 0 ? scim_answer(m, status, resource) : -1;
}

int
scim_get(struct manage *m, const struct scim_kind *kind, struct err *e)
{
	char id[UUID_TEXT];

	return manage_id(m, "scim_id", id, e) != 0
	           ? -1
	           : scim_show(m, kind, id, 200, e);
}
