-- What is looked up before the account of a request is known: slug to account,
-- hash to key.  Each answer carries the epochs of its own snapshot, so
-- that a cached entry can be proven fresh.  A revoked key is no answer.
-- needs: SELECT ON control.accounts
-- needs: SELECT ON control.tiers
-- needs: SELECT ON control.platform
-- needs: SELECT ON control.api_keys
-- needs: SELECT ON control.widget_keys
-- needs: SELECT ON control.budgets
-- needs: SELECT ON control.agent_instances
-- needs: SELECT ON control.roles
-- needs: SELECT ON control.visitor_secrets
-- needs: SELECT ON control.knowledge_epochs

-- One account, active or not.  A limit is what holds: the account's own
-- number, else the tier's; -1 is unlimited.  origins: the union over its live
-- widget keys, a JSON array.
DROP FUNCTION IF EXISTS gate.account_by_slug(text);
CREATE OR REPLACE FUNCTION gate.account_by_slug(p_slug text)
RETURNS TABLE (id uuid, slot integer, slug text, name text, tier text,
	is_active boolean, max_agents bigint, requests_per_hour bigint,
	origins jsonb, config_epoch bigint, platform_epoch bigint, budgets jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT a.id, a.slot, a.slug, a.name, a.tier, a.is_active,
		coalesce(a.max_agents, t.max_agents, -1),
		coalesce(a.requests_per_hour, t.requests_per_hour, -1),
		coalesce((SELECT jsonb_agg(DISTINCT o)
			FROM widget_keys w, unnest(w.allowed_origins) AS o
			WHERE w.account_id = a.id AND w.revoked_at IS NULL), '[]'),
		a.config_epoch, p.config_epoch,
		(SELECT jsonb_agg(jsonb_build_array(b.id, b.slot, b.name, b.scope, b.subject_id,
				b.period, b.unit, b.amount, b.hard AND b.status = 'active') ORDER BY b.id)
			FROM budgets b WHERE b.account_id = a.id)
	FROM accounts a JOIN tiers t ON t.name = a.tier CROSS JOIN platform p
	WHERE a.slug = p_slug
$$;
REVOKE ALL ON FUNCTION gate.account_by_slug(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.account_by_slug(text) TO sb_chat, sb_admin;

-- The key of this SHA-256.  expires_us: microseconds since 1970, 0 is never;
-- whether that has passed is asked at each use, not here.  permissions: of a role
-- that is the account's own.
DROP FUNCTION IF EXISTS gate.api_key_find(bytea);
CREATE OR REPLACE FUNCTION gate.api_key_find(p_hash bytea)
RETURNS TABLE (id uuid, account_id uuid, account_slot integer, role text,
	expires_us bigint, config_epoch bigint, permissions text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT k.id, k.account_id, a.slot, k.role,
		coalesce((extract(epoch FROM k.expires_at) * 1000000)::bigint, 0),
		a.config_epoch, array_to_string(r.permissions, ' ')
	FROM api_keys k JOIN accounts a ON a.id = k.account_id
	LEFT JOIN roles r ON r.account_id = k.account_id AND r.name = k.role
	WHERE k.key_hash = p_hash AND k.revoked_at IS NULL
$$;
REVOKE ALL ON FUNCTION gate.api_key_find(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.api_key_find(bytea) TO sb_chat, sb_admin;

-- For programs that know no widget tokens.
CREATE OR REPLACE FUNCTION gate.widget_key_find(p_hash bytea)
RETURNS TABLE (id uuid, account_id uuid, account_slot integer,
	agent_instance_id uuid, origins jsonb, config_epoch bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT k.id, k.account_id, a.slot, k.agent_instance_id,
		to_jsonb(k.allowed_origins), a.config_epoch
	FROM widget_keys k JOIN accounts a ON a.id = k.account_id
	WHERE k.key_hash = p_hash AND k.revoked_at IS NULL
$$;
REVOKE ALL ON FUNCTION gate.widget_key_find(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.widget_key_find(bytea) TO sb_chat, sb_admin;

-- The same, with what is told of it to its pages: the name of its one agent,
-- and how it looks; and by which secrets visitors were named whose tokens may
-- still be about (a token lives for a day at most).
CREATE OR REPLACE FUNCTION gate.widget_key_by_hash(p_hash bytea)
RETURNS TABLE (id uuid, account_id uuid, account_slot integer,
	agent_instance_id uuid, origins jsonb, config_epoch bigint,
	agent_type text, instance_name text, appearance jsonb, visitor_secrets jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT k.id, k.account_id, a.slot, k.agent_instance_id,
		to_jsonb(k.allowed_origins), a.config_epoch, i.agent_type,
		i.instance_name, k.appearance,
		(SELECT jsonb_agg(v.id) FROM visitor_secrets v
			WHERE v.account_id = k.account_id AND v.revoked_at IS NULL
			AND (v.expires_at IS NULL
				OR v.expires_at > now() - interval '25 hours'))
	FROM widget_keys k JOIN accounts a ON a.id = k.account_id
	LEFT JOIN agent_instances i
		ON i.account_id = k.account_id AND i.id = k.agent_instance_id
	WHERE k.key_hash = p_hash AND k.revoked_at IS NULL
$$;
REVOKE ALL ON FUNCTION gate.widget_key_by_hash(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.widget_key_by_hash(bytea) TO sb_chat, sb_admin;

-- The keys by which the server's own page of an agent may talk, best first: by
-- hash in hexadecimal, and where they are allowed.
CREATE OR REPLACE FUNCTION gate.widget_keys_hosted(p_account uuid, p_type text,
	p_name text)
RETURNS TABLE (key_hash text, origins jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT encode(k.key_hash, 'hex'), to_jsonb(k.allowed_origins)
	FROM agent_instances i JOIN widget_keys k ON k.account_id = i.account_id
		AND (k.agent_instance_id IS NULL OR k.agent_instance_id = i.id)
	WHERE i.account_id = p_account AND i.agent_type = p_type
		AND i.instance_name = p_name AND k.revoked_at IS NULL
	ORDER BY k.agent_instance_id IS NULL, k.created_at, k.id LIMIT 100
$$;
REVOKE ALL ON FUNCTION gate.widget_keys_hosted(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.widget_keys_hosted(uuid, text, text) TO sb_chat;

-- How new the configuration and the knowledge of accounts are: of those in
-- ${p_slots}, or (null) of all.  Slot 0 is the platform.
CREATE OR REPLACE FUNCTION gate.epochs(p_slots integer[])
RETURNS TABLE (slot integer, config_epoch bigint, knowledge_epoch bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF p_slots IS NULL THEN
		RETURN QUERY SELECT a.slot, a.config_epoch, coalesce(k.epoch, 0)
			FROM accounts a LEFT JOIN knowledge_epochs k ON k.account_id = a.id;
	ELSE
		RETURN QUERY SELECT a.slot, a.config_epoch, coalesce(k.epoch, 0)
			FROM accounts a LEFT JOIN knowledge_epochs k ON k.account_id = a.id
			WHERE a.slot = ANY (p_slots);
	END IF;
	RETURN QUERY SELECT 0, p.config_epoch, 0::bigint FROM platform p;
END $$;
REVOKE ALL ON FUNCTION gate.epochs(integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.epochs(integer[]) TO sb_chat, sb_admin, sb_job;
