-- Looking whether everything opens.
-- needs: SELECT ON control.data_keys

-- Data keys of all accounts behind that place, a few at a time.
CREATE OR REPLACE FUNCTION gate.data_keys(p_account uuid, p_version integer, p_limit integer)
RETURNS TABLE (account_id uuid, version integer, master_id text, wrapped bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT k.account_id, k.version, k.master_id, k.wrapped FROM data_keys k
	WHERE (k.account_id, k.version) > (p_account, p_version)
	ORDER BY k.account_id, k.version LIMIT least(p_limit, 10000)
$$;
REVOKE ALL ON FUNCTION gate.data_keys(uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.data_keys(uuid, integer, integer) TO sb_admin;
