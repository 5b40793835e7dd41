-- Sums of use as in usage_rollups, by who asked and which credential answered.
-- Every turn counts in both, so that both add up to the same; what was used
-- before this table stands in usage_rollups alone.
CREATE TABLE data.usage_by_caller (
	account_id uuid NOT NULL,
	agent_instance_id uuid NOT NULL,
	caller_kind text NOT NULL CHECK (caller_kind IN ('api_key', 'widget_key', 'user')),
	caller_id uuid NOT NULL,		-- the key's or the person's
	credential_id uuid NOT NULL,		-- nil: none of the pool
	model text NOT NULL,			-- '' where none answered
	grain smallint NOT NULL CHECK (grain IN (5, 60, 1440)),	-- minutes
	bucket timestamptz NOT NULL,
	requests bigint NOT NULL,
	failed bigint NOT NULL,
	cancelled bigint NOT NULL,
	input_tokens bigint NOT NULL,
	output_tokens bigint NOT NULL,
	cached_input_tokens bigint NOT NULL,
	reasoning_tokens bigint NOT NULL,
	cost_nano_usd bigint NOT NULL,		-- 1e-9 USD, so that sums are exact
	unpriced bigint NOT NULL,		-- answers without a known price
	PRIMARY KEY (account_id, agent_instance_id, caller_kind, caller_id, credential_id, model,
		grain, bucket)
) PARTITION BY RANGE (bucket);
-- For the timer that sums all accounts.
CREATE INDEX usage_by_caller_bucket_idx ON data.usage_by_caller (grain, bucket);
SELECT control.protect('data.usage_by_caller');
SELECT control.protect_for_writer('data.usage_by_caller');
GRANT SELECT ON data.usage_by_caller TO sb_admin;
GRANT SELECT, INSERT, UPDATE ON data.usage_by_caller TO sb_writer;

-- Which credential answered; null: none of the pool.  No foreign key, since it
-- is the other plane's.
ALTER TABLE data.turns ADD COLUMN credential_id uuid;
CREATE OR REPLACE VIEW data.agent_usage_log WITH (security_invoker = true) AS
SELECT account_id, id, agent_instance_id, session_id, model, 1::bigint AS request_count,
	input_tokens, output_tokens, cached_input_tokens, reasoning_tokens,
	usage_estimated, cost_usd, finished_at AS created_at, credential_id
FROM data.turns;
