-- What limits must know after a restart.
-- needs: SELECT ON data.usage_rollups
-- needs: SELECT ON data.turns
-- needs: SELECT ON control.accounts
-- needs: SELECT ON control.agent_instances

-- What each account (requests) and each agent (tokens) used in the last hour:
-- parts are pairs "ago used", ago counted in whole five minutes before the
-- present ones, which began age_s seconds ago; a bucket that lies ahead (a
-- worker's clock that runs fast) counts as the present one.  last_minute: the
-- turns of an agent that began in the last minute, one look by key an account
-- that was active lately.
CREATE OR REPLACE FUNCTION gate.recent_use()
RETURNS TABLE (of_agent boolean, slot integer, parts text, last_minute bigint, age_s integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
	WITH clock AS (
		SELECT floor(extract(epoch FROM now()) / 300)::bigint AS part,
			mod(floor(extract(epoch FROM now()))::bigint, 300)::integer AS age
	), used AS MATERIALIZED (
		SELECT account_id, agent_instance_id,
			greatest(part - floor(extract(epoch FROM bucket) / 300)::bigint, 0) AS ago,
			sum(requests) AS requests, sum(input_tokens + output_tokens) AS tokens
		FROM usage_rollups, clock
		WHERE grain = 5 AND bucket > now() - interval '1 hour 5 minutes'
		GROUP BY 1, 2, 3
	), minute AS MATERIALIZED (
		SELECT u.account_id, t.agent_instance_id, t.n
		FROM (SELECT DISTINCT account_id FROM used WHERE ago <= 1) u,
		LATERAL (SELECT agent_instance_id, count(*) AS n FROM turns
			WHERE account_id = u.account_id AND id >= data.uuid_floor(now() - interval '1 minute')
			GROUP BY agent_instance_id) t
	)
	SELECT false, a.slot, string_agg(u.ago || ' ' || u.n, ' '), 0::bigint, clock.age
	FROM (SELECT account_id, ago, sum(requests) AS n FROM used GROUP BY 1, 2) u
		JOIN accounts a ON a.id = u.account_id, clock
	GROUP BY a.slot, clock.age
	UNION ALL
	SELECT true, i.slot, string_agg(u.ago || ' ' || u.tokens, ' '),
		coalesce(max(m.n), 0), clock.age
	FROM used u JOIN agent_instances i ON i.account_id = u.account_id
			AND i.id = u.agent_instance_id
		LEFT JOIN minute m ON m.account_id = u.account_id
			AND m.agent_instance_id = u.agent_instance_id, clock
	GROUP BY i.slot, clock.age
$$;
REVOKE ALL ON FUNCTION gate.recent_use() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.recent_use() TO sb_chat;
