/* Products and documents of a demo file as rows with stable ids. */
#include "cli/demo/content.h"

#include <stdio.h>
#include <string.h>

#include "cli/store.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "util/mem.h"

#include "util/banned.h"

/* The moment of all rows that have no time of their own. */
#define CONTENT_TIME_MS INT64_C(1767225600000) /* 2026-01-01 */

const char *const content_accounts[] = { "acme-healthcare", "globex", NULL };

void
content_id(const struct uuid *account, int64_t time_ms, const char *name,
    struct uuid *out)
{
	unsigned char hash[32];
	char *text = mem_zalloc(NULL, 16 + strlen(name), "content");

	memcpy(text, account->b, 16);
	memcpy(text + 16, name, strlen(name));
	crypto_sha256(text, 16 + strlen(name), hash);
	mem_free(text);
	memcpy(out->b, hash, 16);
	for (int i = 0; i < 6; i++)
		out->b[i] = (uint8_t)(time_ms >> (40 - 8 * i));
	out->b[6] = (uint8_t)(0x70 | (out->b[6] & 0x0f));
	out->b[8] = (uint8_t)(0x80 | (out->b[8] & 0x3f));
	out->b[15] &= 0xfc;
}

static json_t *
id_json(const struct uuid *id)
{
	char text[UUID_TEXT];

	id_format(id, text);
	return json_string(text);
}

/* The id of the agent that a row's "agent" names ("type/name"); null for a row
 * without one: it is for every agent. */
static int
agent_json(struct db_pool *db, const struct uuid *account, const json_t *row,
    json_t **ret, struct err *e)
{
	const char *path = json_string_value(json_object_get(row, "agent"));
	const char *slash = path != NULL ? strchr(path, '/') : NULL;
	char type[80];
	struct uuid id;

	if (path == NULL) {
		*ret = json_null();
		return 0;
	}
	if (slash == NULL)
		return err_set(e, ERR_INVALID, "agent \"%s\": no slash", path);
	snprintf(type, sizeof type, "%.*s", (int)(slash - path), path);
	if (store_agent_id(db, account, type, slash + 1, &id, e) != 0)
		return -1;
	*ret = id_json(&id);
	return 0;
}

static int
product_row(struct db_pool *db, const struct uuid *account, const json_t *p,
    struct content *c, struct err *e)
{
	const char *sku, *name, *text, *price = NULL, *url = NULL;
	json_error_t je;
	struct uuid id;
	json_t *agent;
	char key[200];

	if (json_unpack_ex((json_t *)p, &je, 0, "{s:s, s:s, s:s, s?s, s?s}",
		"sku", &sku, "name", &name, "description", &text, "price_text",
		&price, "url", &url) != 0)
		return err_set(e, ERR_INVALID, "product: %s", je.text);
	if (agent_json(db, account, p, &agent, e) != 0)
		return err_prefix(e, "product %s", sku);
	snprintf(key, sizeof key, "product %s", sku);
	content_id(account, CONTENT_TIME_MS, key, &id);
	json_array_append_new(c->products,
	    json_pack("{s:o, s:o, s:s, s:s, s:s, s:s?, s:s?}", "id",
		id_json(&id), "agent_instance_id", agent, "sku", sku, "name",
		name, "description", text, "price_text", price, "url", url));
	return 0;
}

static int
document_row(struct db_pool *db, const struct uuid *account, const json_t *d,
    struct content *c, struct err *e)
{
	const char *title, *url = NULL;
	struct uuid id, chunk_id;
	json_t *sections, *section, *agent;
	json_error_t je;
	char key[300];
	size_t i;

	if (json_unpack_ex((json_t *)d, &je, 0, "{s:s, s?s, s:o}", "title",
		&title, "url", &url, "sections", &sections) != 0)
		return err_set(e, ERR_INVALID, "document: %s", je.text);
	if (agent_json(db, account, d, &agent, e) != 0)
		return err_prefix(e, "document %s", title);
	snprintf(key, sizeof key, "document %s", title);
	content_id(account, CONTENT_TIME_MS, key, &id);
	json_array_append_new(c->documents,
	    json_pack("{s:o, s:o, s:s, s:s?}", "id", id_json(&id),
		"agent_instance_id", agent, "title", title, "url", url));
	json_array_foreach(sections, i, section)
	{
		if (!json_is_string(section))
			return err_set(e, ERR_INVALID,
			    "document %s: a section is no text", title);
		snprintf(key, sizeof key, "chunk %zu %s", i, title);
		content_id(account, CONTENT_TIME_MS, key, &chunk_id);
		json_array_append_new(c->chunks,
		    json_pack("{s:o, s:o, s:i, s:s, s:O}", "id",
			id_json(&chunk_id), "document_id", id_json(&id),
			"position", (int)i, "title", title, "body", section));
	}
	return 0;
}

int
content_rows(struct db_pool *db, const struct uuid *account, const json_t *file,
    struct content *c, struct err *e)
{
	json_t *row;
	size_t i;

	c->products = json_array();
	c->documents = json_array();
	c->chunks = json_array();
	json_array_foreach(json_object_get(file, "products"), i,
	    row) if (product_row(db, account, row, c, e) != 0) goto fail;
	json_array_foreach(json_object_get(file, "documents"), i,
	    row) if (document_row(db, account, row, c, e) != 0) goto fail;
	return 0;
fail:
	content_drop(c);
	return -1;
}

void
content_drop(struct content *c)
{
	json_decref(c->products);
	json_decref(c->documents);
	json_decref(c->chunks);
}
