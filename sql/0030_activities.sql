-- What agents do, as the field's table has it: a view over the turns that run
-- and those that have ended.  Row security is the caller's.
CREATE VIEW data.agent_activities WITH (security_invoker = true) AS
SELECT account_id, id, session_id, agent_instance_id, agent_type, instance_name AS agent_name,
	metadata ->> 'category' AS category,
	CASE status WHEN 'completed' THEN 'completed' ELSE 'failed' END AS status,
	jsonb_build_object('prompt', user_text) AS input_data,
	jsonb_build_object('output', reply_text, 'model', model,
		'tokens', input_tokens + output_tokens) AS output_data,
	CASE status WHEN 'completed' THEN NULL WHEN 'cancelled' THEN 'cancelled'
		ELSE coalesce(error_kind, 'failed') END AS error_message,
	attempts, credential_id, why #>> '{attempts,-1,name}' AS credential_name, model,
	input_tokens, output_tokens, cached_input_tokens, cost_usd,
	latency_ms AS duration_ms,
	coalesce(metadata, '{}'::jsonb) || jsonb_build_object('accountId', credential_id,
		'accountName', coalesce(why #>> '{attempts,-1,name}', 'default'),
		'cost', cost_usd) AS metadata,
	started_at, finished_at AS completed_at
FROM data.turns
UNION ALL
SELECT account_id, id, session_id, agent_instance_id, agent_type, instance_name,
	metadata ->> 'category', 'running', jsonb_build_object('prompt', user_text), NULL, NULL,
	NULL, NULL, NULL, model, NULL, NULL, NULL, NULL,
	greatest(0, extract(epoch FROM now() - started_at) * 1000)::integer,
	coalesce(metadata, '{}'::jsonb), started_at, NULL
FROM data.turns_open;
GRANT SELECT ON data.agent_activities TO sb_admin;
