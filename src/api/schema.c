/*
 * The shapes of bodies.  They describe what the handlers take and give; the
 * handlers check field by field themselves, with better words.
 */
#include "api/schema.h"

#include <string.h>

#include "util/banned.h"

/* JSON written as it is; # keeps its quotes and backslashes. */
#define J(...) #__VA_ARGS__

/* clang-format off */
const struct schema schemas[] = {
#include "api/schemas_manage.def"
#include "api/schemas_chat.def"
#include "api/schemas_openai.def"
#include "api/schemas_auth.def"
{ "audit_entry", J({
  "type": "object",
  "required": ["seq", "id", "at", "action", "actor", "address", "request_id", "object", "before", "after", "previous", "hash"],
  "description": "A change.  hash is over all of it and over the hash of the entry before.",
  "properties": {
    "seq": {"type": "integer", "minimum": 1, "description": "Its place in the account's record, without gaps."},
    "id": {"type": "string", "format": "uuid"},
    "at": {"type": "string", "format": "date-time"},
    "action": {"type": "string"},
    "actor": {
      "type": "object",
      "required": ["kind", "id", "name"],
      "properties": {
        "kind": {"enum": ["user", "api_key", "cli", "system"]},
        "id": {"type": ["string", "null"]},
        "name": {"type": ["string", "null"]}
      }
    },
    "address": {"type": ["string", "null"], "description": "From where."},
    "request_id": {"type": ["string", "null"]},
    "object": {
      "type": "object",
      "required": ["kind", "id"],
      "properties": {
        "kind": {"type": ["string", "null"]},
        "id": {"type": ["string", "null"]}
      }
    },
    "before": {"type": ["object", "null"], "description": "What was, with secrets masked."},
    "after": {"type": ["object", "null"], "description": "What is, with secrets masked."},
    "previous": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"}
  }
}) },
{ "audit_page", J({
  "type": "object",
  "required": ["data", "next"],
  "properties": {
    "data": {"type": "array", "items": {"$ref": "#/components/schemas/audit_entry"}},
    "next": {"type": ["string", "null"], "description": "Give it as after to get the next page; null: this was the last."}
  }
}) },
{ "status", J({
  "type": "object",
  "required": ["status"],
  "properties": {
    "status": {"enum": ["ok", "ready"]}
  }
}) },
{ "openapi", J({
  "type": "object",
  "required": ["openapi", "info", "paths"],
  "properties": {
    "openapi": {"type": "string"},
    "info": {"type": "object"},
    "paths": {"type": "object"}
  }
}) },
{ "problem", J({
  "type": "object",
  "required": ["type", "title", "status", "detail", "request_id"],
  "properties": {
    "type": {"type": "string", "format": "uri-reference", "description": "/problems/{name}, served as a page."},
    "title": {"type": "string"},
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "detail": {"type": "string"},
    "request_id": {"type": "string"},
    "errors": {"type": "array", "items": {
      "type": "object",
      "required": ["pointer", "detail"],
      "properties": {
        "pointer": {"type": "string", "format": "json-pointer"},
        "detail": {"type": "string"}
      }
    }}
  }
}) },
};
/* clang-format on */

const size_t schemas_count = sizeof(schemas) / sizeof(schemas[0]);

const char *
schema_json(const char *name)
{
	for (size_t i = 0; i < schemas_count; i++)
		if (strcmp(schemas[i].name, name) == 0)
			return schemas[i].json;
	return NULL;
}
