/* Each operation by itself, onto the resource as JSON. */
#include "scim/patch.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "scim/filter.h"
#include "util/mem.h"

#include "util/banned.h"

enum op { OP_ADD, OP_REPLACE, OP_REMOVE };

static int
bad(struct err *e, const char *kind, const char *text)
{
	return err_set_kind(e, ERR_MALFORMED, kind, 0, "%s", text);
}

/* The member's key as it is there, else as it is said. */
static const char *
key_of(const json_t *object, const char *name)
{
	const char *key = scim_key(object, name, strlen(name));

	return key != NULL ? key : name;
}

static bool
is_there(const json_t *list, const json_t *entry)
{
	const json_t *v, *id = json_object_get(entry, "value");
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (json_equal(v, entry) ||
		    (json_is_string(id) &&
			json_equal(json_object_get(v, "value"), id)))
			return true;
	}
	return false;
}

static void
add_entries(json_t *list, const json_t *value)
{
	json_t *v;
	size_t i;

	if (!json_is_array(value)) {
		if (!is_there(list, value))
			json_array_append_new(list, json_deep_copy(value));
		return;
	}
	json_array_foreach(value, i, v)
	{
		if (!is_there(list, v))
			json_array_append_new(list, json_deep_copy(v));
	}
}

static void
merge(json_t *object, const json_t *value)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)value, key, v)
	{
		json_object_set_new(
		    object, key_of(object, key), json_deep_copy(v));
	}
}

/* Set one member. */
static void
put(json_t *object, const char *name, const json_t *value, enum op op)
{
	const char *key = key_of(object, name);
	json_t *now = json_object_get(object, key);

	if (op == OP_ADD && json_is_array(now))
		add_entries(now, value);
	else if (json_is_object(now) && json_is_object(value))
		merge(now, value);
	else
		json_object_set_new(object, key, json_deep_copy(value));
}

/* Take from a list what ${value} lists, by "value". */
static void
take_listed(json_t *list, const json_t *value)
{
	json_t *wanted = json_is_array(value) ? json_deep_copy(value)
	                                      : json_pack("[O]", value);

	for (size_t i = json_array_size(list); i-- > 0;)
		if (is_there(wanted, json_array_get(list, i)))
			json_array_remove(list, i);
	json_decref(wanted);
}

static int
take(json_t *object, const struct scim_path *p, const json_t *value)
{
	const char *key = key_of(object, p->attribute);
	json_t *now = json_object_get(object, key);

	if (p->sub != NULL) {
		if (json_is_object(now))
			json_object_del(now, key_of(now, p->sub));
	} else if (json_is_array(now) && value != NULL &&
		   !json_is_null(value) && json_array_size(value) > 0) {
		take_listed(now, value);
	} else {
		json_object_del(object, key);
	}
	return 0;
}

/* The entry that a filter such as type eq "work" speaks of, made anew. */
static json_t *
entry_of(const struct scim_filter *f)
{
	const char *name;
	const json_t *value;

	return scim_filter_only(f, &name, &value)
	           ? json_pack("{s:O}", name, value)
	           : NULL;
}

static void
put_entry(json_t *entry, const char *sub, const json_t *value)
{
	if (sub != NULL)
		json_object_set_new(
		    entry, key_of(entry, sub), json_deep_copy(value));
	else
		merge(entry, value);
}

/* attribute[filter].sub */
static int
entries(json_t *object, const struct scim_path *p, const json_t *value,
    enum op op, struct err *e)
{
	const char *key = key_of(object, p->attribute);
	json_t *list = json_object_get(object, key), *entry;
	int found = 0;

	if (op != OP_REMOVE && p->sub == NULL && !json_is_object(value))
		return bad(e, "invalidValue",
		    "what replaces an entry must be an object");
	if (!json_is_array(list)) {
		if (op == OP_REMOVE)
			return bad(e, "noTarget", "there is no such list");
		list = json_array();
		json_object_set_new(object, key, list);
	}
	for (size_t i = json_array_size(list); i-- > 0;) {
		entry = json_array_get(list, i);
		if (!json_is_object(entry) ||
		    !scim_filter_match(p->filter, entry))
			continue;
		found++;
		if (op != OP_REMOVE)
			put_entry(entry, p->sub, value);
		else if (p->sub != NULL)
			json_object_del(entry, key_of(entry, p->sub));
		else
			json_array_remove(list, i);
	}
	if (found > 0 || op == OP_REMOVE)
		return 0;
	entry = entry_of(p->filter);
	if (entry == NULL)
		return bad(e, "noTarget", "the filter finds no entry");
	put_entry(entry, p->sub, value);
	json_array_append_new(list, entry);
	return 0;
}

/* attribute.sub, of an object or of each entry of a list */
static int
put_sub(json_t *object, const struct scim_path *p, const json_t *value)
{
	const char *key = key_of(object, p->attribute);
	json_t *now = json_object_get(object, key), *entry;
	size_t i;

	if (json_is_array(now)) {
		json_array_foreach(now, i, entry)
		{
			if (json_is_object(entry))
				put_entry(entry, p->sub, value);
		}
		return 0;
	}
	if (!json_is_object(now)) {
		now = json_object();
		json_object_set_new(object, key, now);
	}
	put_entry(now, p->sub, value);
	return 0;
}

static int
at_path(json_t *resource, const char *text, const json_t *value, enum op op,
    struct err *e)
{
	void *ctx = mem_root("path");
	json_t *object = resource;
	struct scim_path p;
	int rc = scim_path_parse(ctx, text, &p, e);

	if (rc == 0 && op != OP_REMOVE && value == NULL)
		rc = bad(e, "invalidValue", "add and replace need a value");
	if (rc == 0 && p.urn != NULL) {
		object = json_object_get(resource, key_of(resource, p.urn));
		if (!json_is_object(object)) {
			object = json_object();
			json_object_set_new(resource, p.urn, object);
		}
	}
	if (rc == 0) {
		if (p.filter != NULL)
			rc = entries(object, &p, value, op, e);
		else if (op == OP_REMOVE)
			rc = take(object, &p, value);
		else if (p.sub != NULL)
			rc = put_sub(object, &p, value);
		else
			put(object, p.attribute, value, op);
	}
	mem_free(ctx);
	return rc;
}

/* Several attributes in one value; names with a dot or a bracket are paths. */
static int
without_path(json_t *resource, const json_t *value, enum op op, struct err *e)
{
	const char *key;
	json_t *v;

	if (op == OP_REMOVE)
		return bad(e, "noTarget", "remove needs a path");
	if (!json_is_object(value))
		return bad(
		    e, "invalidValue", "without a path the value is an object");
	json_object_foreach((json_t *)(uintptr_t)value, key, v)
	{
		if (strncasecmp(key, "urn:", 4) == 0 && json_is_object(v))
			put(resource, key, v, op);
		else if (at_path(resource, key, v, op, e) != 0)
			return -1;
	}
	return 0;
}

static int
operation(json_t *resource, const json_t *o, struct err *e)
{
	static const char *const words[] = { "add", "replace", "remove" };
	const char *op = json_string_value(json_object_get(o, "op"));
	const json_t *path = json_object_get(o, "path"),
		     *value = json_object_get(o, "value");
	int kind;

	for (kind = OP_ADD; op != NULL && kind <= OP_REMOVE; kind++)
		if (strcasecmp(op, words[kind]) == 0)
			break;
	if (op == NULL || kind > OP_REMOVE)
		return bad(
		    e, "invalidSyntax", "op must be add, replace or remove");
	if (path == NULL || json_is_null(path))
		return without_path(resource, value, (enum op)kind, e);
	if (!json_is_string(path))
		return bad(e, "invalidPath", "a path must be a text");
	return at_path(
	    resource, json_string_value(path), value, (enum op)kind, e);
}

int
scim_patch(json_t *resource, const json_t *body, struct err *e)
{
	const char *key = scim_key(body, "Operations", 10);
	const json_t *list = key != NULL ? json_object_get(body, key) : NULL;
	json_t *o;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0 ||
	    json_array_size(list) > SCIM_OPERATIONS_MAX)
		return bad(e, "invalidSyntax",
		    "Operations must be a list of 1 to 1000 operations");
	json_array_foreach(list, i, o)
	{
		if (operation(resource, o, e) != 0)
			return -1;
	}
	return 0;
}
