-- What the writer may change beyond its tables.
-- needs: SELECT, DELETE ON data.turns
-- needs: SELECT, UPDATE ON data.usage_rollups
-- needs: SELECT, UPDATE ON data.usage_by_caller
-- needs: SELECT ON data.feedback

-- The ends of turns that were marked as lost with their worker, since nobody
-- knew that they lay in its journal or that it lives after all: take the mark
-- and its count away, so that the true end can be written; how many.  Called in
-- the transaction that writes them.
CREATE OR REPLACE FUNCTION gate.revive_turns(accounts uuid[], turns uuid[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
#variable_conflict use_column
DECLARE
	n bigint;
BEGIN
	WITH marked AS (
		DELETE FROM data.turns t USING unnest(accounts, turns) AS v (a, i)
		WHERE t.account_id = v.a AND t.id = v.i AND t.status = 'failed'
			AND t.error_kind = 'worker-lost'
			AND NOT EXISTS (SELECT FROM feedback f
				WHERE f.account_id = v.a AND f.turn_id = v.i)
		RETURNING t.account_id, t.agent_instance_id, coalesce(t.model, '') AS model,
			date_bin('5 minutes', t.finished_at, timestamptz '2000-01-01 00:00+00')
				AS bucket,
			CASE WHEN t.api_key_id IS NOT NULL THEN 'api_key'
				WHEN t.widget_key_id IS NOT NULL THEN 'widget_key' ELSE 'user' END AS kind,
			coalesce(t.api_key_id, t.widget_key_id, t.user_id, '00000000-0000-0000-0000-000000000000') AS caller
	), sums AS (
		SELECT account_id, agent_instance_id, model, bucket, count(*) AS turns
		FROM marked GROUP BY account_id, agent_instance_id, model, bucket
	), counted AS (
		UPDATE usage_rollups r SET requests = r.requests - s.turns,
			failed = r.failed - s.turns
		FROM sums s
		WHERE r.account_id = s.account_id AND r.agent_instance_id = s.agent_instance_id
			AND r.model = s.model AND r.grain = 5 AND r.bucket = s.bucket
	), callers AS (
		SELECT account_id, agent_instance_id, kind, caller, model, bucket, count(*) AS turns
		FROM marked GROUP BY account_id, agent_instance_id, kind, caller, model, bucket
	), counted_by_caller AS (
		UPDATE usage_by_caller r SET requests = r.requests - s.turns,
			failed = r.failed - s.turns
		FROM callers s
		WHERE r.account_id = s.account_id AND r.agent_instance_id = s.agent_instance_id
			AND r.caller_kind = s.kind AND r.caller_id = s.caller
			AND r.credential_id = '00000000-0000-0000-0000-000000000000'
			AND r.model = s.model AND r.grain = 5 AND r.bucket = s.bucket
	)
	SELECT count(*) INTO n FROM marked;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.revive_turns(uuid[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.revive_turns(uuid[], uuid[]) TO sb_writer;
