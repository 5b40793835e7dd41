-- What hosts tell each other of credentials (control.credential_states).
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.credential_states
-- needs: USAGE ON SEQUENCE control.credential_state_version
-- needs: SELECT ON control.llm_credentials
-- needs: SELECT ON control.workers

-- A host tells of changed states, and of what it has used since it last did.
-- Times are ms from now, or ago: hosts' clocks need not agree.
CREATE OR REPLACE FUNCTION gate.credentials_tell(p_host text, p_states jsonb, p_used jsonb)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
	INSERT INTO credential_states AS t (account_id, credential_id, host, state, reason,
		failures, power, since, until, cool_until, cool_power, counts)
	SELECT c.account_id, c.id, p_host, s.state, s.reason, s.failures, s.power,
		now() - s.since_ms * interval '1 millisecond',
		now() + s.until_ms * interval '1 millisecond',
		now() + s.cool_ms * interval '1 millisecond', s.cool_power,
		ARRAY(SELECT n::bigint FROM jsonb_array_elements_text(s.counts) n)
	FROM jsonb_to_recordset(p_states) AS s (slot integer, state text, reason text,
			failures smallint, power smallint, since_ms bigint, until_ms bigint,
			cool_ms bigint, cool_power smallint, counts jsonb)
		JOIN llm_credentials c ON c.slot = s.slot
	ORDER BY c.slot
	ON CONFLICT (account_id, credential_id, host) DO UPDATE SET
		version = nextval('credential_state_version'), state = excluded.state,
		reason = excluded.reason, failures = excluded.failures, power = excluded.power,
		since = excluded.since, until = excluded.until, cool_until = excluded.cool_until,
		cool_power = excluded.cool_power, counts = excluded.counts, changed_at = now();

	INSERT INTO credential_states AS t (account_id, credential_id, host, used_requests,
		used_tokens, used_input)
	SELECT c.account_id, c.id, p_host, u.requests, u.tokens, u.input
	FROM jsonb_to_recordset(p_used) AS u (slot integer, requests bigint, tokens bigint,
			input bigint)
		JOIN llm_credentials c ON c.slot = u.slot
	ORDER BY c.slot
	ON CONFLICT (account_id, credential_id, host) DO UPDATE SET
		used_requests = t.used_requests + excluded.used_requests,
		used_tokens = t.used_tokens + excluded.used_tokens,
		used_input = t.used_input + excluded.used_input, changed_at = now();

	-- Hosts that are long gone.
	DELETE FROM credential_states WHERE changed_at < now() - interval '30 days'
		AND host NOT IN ('', p_host)
		AND (state = 'closed' OR until < now() - interval '30 days');
$$;
REVOKE ALL ON FUNCTION gate.credentials_tell(text, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.credentials_tell(text, jsonb, jsonb) TO sb_job;

-- What others told of credentials that one of them told of lately, or (${all})
-- all there is, one's own as well.
CREATE OR REPLACE FUNCTION gate.credentials_heard(p_host text, p_all boolean)
RETURNS TABLE (slot integer, own boolean, is_order boolean, version bigint, state text,
	reason text, failures smallint, power smallint, since_ms bigint, until_ms bigint,
	cool_ms bigint, cool_power smallint, counts jsonb, used_requests bigint,
	used_tokens bigint, used_input bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
	SELECT c.slot, s.host = p_host, s.host = '', s.version, s.state,
		s.reason, s.failures, s.power,
		(extract(epoch FROM now() - s.since) * 1000)::bigint,
		(extract(epoch FROM s.until - now()) * 1000)::bigint,
		(extract(epoch FROM s.cool_until - now()) * 1000)::bigint, s.cool_power,
		to_jsonb(s.counts), s.used_requests, s.used_tokens, s.used_input
	FROM credential_states s
		JOIN llm_credentials c ON c.account_id = s.account_id AND c.id = s.credential_id
	WHERE p_all OR s.host <> p_host AND (s.account_id, s.credential_id) IN (
		SELECT r.account_id, r.credential_id FROM credential_states r
		WHERE r.changed_at > now() - interval '10 seconds' AND r.host <> p_host)
	ORDER BY c.slot, s.version
$$;
REVOKE ALL ON FUNCTION gate.credentials_heard(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.credentials_heard(text, boolean) TO sb_chat, sb_job;

-- Is there another host to tell how much was used?
CREATE OR REPLACE FUNCTION gate.other_hosts(p_host text)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM workers WHERE host <> p_host
		AND seen_at > now() - interval '1 minute')
$$;
REVOKE ALL ON FUNCTION gate.other_hosts(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.other_hosts(text) TO sb_job;

-- An operator's order to all hosts: "open", "close" or "reset".  False: there is
-- no such credential.
CREATE OR REPLACE FUNCTION gate.credential_order(p_account uuid, p_credential uuid, p_order text)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
	WITH ordered AS (
		INSERT INTO credential_states AS t (account_id, credential_id, host, state, reason)
		SELECT c.account_id, c.id, '',
			CASE p_order WHEN 'open' THEN 'open' ELSE 'closed' END,
			CASE p_order WHEN 'reset' THEN 'reset' ELSE 'operator' END
		FROM llm_credentials c WHERE c.account_id = p_account AND c.id = p_credential
			AND p_order IN ('open', 'close', 'reset')
		ON CONFLICT (account_id, credential_id, host) DO UPDATE SET
			version = nextval('credential_state_version'), state = excluded.state,
			reason = excluded.reason, since = now(), changed_at = now()
		RETURNING 1)
	SELECT EXISTS (SELECT FROM ordered)
$$;
REVOKE ALL ON FUNCTION gate.credential_order(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.credential_order(uuid, uuid, text) TO sb_admin;
