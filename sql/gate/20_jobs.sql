-- What timers and supervision do across accounts, and the price table.
-- needs: SELECT, INSERT, UPDATE ON data.usage_rollups
-- needs: SELECT, INSERT, UPDATE ON data.usage_by_caller
-- needs: SELECT, DELETE ON data.turns_open
-- needs: SELECT, INSERT ON data.turns
-- needs: SELECT, DELETE ON data.idempotency_keys
-- needs: SELECT, DELETE ON control.request_answers
-- needs: SELECT, DELETE ON data.writer_batches
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.workers
-- needs: SELECT ON control.prices

-- Hours and days from the 5-minute sums: the current one and the last two, or
-- all from ${since} (after late rows).  Sums replace what stood there, so that
-- it may run at any time and any number of times.  Rows written.
CREATE OR REPLACE FUNCTION gate.sum_rollups(since timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
DECLARE
	g record;
	n bigint;
	total bigint := 0;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('switchboard rollups', 0));
	FOR g IN
		SELECT minutes, unit, least(date_trunc(unit, since, 'UTC'),
			date_trunc(unit, now(), 'UTC') - 2 * ('1 ' || unit)::interval) AS first
		FROM (VALUES (60, 'hour'), (1440, 'day')) AS v (minutes, unit)
	LOOP
		INSERT INTO usage_rollups AS r (account_id, agent_instance_id, model, grain, bucket,
			requests, failed, cancelled, input_tokens, output_tokens, cached_input_tokens,
			reasoning_tokens, cost_nano_usd, unpriced, latency_ms_sum, latency_ms_max,
			latency_hist)
		SELECT account_id, agent_instance_id, model, g.minutes,
			date_trunc(g.unit, bucket, 'UTC') AS whole,
			sum(requests)::bigint, sum(failed)::bigint, sum(cancelled)::bigint,
			sum(input_tokens)::bigint, sum(output_tokens)::bigint,
			sum(cached_input_tokens)::bigint, sum(reasoning_tokens)::bigint,
			sum(cost_nano_usd)::bigint, sum(unpriced)::bigint,
			sum(latency_ms_sum)::bigint, max(latency_ms_max), hist_sum(latency_hist)
		FROM usage_rollups
		WHERE grain = 5 AND bucket >= g.first
		GROUP BY account_id, agent_instance_id, model, whole
		ORDER BY account_id, agent_instance_id, model, whole
		ON CONFLICT (account_id, agent_instance_id, model, grain, bucket) DO UPDATE SET
			requests = excluded.requests, failed = excluded.failed,
			cancelled = excluded.cancelled, input_tokens = excluded.input_tokens,
			output_tokens = excluded.output_tokens,
			cached_input_tokens = excluded.cached_input_tokens,
			reasoning_tokens = excluded.reasoning_tokens,
			cost_nano_usd = excluded.cost_nano_usd, unpriced = excluded.unpriced,
			latency_ms_sum = excluded.latency_ms_sum,
			latency_ms_max = excluded.latency_ms_max, latency_hist = excluded.latency_hist
		WHERE (r.requests, r.failed, r.cancelled, r.input_tokens, r.output_tokens,
			r.cached_input_tokens, r.reasoning_tokens, r.cost_nano_usd, r.unpriced,
			r.latency_ms_sum, r.latency_ms_max, r.latency_hist)
		IS DISTINCT FROM (excluded.requests, excluded.failed, excluded.cancelled,
			excluded.input_tokens, excluded.output_tokens, excluded.cached_input_tokens,
			excluded.reasoning_tokens, excluded.cost_nano_usd, excluded.unpriced,
			excluded.latency_ms_sum, excluded.latency_ms_max, excluded.latency_hist);
		GET DIAGNOSTICS n = ROW_COUNT;
		total := total + n;

		INSERT INTO usage_by_caller AS r (account_id, agent_instance_id, caller_kind, caller_id,
			credential_id, model, grain, bucket, requests, failed, cancelled, input_tokens,
			output_tokens, cached_input_tokens, reasoning_tokens, cost_nano_usd, unpriced)
		SELECT account_id, agent_instance_id, caller_kind, caller_id, credential_id, model,
			g.minutes, date_trunc(g.unit, bucket, 'UTC') AS whole,
			sum(requests)::bigint, sum(failed)::bigint, sum(cancelled)::bigint,
			sum(input_tokens)::bigint, sum(output_tokens)::bigint,
			sum(cached_input_tokens)::bigint, sum(reasoning_tokens)::bigint,
			sum(cost_nano_usd)::bigint, sum(unpriced)::bigint
		FROM usage_by_caller
		WHERE grain = 5 AND bucket >= g.first
		GROUP BY account_id, agent_instance_id, caller_kind, caller_id, credential_id, model, whole
		ORDER BY account_id, agent_instance_id, caller_kind, caller_id, credential_id, model, whole
		ON CONFLICT (account_id, agent_instance_id, caller_kind, caller_id, credential_id, model,
			grain, bucket) DO UPDATE SET
			requests = excluded.requests, failed = excluded.failed,
			cancelled = excluded.cancelled, input_tokens = excluded.input_tokens,
			output_tokens = excluded.output_tokens,
			cached_input_tokens = excluded.cached_input_tokens,
			reasoning_tokens = excluded.reasoning_tokens,
			cost_nano_usd = excluded.cost_nano_usd, unpriced = excluded.unpriced
		WHERE (r.requests, r.failed, r.cancelled, r.input_tokens, r.output_tokens,
			r.cached_input_tokens, r.reasoning_tokens, r.cost_nano_usd, r.unpriced)
		IS DISTINCT FROM (excluded.requests, excluded.failed, excluded.cancelled,
			excluded.input_tokens, excluded.output_tokens, excluded.cached_input_tokens,
			excluded.reasoning_tokens, excluded.cost_nano_usd, excluded.unpriced);
		GET DIAGNOSTICS n = ROW_COUNT;
		total := total + n;
	END LOOP;
	RETURN total;
END $$;
REVOKE ALL ON FUNCTION gate.sum_rollups(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sum_rollups(timestamptz) TO sb_job;

-- End the open turns of ${dead} as failed: a row in turns and one count in the
-- roll-up each, unless its worker managed to store it after all.  They count
-- in the present bucket, whose hour is still summed.  The keys of these turns
-- are free again, for whoever tries once more.  Keys, then turns, then open
-- turns: that is a writer's order too, which may still be at work for one of the
-- dead, so that they agree on how a turn has ended and never wait for each other
-- in a circle.  For the two below only.
CREATE OR REPLACE FUNCTION gate.fail_turns_of(dead uuid[])
RETURNS bigint LANGUAGE plpgsql SET search_path = control, data, pg_temp AS $$
DECLARE
	lost uuid[];
	n bigint;
BEGIN
	DELETE FROM idempotency_keys WHERE worker_id = any(dead) AND answer IS NULL;
	lost := ARRAY(SELECT id FROM turns_open WHERE worker_id = any(dead));
	WITH ended AS (
		INSERT INTO turns (account_id, id, session_id, agent_instance_id, agent_type,
			instance_name, config_version, api_key_id, widget_key_id, request_id, trace_id,
			channel, status, finish_reason, error_kind, user_text, reply_text, model,
			input_tokens, output_tokens, cached_input_tokens, cache_write_tokens,
			reasoning_tokens, usage_estimated, cost_usd, attempts, latency_ms,
			first_token_ms, tool_calls, citations, metadata, started_at, finished_at,
			user_id)
		SELECT account_id, id, session_id, agent_instance_id, agent_type,
			instance_name, config_version, api_key_id, widget_key_id, request_id, trace_id,
			channel, 'failed', 'error', 'worker-lost', user_text, '', model,
			0, 0, 0, 0, 0, false, NULL, 0,
			least(greatest(extract(epoch FROM now() - started_at) * 1000, 0), 2147483647)::integer,
			NULL, '[]', '[]', metadata, started_at, now(), user_id
		FROM turns_open WHERE worker_id = any(dead) AND id = any(lost)
		ON CONFLICT DO NOTHING
		RETURNING account_id, agent_instance_id, coalesce(model, '') AS model,
			CASE WHEN api_key_id IS NOT NULL THEN 'api_key'
				WHEN widget_key_id IS NOT NULL THEN 'widget_key' ELSE 'user' END AS kind,
			coalesce(api_key_id, widget_key_id, user_id, '00000000-0000-0000-0000-000000000000') AS caller
	), counted AS (
		INSERT INTO usage_rollups AS r (account_id, agent_instance_id, model, grain, bucket,
			requests, failed, cancelled, input_tokens, output_tokens, cached_input_tokens,
			reasoning_tokens, cost_nano_usd, unpriced, latency_ms_sum, latency_ms_max,
			latency_hist)
		SELECT account_id, agent_instance_id, model, 5,
			date_bin('5 minutes', now(), timestamptz '2000-01-01 00:00+00'),
			count(*), count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0, '{0,0,0,0,0,0,0,0,0,0,0}'
		FROM ended GROUP BY account_id, agent_instance_id, model
		ORDER BY account_id, agent_instance_id, model
		ON CONFLICT (account_id, agent_instance_id, model, grain, bucket) DO UPDATE SET
			requests = r.requests + excluded.requests, failed = r.failed + excluded.failed
	), counted_by_caller AS (
		INSERT INTO usage_by_caller AS r (account_id, agent_instance_id, caller_kind, caller_id,
			credential_id, model, grain, bucket, requests, failed, cancelled, input_tokens,
			output_tokens, cached_input_tokens, reasoning_tokens, cost_nano_usd, unpriced)
		SELECT account_id, agent_instance_id, kind, caller, '00000000-0000-0000-0000-000000000000', model, 5,
			date_bin('5 minutes', now(), timestamptz '2000-01-01 00:00+00'),
			count(*), count(*), 0, 0, 0, 0, 0, 0, 0
		FROM ended GROUP BY account_id, agent_instance_id, kind, caller, model
		ORDER BY account_id, agent_instance_id, kind, caller, model
		ON CONFLICT (account_id, agent_instance_id, caller_kind, caller_id, credential_id, model,
			grain, bucket) DO UPDATE SET
			requests = r.requests + excluded.requests, failed = r.failed + excluded.failed
	)
	SELECT count(*) INTO n FROM ended;
	DELETE FROM turns_open WHERE worker_id = any(dead) AND id = any(lost);
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.fail_turns_of(uuid[]) FROM PUBLIC;

-- Turns of workers that have been silent for ${silence}, or that nobody knows,
-- end as failed; how many.  Two statements, the turns first: a worker says that
-- it is there before it opens one.  While PostgreSQL itself has been up for less
-- than that, nobody could have spoken, and nobody is called silent.
CREATE OR REPLACE FUNCTION gate.fail_lost_turns(silence interval DEFAULT '30 seconds')
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
DECLARE
	suspects uuid[];
	dead uuid[];
BEGIN
	IF pg_postmaster_start_time() > now() - silence THEN
		RETURN 0;
	END IF;
	suspects := ARRAY(SELECT worker_id FROM turns_open WHERE started_at < now() - silence
		UNION SELECT worker_id FROM idempotency_keys
		WHERE answer IS NULL AND created_at < now() - silence);
	dead := ARRAY(SELECT s FROM unnest(suspects) AS s
		WHERE NOT EXISTS (SELECT FROM workers WHERE id = s AND seen_at >= now() - silence));
	DELETE FROM workers WHERE seen_at < now() - greatest(silence, interval '1 day')
		AND id <> ALL (suspects);
	RETURN gate.fail_turns_of(dead);
END $$;
REVOKE ALL ON FUNCTION gate.fail_lost_turns(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.fail_lost_turns(interval) TO sb_job;

-- A worker is there; called before it serves and every few seconds after.
CREATE OR REPLACE FUNCTION gate.worker_seen(worker uuid, its_host text, its_kind text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
	INSERT INTO workers (id, host, kind) VALUES (worker, its_host, its_kind)
	ON CONFLICT (id) DO UPDATE SET seen_at = now();
$$;
REVOKE ALL ON FUNCTION gate.worker_seen(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.worker_seen(uuid, text, text) TO sb_job;

-- A worker is dead or has ended: its open turns fail at once; how many.
CREATE OR REPLACE FUNCTION gate.worker_gone(worker uuid)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
BEGIN
	DELETE FROM workers WHERE id = worker;
	RETURN gate.fail_turns_of(ARRAY[worker]);
END $$;
REVOKE ALL ON FUNCTION gate.worker_gone(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.worker_gone(uuid) TO sb_job;

-- Batch ids older than a week protect nothing any more; how many went.
CREATE OR REPLACE FUNCTION gate.trim_writer_batches()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	DELETE FROM writer_batches WHERE id < data.uuid_floor(now() - interval '7 days');
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.trim_writer_batches() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.trim_writer_batches() TO sb_job;

-- Idempotency keys are kept for a day, of turns and of changes; how many went.
CREATE OR REPLACE FUNCTION gate.trim_idempotency_keys()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
DECLARE
	n bigint;
	m bigint;
BEGIN
	DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours';
	GET DIAGNOSTICS n = ROW_COUNT;
	DELETE FROM request_answers WHERE created_at < now() - interval '24 hours';
	GET DIAGNOSTICS m = ROW_COUNT;
	RETURN n + m;
END $$;
REVOKE ALL ON FUNCTION gate.trim_idempotency_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.trim_idempotency_keys() TO sb_job;

-- The price table in the units of llm/price.h: microseconds since 1970 (until 0
-- = open) and nano-dollars a token.
CREATE OR REPLACE FUNCTION gate.prices()
RETURNS TABLE (model text, from_us bigint, until_us bigint, input bigint, output bigint,
	cached bigint, cache_write bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
	SELECT model, (extract(epoch FROM valid_from) * 1000000)::bigint,
		coalesce((extract(epoch FROM valid_until) * 1000000)::bigint, 0),
		(input_usd_per_mtok * 1000)::bigint, (output_usd_per_mtok * 1000)::bigint,
		(cached_usd_per_mtok * 1000)::bigint, (cache_write_usd_per_mtok * 1000)::bigint
	FROM prices ORDER BY model, valid_from;
$$;
REVOKE ALL ON FUNCTION gate.prices() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.prices() TO sb_chat, sb_admin, sb_job;
