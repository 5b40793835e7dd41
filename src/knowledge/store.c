/*
 * Full-text search, one round trip.  The words are turned into lexemes by
 * PostgreSQL and joined by "or", since a question in full sentences seldom
 * finds all its words in one passage; what was found is then weighed by how
 * many of its distinct lexemes a passage holds.
 *
 * A passage counts when it holds a word of the question in its title and at
 * least 30 % of all, or 60 % of all wherever; beyond eight words a question
 * is long-winded rather than precise and is measured as if it had eight.  A
 * passage with not much more than half of the best one's score is left out.
 * So "what is the weather" finds nothing in a catalogue that mentions it
 * nowhere, and "blood pressure monitor" does not list every other monitor.
 */
#include "knowledge/store.h"

#include "util/banned.h"

const struct db_stmt knowledge_stmt_search = {
	"knowledge_search",
	"WITH v AS MATERIALIZED (SELECT"
	" tsvector_to_array(to_tsvector('english', $3)) AS lex),"
	" q AS MATERIALIZED (SELECT lex,"
	" least(cardinality(lex), 8)::float8 AS n,"
	" (SELECT string_agg('''' || replace(replace(l, '\\', '\\\\'),"
	" '''', '''''') || '''', ' | ')::tsquery FROM unnest(lex) l) AS query"
	" FROM v),"
	" found AS ("
	"(SELECT 'product' AS kind, p.id, p.name AS title, p.url,"
	" concat_ws(' ', p.description, 'SKU: ' || p.sku || '.',"
	" 'Price: ' || p.price_text || '.') AS text, p.search,"
	" ts_rank(p.search, (SELECT query FROM q)) AS rank"
	" FROM products p WHERE p.account_id = $1"
	" AND coalesce($5, 'product') = 'product'"
	" AND (p.agent_instance_id IS NULL OR p.agent_instance_id = $2)"
	" AND p.search @@ (SELECT query FROM q)"
	" ORDER BY rank DESC, p.id LIMIT 50)"
	" UNION ALL "
	"(SELECT 'document', c.document_id, c.title, d.url, c.body, c.search,"
	" ts_rank(c.search, (SELECT query FROM q)) AS rank"
	" FROM chunks c JOIN documents d"
	" ON d.account_id = c.account_id AND d.id = c.document_id"
	" WHERE c.account_id = $1 AND d.account_id = $1"
	" AND coalesce($5, 'document') = 'document'"
	" AND (d.agent_instance_id IS NULL OR d.agent_instance_id = $2)"
	" AND c.search @@ (SELECT query FROM q)"
	" ORDER BY rank DESC, c.id LIMIT 50)),"
	" counted AS MATERIALIZED (SELECT f.*, q.n,"
	" (SELECT count(*) FROM unnest(q.lex) l"
	" WHERE l = ANY (tsvector_to_array(f.search)))::float8 AS held,"
	" (SELECT count(*) FROM unnest(q.lex) l WHERE l ="
	" ANY (tsvector_to_array(ts_filter(f.search, '{a}'))))::float8"
	" AS titled FROM found f, q),"
	" scored AS (SELECT *,"
	" (0.6 * least(held, n) + 0.4 * least(titled, n)) / n"
	" + 0.01 * rank AS score"
	" FROM counted WHERE held >= 0.6 * n"
	" OR (titled > 0 AND held >= 0.3 * n))"
	" SELECT kind, id, title, url, text, score"
	" FROM (SELECT *, max(score) OVER () AS best FROM scored) s"
	" WHERE score > 0.55 * best"
	" ORDER BY score DESC, kind DESC, id LIMIT $4::int",
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
