/*
 * What is found in an account's products and documents, one round trip.  How
 * it is searched and weighed stands with gate.knowledge_search, which takes
 * the account from the transaction.
 */
#include "knowledge/store.h"

#include "util/banned.h"

const struct db_stmt knowledge_stmt_search = {
	"knowledge_search",
	"SELECT kind, id, title, url, body, score"
	" FROM gate.knowledge_search($1, $2, $3::int, $4)",
};

const struct db_stmt knowledge_stmt_overview = {
	"knowledge_overview",
	"(SELECT 'product' AS kind, p.id, p.name AS title, p.url,"
	" concat_ws(' ', p.description, 'SKU: ' || p.sku || '.',"
	" 'Price: ' || p.price_text || '.') AS text, 0.5 AS score"
	" FROM products p WHERE p.account_id = $1"
	" AND coalesce($4, 'product') = 'product'"
	" AND (p.agent_instance_id IS NULL OR p.agent_instance_id = $2)"
	" ORDER BY p.id LIMIT $3::int)"
	" UNION ALL "
	"(SELECT 'document', d.id, d.title, d.url, c.body, 0.4"
	" FROM documents d JOIN chunks c"
	" ON c.account_id = d.account_id AND c.document_id = d.id"
	" WHERE d.account_id = $1 AND c.account_id = $1"
	" AND coalesce($4, 'document') = 'document'"
	" AND (d.agent_instance_id IS NULL OR d.agent_instance_id = $2)"
	" AND c.position = (SELECT min(f.position) FROM chunks f"
	" WHERE f.account_id = $1 AND f.document_id = d.id)"
	" ORDER BY d.id LIMIT $3::int)"
	" ORDER BY score DESC LIMIT $3::int",
};

const struct db_stmt knowledge_stmt_nothing = {
	"knowledge_nothing",
	"SELECT NOT EXISTS (SELECT FROM products p WHERE p.account_id = $1)"
	" AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = $1)",
};
