-- What limits must know after a restart.  Asked in small parts, so that none
-- takes long with however many agents.
-- needs: SELECT ON data.usage_rollups
-- needs: SELECT ON data.turns
-- needs: SELECT ON control.accounts
-- needs: SELECT ON control.agent_instances

-- The present five minutes, counted from 1970, and how long ago they began.
CREATE OR REPLACE FUNCTION gate.use_present()
RETURNS TABLE (part bigint, age_s integer)
LANGUAGE sql STABLE SET search_path = control, data, pg_temp AS $$
	SELECT s / 300, (s % 300)::integer FROM (SELECT floor(extract(epoch FROM now()))::bigint AS s) x
$$;
REVOKE ALL ON FUNCTION gate.use_present() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.use_present() TO sb_chat;

-- What agents used in five minutes, those of an account together; ${ahead}:
-- and in what lies ahead of them, where a worker's clock ran fast.
CREATE OR REPLACE FUNCTION gate.use_in(p_part bigint, p_ahead boolean)
RETURNS TABLE (account_slot integer, agent_slot integer, requests bigint, tokens bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp SET jit = off AS $$
	SELECT a.slot, i.slot, u.requests, u.tokens
	FROM (SELECT account_id, agent_instance_id, sum(requests)::bigint AS requests,
			sum(input_tokens + output_tokens)::bigint AS tokens
		FROM usage_rollups
		WHERE grain = 5 AND bucket >= to_timestamp(p_part * 300)
			AND bucket < to_timestamp((p_part + CASE WHEN p_ahead THEN 400 ELSE 1 END) * 300)
		GROUP BY account_id, agent_instance_id) u
		JOIN accounts a ON a.id = u.account_id
		JOIN agent_instances i ON i.account_id = u.account_id AND i.id = u.agent_instance_id
	ORDER BY a.slot
$$;
REVOKE ALL ON FUNCTION gate.use_in(bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.use_in(bigint, boolean) TO sb_chat;

-- The turns of the last minute by agent: one look by key for each account that
-- was active in the present five minutes or those before.
CREATE OR REPLACE FUNCTION gate.use_last_minute(p_part bigint)
RETURNS TABLE (agent_slot integer, requests bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp SET jit = off AS $$
	SELECT i.slot, t.n
	FROM (SELECT DISTINCT account_id FROM usage_rollups
			WHERE grain = 5 AND bucket >= to_timestamp((p_part - 1) * 300)) u
		CROSS JOIN LATERAL (SELECT agent_instance_id, count(*) AS n FROM turns
			WHERE account_id = u.account_id
				AND id >= data.uuid_floor(now() - interval '1 minute')
				AND id < data.uuid_floor(now() + interval '1 hour')
			GROUP BY agent_instance_id) t
		JOIN agent_instances i ON i.account_id = u.account_id AND i.id = t.agent_instance_id
$$;
REVOKE ALL ON FUNCTION gate.use_last_minute(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.use_last_minute(bigint) TO sb_chat;
