-- needs: SELECT, UPDATE (last_used_at) ON control.agent_instances
-- needs: SELECT, UPDATE (last_used_at) ON control.api_keys
-- needs: SELECT, UPDATE (last_used_at) ON control.widget_keys
-- needs: SELECT ON data.products
-- needs: SELECT ON data.documents
-- needs: SELECT ON data.chunks
-- needs: SELECT ON data.usage_rollups
-- needs: SELECT ON control.accounts

-- When agent instances were last used: told by workers once a minute, for
-- instances of several accounts at once.  Moves forward only, and at most once
-- a minute whatever the number of workers.
CREATE OR REPLACE FUNCTION gate.agents_used(accounts uuid[], agents uuid[])
RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = control, data, pg_temp
AS $$
	UPDATE agent_instances i SET last_used_at = now()
	FROM unnest(accounts, agents) AS v(a, g)
	WHERE i.account_id = v.a AND i.id = v.g
	AND (i.last_used_at IS NULL
		OR i.last_used_at < now() - interval '55 seconds')
$$;
REVOKE ALL ON FUNCTION gate.agents_used(uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.agents_used(uuid[], uuid[]) TO sb_chat;

-- The same of keys, API keys and widget keys together.  A row that somebody has
-- locked is left: two workers would wait for each other in a circle.
CREATE OR REPLACE FUNCTION gate.keys_used(accounts uuid[], keys uuid[])
RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = control, data, pg_temp
AS $$
	UPDATE api_keys u SET last_used_at = now()
	FROM (SELECT k.account_id, k.id FROM unnest(accounts, keys) AS v(a, i)
		JOIN api_keys k ON k.account_id = v.a AND k.id = v.i
		WHERE k.last_used_at IS NULL
		OR k.last_used_at < now() - interval '55 seconds'
		FOR NO KEY UPDATE OF k SKIP LOCKED) f
	WHERE u.account_id = f.account_id AND u.id = f.id;
	UPDATE widget_keys u SET last_used_at = now()
	FROM (SELECT k.account_id, k.id FROM unnest(accounts, keys) AS v(a, i)
		JOIN widget_keys k ON k.account_id = v.a AND k.id = v.i
		WHERE k.last_used_at IS NULL
		OR k.last_used_at < now() - interval '55 seconds'
		FOR NO KEY UPDATE OF k SKIP LOCKED) f
	WHERE u.account_id = f.account_id AND u.id = f.id;
$$;
REVOKE ALL ON FUNCTION gate.keys_used(uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.keys_used(uuid[], uuid[]) TO sb_chat, sb_admin;

-- Full-text search of what the transaction's account sells and has written; its
-- account comes from the transaction alone, and without one there is nothing.
-- It is a function of the gate since row security would keep a caller's query
-- from the text indexes: a match might, for all PostgreSQL knows, tell about
-- rows that are filtered out.
--
-- The words become lexemes joined by "or", since a question in full sentences
-- seldom finds all its words in one passage; what was found is then weighed by
-- how many of its distinct lexemes a passage holds.  A passage counts when it
-- holds a word of the question in its title and at least 30 % of all, or 60 %
-- of all wherever; beyond eight words a question is long-winded rather than
-- precise and is measured as if it had eight.  A passage with not much more
-- than half of the best one's score is left out.  So "what is the weather"
-- finds nothing in a catalogue that mentions it nowhere, and "blood pressure
-- monitor" does not list every other monitor.
--
-- Most accounts have a few hundred passages: reading them by account is fast,
-- needs no planning, and most sentences of a talk find nothing, which is asked
-- first.  For a large one the planner has to see account and words each time,
-- to choose between the two indexes.
CREATE OR REPLACE FUNCTION gate.knowledge_search(p_agent uuid, p_words text,
	p_limit integer, p_kind text)
RETURNS TABLE (kind text, id uuid, title text, url text, body text,
	score double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = control, data, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	account uuid := nullif(current_setting('app.account_id', true), '')::uuid;
	lex text[] := tsvector_to_array(to_tsvector('english', p_words));
	most double precision := least(cardinality(lex), 8);
	query tsquery;
	few CONSTANT bigint := 300;
BEGIN
	query := (SELECT string_agg('''' || replace(replace(l, '\', '\\'),
		'''', '''''') || '''', ' | ')::tsquery FROM unnest(lex) l);
	IF account IS NULL OR query IS NULL THEN
		RETURN;
	END IF;
	IF (SELECT count(*) FROM (SELECT FROM products p
			WHERE p.account_id = account LIMIT few) x) = few
		OR (SELECT count(*) FROM (SELECT FROM chunks c
			WHERE c.account_id = account LIMIT few) x) = few THEN
		PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);
	ELSIF NOT EXISTS (SELECT FROM products p
			WHERE p.account_id = account AND p.search @@ query)
		AND NOT EXISTS (SELECT FROM chunks c
			WHERE c.account_id = account AND c.search @@ query) THEN
		RETURN;
	END IF;
	RETURN QUERY WITH found AS (
		(SELECT 'product' AS kind, p.id, p.name AS title, p.url,
			concat_ws(' ', p.description, 'SKU: ' || p.sku || '.',
				'Price: ' || p.price_text || '.') AS body,
			p.search, ts_rank(p.search, query) AS rank
		FROM products p WHERE p.account_id = account
			AND coalesce(p_kind, 'product') = 'product'
			AND (p.agent_instance_id IS NULL OR p.agent_instance_id = p_agent)
			AND p.search @@ query
		ORDER BY rank DESC, p.id LIMIT 50)
		UNION ALL
		(SELECT 'document', c.document_id, c.title, d.url, c.body, c.search,
			ts_rank(c.search, query) AS rank
		FROM chunks c JOIN documents d
			ON d.account_id = c.account_id AND d.id = c.document_id
		WHERE c.account_id = account AND d.account_id = account
			AND coalesce(p_kind, 'document') = 'document'
			AND (d.agent_instance_id IS NULL OR d.agent_instance_id = p_agent)
			AND c.search @@ query
		ORDER BY rank DESC, c.id LIMIT 50)),
	counted AS MATERIALIZED (SELECT f.*,
		(SELECT count(*) FROM unnest(lex) l
			WHERE l = ANY (tsvector_to_array(f.search)))::float8 AS held,
		(SELECT count(*) FROM unnest(lex) l WHERE l =
			ANY (tsvector_to_array(ts_filter(f.search, '{a}'))))::float8
			AS titled
		FROM found f),
	scored AS (SELECT c.*,
		(0.6 * least(c.held, most) + 0.4 * least(c.titled, most)) / most
			+ 0.01 * c.rank AS score
		FROM counted c WHERE c.held >= 0.6 * most
			OR (c.titled > 0 AND c.held >= 0.3 * most))
	SELECT s.kind, s.id, s.title, s.url, s.body, s.score
	FROM (SELECT scored.*, max(scored.score) OVER () AS best FROM scored) s
	WHERE s.score > 0.55 * s.best
	ORDER BY s.score DESC, s.kind DESC, s.id LIMIT p_limit;
END $$;
REVOKE ALL ON FUNCTION gate.knowledge_search(uuid, text, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.knowledge_search(uuid, text, integer, text) TO sb_chat;

-- What to read ahead: the instances with the most turns of the last 24 hours.
CREATE OR REPLACE FUNCTION gate.most_used(p_limit integer)
RETURNS TABLE (account_id uuid, agent_instance_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT r.account_id, r.agent_instance_id FROM usage_rollups r
	WHERE r.grain = 60 AND r.bucket > now() - interval '25 hours'
	GROUP BY r.account_id, r.agent_instance_id
	ORDER BY sum(r.requests) DESC, r.agent_instance_id LIMIT p_limit
$$;
REVOKE ALL ON FUNCTION gate.most_used(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.most_used(integer) TO sb_chat;

-- The names of active instances, in the order given.
CREATE OR REPLACE FUNCTION gate.agent_names(p_accounts uuid[], p_agents uuid[])
RETURNS TABLE (slug text, agent_type text, instance_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT a.slug, i.agent_type, i.instance_name
	FROM unnest(p_accounts, p_agents) WITH ORDINALITY AS v (account_id, id, n)
	JOIN agent_instances i ON i.account_id = v.account_id AND i.id = v.id
	JOIN accounts a ON a.id = i.account_id
	WHERE i.status = 'active' AND a.is_active
	ORDER BY v.n
$$;
REVOKE ALL ON FUNCTION gate.agent_names(uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.agent_names(uuid[], uuid[]) TO sb_chat;
