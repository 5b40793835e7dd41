/* What we can do of SCIM, in its own words (RFC 7643 sections 5 to 7). */
#include "api/scim/scim.h"
#include "scim/patch.h"

#include "util/banned.h"

static int
config(struct manage *m, struct err *e)
{
	json_auto_t *answer = json_pack(
	    "{s:[s], s:{s:b}, s:{s:b, s:i, s:i}, s:{s:b, s:i}, s:{s:b}, "
	    "s:{s:b}, s:{s:b}, s:[{s:s, s:s, s:s}]}",
	    "schemas", SCIM_SCHEMA "ServiceProviderConfig", "patch",
	    "supported", 1, "bulk", "supported", 0, "maxOperations", 0,
	    "maxPayloadSize", 0, "filter", "supported", 1, "maxResults",
	    SCIM_PAGE_MAX, "changePassword", "supported", 0, "sort",
	    "supported", 0, "etag", "supported", 1, "authenticationSchemes",
	    "type", "oauthbearertoken", "name", "API key", "description",
	    "An API key of the account whose role has scim.manage");

	(void)e;
	return scim_answer(m, 200, answer);
}
MANAGE_HANDLER(api_scim_config, config)

static int
answer_list(struct manage *m, json_t *list)
{
	json_auto_t *answer = json_pack("{s:[s], s:i, s:i, s:i, s:o}",
	    "schemas", SCIM_MESSAGE "ListResponse", "totalResults",
	    (int)json_array_size(list), "startIndex", 1, "itemsPerPage",
	    (int)json_array_size(list), "Resources", list);

	return scim_answer(m, 200, answer);
}

static json_t *
type_of(const struct scim_kind *kind)
{
	return json_pack("{s:[s], s:s, s:s, s:o, s:o}", "schemas",
	    SCIM_SCHEMA "ResourceType", "id", kind->name, "name", kind->name,
	    "endpoint", json_sprintf("/%s", kind->path), "schema",
	    json_sprintf(SCIM_SCHEMA "%s", kind->name));
}

static int
types(struct manage *m, struct err *e)
{
	json_t *user = type_of(&scim_user);

	(void)e;
	json_object_set_new(user, "schemaExtensions",
	    json_pack(
		"[{s:s, s:b}]", "schema", SCIM_ENTERPRISE, "required", 0));
	return answer_list(m, json_pack("[o, o]", user, type_of(&scim_group)));
}
MANAGE_HANDLER(api_scim_types, types)

/* An attribute: its name and a letter for each thing to say of it: s text, b
 * boolean, c complex, m several, r required, o read only, u unique. */
struct attribute {
	const char *name, *how;
};
static const struct attribute user_attributes[] = { { "userName", "sru" },
	{ "name", "c" }, { "displayName", "s" }, { "nickName", "s" },
	{ "profileUrl", "s" }, { "title", "s" }, { "userType", "s" },
	{ "preferredLanguage", "s" }, { "locale", "s" }, { "timezone", "s" },
	{ "active", "b" }, { "emails", "cm" }, { "phoneNumbers", "cm" },
	{ "addresses", "cm" }, { "groups", "cmo" }, { NULL, NULL } };
static const struct attribute group_attributes[] = { { "displayName", "sru" },
	{ "members", "cm" }, { NULL, NULL } };

static bool
says(const struct attribute *a, char c)
{
	for (const char *p = a->how; *p != '\0'; p++)
		if (*p == c)
			return true;
	return false;
}

static json_t *
schema_of(const char *name, const struct attribute *list)
{
	json_t *all = json_array();

	for (; list->name != NULL; list++)
		json_array_append_new(
		    all, json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:s, s:s}",
			     "name", list->name, "type",
			     says(list, 'b')   ? "boolean"
			     : says(list, 'c') ? "complex"
					       : "string",
			     "multiValued", (int)says(list, 'm'), "required",
			     (int)says(list, 'r'), "caseExact", 0, "mutability",
			     says(list, 'o') ? "readOnly" : "readWrite",
			     "returned", "default", "uniqueness",
			     says(list, 'u') ? "server" : "none"));
	return json_pack("{s:[s], s:o, s:s, s:o}", "schemas",
	    SCIM_SCHEMA "Schema", "id", json_sprintf(SCIM_SCHEMA "%s", name),
	    "name", name, "attributes", all);
}

static int
schemas(struct manage *m, struct err *e)
{
	(void)e;
	return answer_list(
	    m, json_pack("[o, o]", schema_of("User", user_attributes),
		   schema_of("Group", group_attributes)));
}
MANAGE_HANDLER(api_scim_schemas, schemas)
