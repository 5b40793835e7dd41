-- What the operator's command and the management side see across accounts.
-- Only columns that a list shows; no hash ever leaves through these but the
-- password hash of one user, which sign-in has to check.
-- needs: SELECT ON control.accounts
-- needs: SELECT ON control.tiers
-- needs: SELECT ON control.agent_instances
-- needs: SELECT ON control.users
-- needs: SELECT ON control.memberships
-- needs: SELECT ON control.api_keys
-- needs: SELECT ON control.widget_keys

CREATE OR REPLACE FUNCTION gate.admin_account_id(p_slug text)
RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT id FROM accounts WHERE slug = p_slug
$$;
REVOKE ALL ON FUNCTION gate.admin_account_id(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.admin_account_id(text) TO sb_admin;

-- All accounts, or the one of that slug.  A limit is what holds: the account's
-- own number, else the tier's; -1 is unlimited.
DROP FUNCTION IF EXISTS gate.admin_accounts(text);
CREATE OR REPLACE FUNCTION gate.admin_accounts(p_slug text)
RETURNS TABLE (id uuid, slug text, name text, tier text, is_active boolean,
	max_agents bigint, own_max_agents boolean, requests_per_hour bigint,
	own_requests_per_hour boolean, agents bigint, config_epoch bigint,
	created_at timestamptz, ends_at timestamptz, credential_strategy text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT a.id, a.slug, a.name, a.tier, a.is_active,
		coalesce(a.max_agents, t.max_agents, -1),
		a.max_agents IS NOT NULL,
		coalesce(a.requests_per_hour, t.requests_per_hour, -1),
		a.requests_per_hour IS NOT NULL,
		(SELECT count(*) FROM agent_instances i
			WHERE i.account_id = a.id AND i.status <> 'archived'),
		a.config_epoch, a.created_at, a.ends_at, a.credential_strategy
	FROM accounts a JOIN tiers t ON t.name = a.tier
	WHERE p_slug IS NULL OR a.slug = p_slug
	ORDER BY a.slug
$$;
REVOKE ALL ON FUNCTION gate.admin_accounts(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.admin_accounts(text) TO sb_admin;

CREATE OR REPLACE FUNCTION gate.admin_user_by_email(p_email text)
RETURNS TABLE (id uuid, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.id, u.password_hash FROM users u
	WHERE lower(u.email) = lower(p_email)
$$;
REVOKE ALL ON FUNCTION gate.admin_user_by_email(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.admin_user_by_email(text) TO sb_admin;

-- Everybody, or the members of one account, with all their memberships.
CREATE OR REPLACE FUNCTION gate.admin_users(p_slug text)
RETURNS TABLE (id uuid, email text, display_name text,
	is_platform_admin boolean, is_active boolean, memberships jsonb,
	created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.id, u.email, u.display_name, u.is_platform_admin, u.is_active,
		coalesce((SELECT jsonb_agg(jsonb_build_object(
				'account', a.slug, 'role', m.role)
				ORDER BY a.slug)
			FROM memberships m JOIN accounts a ON a.id = m.account_id
			WHERE m.user_id = u.id), '[]'),
		u.created_at
	FROM users u
	WHERE p_slug IS NULL OR EXISTS (
		SELECT FROM memberships m JOIN accounts a ON a.id = m.account_id
		WHERE m.user_id = u.id AND a.slug = p_slug)
	ORDER BY lower(u.email)
$$;
REVOKE ALL ON FUNCTION gate.admin_users(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.admin_users(text) TO sb_admin;

-- Is there a key of that account with this hash that still works?  Nobody but
-- the gate reads a hash.
CREATE OR REPLACE FUNCTION gate.admin_key_good(p_account uuid, p_hash bytea)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM api_keys
			WHERE account_id = p_account AND key_hash = p_hash
				AND revoked_at IS NULL
				AND (expires_at IS NULL OR expires_at > now()))
		OR EXISTS (SELECT FROM widget_keys
			WHERE account_id = p_account AND key_hash = p_hash
				AND revoked_at IS NULL)
$$;
REVOKE ALL ON FUNCTION gate.admin_key_good(uuid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.admin_key_good(uuid, bytea) TO sb_admin;

-- A page of all accounts in the order of their slugs, after ${p_after}; of those
-- that end, of the others, or (null) of both.
DROP FUNCTION IF EXISTS gate.admin_accounts_page(text, boolean, text, integer);
DROP FUNCTION IF EXISTS gate.admin_accounts_page(text, boolean, text, integer, boolean);
CREATE OR REPLACE FUNCTION gate.admin_accounts_page(p_tier text, p_active boolean,
	p_after text, p_rows integer, p_ending boolean DEFAULT NULL)
RETURNS TABLE (id uuid, slug text, name text, tier text, is_active boolean,
	max_agents bigint, own_max_agents boolean, requests_per_hour bigint,
	own_requests_per_hour boolean, agents bigint, created_at timestamptz,
	updated_at timestamptz, ends_at timestamptz, second_factor_roles text[],
	credential_strategy text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT a.id, a.slug, a.name, a.tier, a.is_active,
		coalesce(a.max_agents, t.max_agents, -1),
		a.max_agents IS NOT NULL,
		coalesce(a.requests_per_hour, t.requests_per_hour, -1),
		a.requests_per_hour IS NOT NULL,
		(SELECT count(*) FROM agent_instances i
			WHERE i.account_id = a.id AND i.status <> 'archived'),
		a.created_at, a.updated_at, a.ends_at, a.second_factor_roles,
		a.credential_strategy
	FROM accounts a JOIN tiers t ON t.name = a.tier
	WHERE (p_after IS NULL OR a.slug > p_after)
		AND (p_tier IS NULL OR a.tier = p_tier)
		AND (p_active IS NULL OR a.is_active = p_active)
		AND (p_ending IS NULL OR (a.ends_at IS NOT NULL) = p_ending)
	ORDER BY a.slug LIMIT p_rows
$$;
REVOKE ALL ON FUNCTION gate.admin_accounts_page(text, boolean, text, integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.admin_accounts_page(text, boolean, text, integer, boolean)
	TO sb_admin;
