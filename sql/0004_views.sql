-- The field's tables as views over turns.  Row security is the caller's.

-- Id of a turn's message: the turn's own with its last two bits set, 1 what the
-- visitor said, 2 what the agent answered (util/id.h).
CREATE FUNCTION data.message_id(turn uuid, which integer) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (left(turn::text, 35) || translate(right(turn::text, 1), '048c',
	CASE which WHEN 1 THEN '159d' ELSE '26ae' END))::uuid;
GRANT EXECUTE ON FUNCTION data.message_id(uuid, integer) TO sb_chat, sb_admin;

CREATE VIEW data.messages WITH (security_invoker = true) AS
SELECT account_id, data.message_id(id, 1) AS id, session_id, agent_instance_id,
	'user'::text AS role, user_text AS content, metadata,
	started_at AS created_at, id AS turn_id
FROM data.turns
UNION ALL
SELECT account_id, data.message_id(id, 2), session_id, agent_instance_id,
	'assistant'::text, reply_text,
	jsonb_build_object('model', model, 'status', status, 'finish_reason', finish_reason,
		'tool_calls', tool_calls, 'citations', citations),
	finished_at, id
FROM data.turns;

CREATE VIEW data.agent_usage_log WITH (security_invoker = true) AS
SELECT account_id, id, agent_instance_id, session_id, model, 1::bigint AS request_count,
	input_tokens, output_tokens, cached_input_tokens, reasoning_tokens,
	usage_estimated, cost_usd, finished_at AS created_at
FROM data.turns;

CREATE VIEW data.agent_performance_metrics WITH (security_invoker = true) AS
SELECT account_id, id, agent_instance_id, latency_ms AS response_time_ms,
	first_token_ms, channel AS request_type, status, error_kind, model,
	finished_at AS created_at
FROM data.turns;

GRANT SELECT ON data.messages, data.agent_usage_log, data.agent_performance_metrics
	TO sb_chat, sb_admin;
