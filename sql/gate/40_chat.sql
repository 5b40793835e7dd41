-- needs: SELECT, UPDATE (last_used_at) ON control.agent_instances
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
