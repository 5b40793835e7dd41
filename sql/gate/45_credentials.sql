-- What a turn chooses its provider's key from.
-- needs: SELECT, UPDATE (last_used_at) ON control.llm_credentials
-- needs: SELECT ON control.accounts
-- needs: SELECT ON control.platform

-- The active credentials of an account and of the platform, sealed, as two JSON
-- arrays, with the epochs of the same snapshot.
CREATE OR REPLACE FUNCTION gate.credentials(p_account uuid)
RETURNS TABLE (slot integer, strategy text, own jsonb, platform jsonb,
	config_epoch bigint, platform_epoch bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	WITH listed AS (
		SELECT c.owner, jsonb_agg(jsonb_build_object('id', c.id, 'slot', c.slot,
			'provider', c.provider, 'name', c.name,
			'sealed', encode(c.sealed, 'hex'), 'version', c.key_version,
			'base_url', c.base_url, 'tier', c.tier, 'rpm', c.rpm, 'tpm', c.tpm,
			'itpm', c.itpm, 'weight', c.weight, 'priority', c.priority,
			'models', to_jsonb(c.models)) ORDER BY c.slot) AS all_of
		FROM llm_credentials c WHERE c.status = 'active' AND c.account_id IN
			(p_account, '00000000-0000-0000-0000-000000000000')
		GROUP BY c.owner)
	SELECT a.slot, a.credential_strategy,
		coalesce((SELECT l.all_of FROM listed l WHERE l.owner = a.id), '[]'),
		coalesce((SELECT l.all_of FROM listed l WHERE l.owner IS NULL), '[]'),
		a.config_epoch, p.config_epoch
	FROM accounts a CROSS JOIN platform p WHERE a.id = p_account
$$;
REVOKE ALL ON FUNCTION gate.credentials(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.credentials(uuid) TO sb_chat;

-- When credentials were last used; as gate.keys_used().
CREATE OR REPLACE FUNCTION gate.credentials_used(accounts uuid[], credentials uuid[])
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	UPDATE llm_credentials u SET last_used_at = now()
	FROM (SELECT c.account_id, c.id FROM unnest(accounts, credentials) AS v(a, i)
		JOIN llm_credentials c ON c.account_id = v.a AND c.id = v.i
		WHERE c.last_used_at IS NULL
		OR c.last_used_at < now() - interval '55 seconds'
		FOR NO KEY UPDATE OF c SKIP LOCKED) f
	WHERE u.account_id = f.account_id AND u.id = f.id;
$$;
REVOKE ALL ON FUNCTION gate.credentials_used(uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.credentials_used(uuid[], uuid[]) TO sb_chat;
