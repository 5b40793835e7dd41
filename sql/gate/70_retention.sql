-- What is older than its table's retention_days goes, a small step at a time,
-- so that nobody waits for it: a whole partition, or a few thousand rows.  The
-- owner alone may drop a partition, so these functions are the owner's.  Each
-- answers how much went, 0 when nothing is left, -1 when a table was in use.
SET LOCAL ROLE sb_owner;

-- The oldest partition of ${p_parent} that lies wholly before ${p_before}.  The
-- locks are asked for one after the other, each for no longer than
-- lock_timeout; everybody else waits behind them, hence so short.  Those of a
-- turn's constraints come in the order in which its writers take them: ALTER
-- TABLE would begin with the turns, and meet a writer that has its session and
-- waits for them.  Where rows of another table refer to the partition,
-- detaching looks for such rows: from the small side, by index.  What
-- maintain_partitions would make again stays.
CREATE OR REPLACE FUNCTION gate.retain_partition(p_parent text, p_before timestamptz)
RETURNS integer LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms'
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
	part text;
BEGIN
	SELECT c.relname INTO part
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = ('data.' || p_parent)::regclass
		AND c.relname ~ '_p[0-9]{6}$'
		AND (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') AT TIME ZONE 'UTC'
			<= least(p_before, date_trunc('month', now(), 'UTC') - interval '1 month')
	ORDER BY c.relname LIMIT 1;
	IF part IS NULL THEN
		RETURN 0;
	END IF;
	IF p_parent = 'turns' THEN
		LOCK TABLE data.sessions IN SHARE ROW EXCLUSIVE MODE;
		LOCK TABLE ONLY data.turns IN ACCESS EXCLUSIVE MODE;
	END IF;
	EXECUTE format('ALTER TABLE data.%I DETACH PARTITION data.%I', p_parent, part);
	EXECUTE format('DROP TABLE data.%I', part);
	RETURN 1;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN -1;
END $$;
REVOKE ALL ON FUNCTION gate.retain_partition(text, timestamptz) FROM PUBLIC;

-- Sums of use, by caller too: 5 minutes, hours and days alike.
CREATE OR REPLACE FUNCTION gate.retain_usage_rollups(p_days integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = control, data, pg_temp SET lock_timeout = '300ms' AS $$
DECLARE
	cutoff timestamptz := now() - make_interval(days => p_days);
	n integer := gate.retain_partition('usage_rollups', cutoff);
BEGIN
	IF n = 0 THEN
		n := gate.retain_partition('usage_by_caller', cutoff);
	END IF;
	IF n <> 0 THEN
		RETURN n;
	END IF;
	DELETE FROM usage_by_caller r USING (
		SELECT account_id, agent_instance_id, caller_kind, caller_id, credential_id, model, grain,
			bucket
		FROM usage_by_caller
		WHERE bucket < cutoff LIMIT 2000 FOR UPDATE SKIP LOCKED) old
	WHERE r.bucket < cutoff AND r.account_id = old.account_id
		AND r.agent_instance_id = old.agent_instance_id AND r.caller_kind = old.caller_kind
		AND r.caller_id = old.caller_id AND r.credential_id = old.credential_id
		AND r.model = old.model AND r.grain = old.grain AND r.bucket = old.bucket;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n <> 0 THEN
		RETURN n;
	END IF;
	DELETE FROM usage_rollups r USING (
		SELECT account_id, agent_instance_id, model, grain, bucket FROM usage_rollups
		WHERE bucket < cutoff LIMIT 2000 FOR UPDATE SKIP LOCKED) old
	WHERE r.bucket < cutoff AND r.account_id = old.account_id
		AND r.agent_instance_id = old.agent_instance_id AND r.model = old.model
		AND r.grain = old.grain AND r.bucket = old.bucket;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.retain_usage_rollups(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.retain_usage_rollups(integer) TO sb_job;

-- Talks: turns with what was said of them, then sessions that have none left
-- and their names.  A session that goes on keeps its newer turns.  Partitions
-- of sessions stay, empty: detaching one would look through all turns.
CREATE OR REPLACE FUNCTION gate.retain_turns(p_days integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = control, data, pg_temp SET lock_timeout = '300ms' AS $$
DECLARE
	cutoff timestamptz := now() - make_interval(days => p_days);
	low uuid := data.uuid_floor(cutoff);
	n integer;
BEGIN
	DELETE FROM feedback f USING (
		SELECT account_id, turn_id FROM feedback
		WHERE turn_id < low LIMIT 2000 FOR UPDATE SKIP LOCKED) old
	WHERE f.account_id = old.account_id AND f.turn_id = old.turn_id;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n = 0 THEN
		n := gate.retain_partition('turns', cutoff);
	END IF;
	IF n <> 0 THEN
		RETURN n;
	END IF;
	DELETE FROM turns t USING (
		SELECT account_id, id FROM turns
		WHERE id < low LIMIT 2000 FOR UPDATE SKIP LOCKED) old
	WHERE t.id < low AND t.account_id = old.account_id AND t.id = old.id;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n <> 0 THEN
		RETURN n;
	END IF;
	WITH old AS (
		SELECT s.account_id, s.id FROM sessions s
		WHERE s.id < low AND s.last_activity_at < cutoff
			AND NOT EXISTS (SELECT FROM turns t
				WHERE t.account_id = s.account_id AND t.session_id = s.id)
			AND NOT EXISTS (SELECT FROM turns_open o
				WHERE o.account_id = s.account_id AND o.session_id = s.id)
		LIMIT 1000 FOR UPDATE OF s SKIP LOCKED
	), gone AS (
		DELETE FROM sessions s USING old
		WHERE s.id < low AND s.account_id = old.account_id AND s.id = old.id
		RETURNING s.account_id, s.id, s.session_key
	), names AS (
		DELETE FROM session_names m USING gone
		WHERE m.account_id = gone.account_id AND m.session_key = gone.session_key
			AND m.session_id = gone.id
	)
	SELECT count(*) INTO n FROM gone;
	RETURN n;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR foreign_key_violation THEN
	-- a talk that begins again just now is not old
	RETURN -1;
END $$;
REVOKE ALL ON FUNCTION gate.retain_turns(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.retain_turns(integer) TO sb_job;
-- What was changed, from the beginning of each chain, and the checkpoints of
-- that time.  The ends of the chains stay.
CREATE OR REPLACE FUNCTION gate.retain_audit_log(p_days integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = control, data, pg_temp SET lock_timeout = '300ms' AS $$
DECLARE
	cutoff timestamptz := now() - make_interval(days => p_days);
	low uuid := data.uuid_floor(cutoff);
	n integer := gate.retain_partition('audit_log', cutoff);
BEGIN
	IF n <> 0 THEN
		RETURN n;
	END IF;
	DELETE FROM audit_log l USING (
		SELECT account_id, id FROM audit_log WHERE id < low
		ORDER BY id LIMIT 2000 FOR UPDATE SKIP LOCKED) old
	WHERE l.id < low AND l.account_id = old.account_id AND l.id = old.id;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n <> 0 THEN
		RETURN n;
	END IF;
	DELETE FROM audit_checkpoints c USING (
		SELECT account_id, seq FROM audit_checkpoints
		WHERE at < cutoff LIMIT 2000 FOR UPDATE SKIP LOCKED) old
	WHERE c.account_id = old.account_id AND c.seq = old.seq;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.retain_audit_log(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.retain_audit_log(integer) TO sb_job;
SET LOCAL ROLE sb_gate;
