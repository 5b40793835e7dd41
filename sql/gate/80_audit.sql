-- Appending to the audit log.
-- needs: SELECT, INSERT ON data.audit_log
-- needs: SELECT, INSERT, UPDATE ON data.audit_heads
-- needs: SELECT ON data.audit_checkpoints

-- Append an entry to the chain of ${p_account}, which must be that of the
-- transaction, or (null) of the platform; its place.  To be called last in the
-- transaction of what it tells of: the chain is the caller's until its end.
CREATE OR REPLACE FUNCTION gate.audit_append(p_account uuid, p_action text,
	p_actor_kind text, p_actor_id text, p_actor_name text, p_address text,
	p_request_id text, p_object_kind text, p_object_id text, p_before text,
	p_after text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
DECLARE
	head audit_heads;
	e audit_log;
	us bigint;
BEGIN
	IF p_account IS NOT NULL AND p_account IS DISTINCT FROM
			nullif(current_setting('app.account_id', true), '')::uuid THEN
		RAISE EXCEPTION 'an audit entry for another account' USING ERRCODE = 'SB403';
	END IF;
	e.account_id := coalesce(p_account, '00000000-0000-0000-0000-000000000000');
	SELECT * INTO head FROM audit_heads WHERE account_id = e.account_id FOR UPDATE;
	IF NOT FOUND THEN
		INSERT INTO audit_heads VALUES (e.account_id, 0, clock_timestamp(),
			decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
		SELECT * INTO STRICT head FROM audit_heads
			WHERE account_id = e.account_id FOR UPDATE;
	END IF;

	e.seq := head.seq + 1;
	e.at := greatest(clock_timestamp(), head.at);
	us := (extract(epoch FROM e.at) * 1000000)::bigint;
	e.id := (lpad(to_hex(us / 1000), 12, '0') || '7' ||
		lpad(to_hex(us % 1000 * 4096 / 1000), 3, '0') ||
		to_hex((1::bigint << 63) | e.seq))::uuid;
	e.action := p_action;
	e.actor_kind := p_actor_kind;
	e.actor_id := p_actor_id;
	e.actor_name := p_actor_name;
	e.address := p_address;
	e.request_id := p_request_id;
	e.object_kind := p_object_kind;
	e.object_id := p_object_id;
	e.before := p_before::json;
	e.after := p_after::json;
	e.previous := head.hash;
	e.hash := data.audit_hash(e);
	INSERT INTO audit_log SELECT e.*;
	UPDATE audit_heads SET seq = e.seq, at = e.at, hash = e.hash
		WHERE account_id = e.account_id;
	RETURN e.seq;
END $$;
REVOKE ALL ON FUNCTION gate.audit_append(uuid, text, text, text, text, text, text, text, text,
	text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.audit_append(uuid, text, text, text, text, text, text, text, text,
	text, text) TO sb_admin, sb_job, sb_owner;

-- ${n} rows were changed: if none, end the transaction, so that no entry tells
-- of what did not happen.
CREATE OR REPLACE FUNCTION gate.found(n bigint, what text)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF n = 0 THEN
		RAISE EXCEPTION 'no such %', what USING ERRCODE = 'SB404';
	END IF;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.found(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.found(bigint, text) TO sb_admin, sb_job;

-- Chains that have grown since their last checkpoint, for the job that signs.
CREATE OR REPLACE FUNCTION gate.audit_due(p_limit integer)
RETURNS TABLE (account_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT h.account_id FROM audit_heads h
	WHERE h.seq > 0 AND NOT EXISTS (SELECT FROM audit_checkpoints c
		WHERE c.account_id = h.account_id AND c.seq = h.seq)
	LIMIT least(p_limit, 1000)
$$;
REVOKE ALL ON FUNCTION gate.audit_due(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.audit_due(integer) TO sb_job;
