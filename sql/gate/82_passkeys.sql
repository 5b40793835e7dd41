-- Passkeys: whose they are comes before any account is known.
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.passkeys
-- needs: SELECT, INSERT, DELETE ON control.passkey_spent
-- needs: SELECT, UPDATE ON control.users
-- needs: SELECT ON control.second_factors
-- needs: SELECT, UPDATE ON control.sign_ins

-- The person's, the oldest first.
CREATE OR REPLACE FUNCTION gate.passkeys(p_user uuid)
RETURNS TABLE (id uuid, credential text, name text, transports jsonb, created_at timestamptz,
	last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT k.id, rtrim(translate(encode(k.credential_id, 'base64'), E'+/\n', '-_'), '='),
		k.name, k.transports, k.created_at, k.last_used_at
	FROM passkeys k WHERE k.user_id = p_user ORDER BY k.created_at, k.id
$$;
REVOKE ALL ON FUNCTION gate.passkeys(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.passkeys(uuid) TO sb_admin;

-- The one that an authenticator names, of somebody who may sign in.
CREATE OR REPLACE FUNCTION gate.passkey_find(p_credential bytea)
RETURNS TABLE (id uuid, user_id uuid, algorithm integer, public_key text, counter bigint,
	slot integer, token_version bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT k.id, k.user_id, k.algorithm, encode(k.public_key, 'hex'), k.counter, u.slot,
		u.token_version
	FROM passkeys k JOIN users u ON u.id = k.user_id
	WHERE k.credential_id = p_credential AND u.is_active
$$;
REVOKE ALL ON FUNCTION gate.passkey_find(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.passkey_find(bytea) TO sb_admin;

-- The challenge of that hash is answered; false: it was before.
CREATE OR REPLACE FUNCTION gate.passkey_spend(p_hash bytea, p_seconds bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
BEGIN
	DELETE FROM passkey_spent WHERE expires_at < now();
	INSERT INTO passkey_spent (hash, expires_at)
	VALUES (p_hash, now() + make_interval(secs => p_seconds)) ON CONFLICT DO NOTHING;
	RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION gate.passkey_spend(bytea, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.passkey_spend(bytea, bigint) TO sb_admin;

-- Another of the person's, of whom there are p_most at most.  SB409 when it is
-- one too many, or somebody's already.
CREATE OR REPLACE FUNCTION gate.passkey_add(p_id uuid, p_user uuid, p_credential bytea,
	p_algorithm integer, p_key bytea, p_counter bigint, p_name text, p_transports jsonb,
	p_most integer)
RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	at timestamptz;
BEGIN
	PERFORM FROM users WHERE id = p_user AND is_active FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no such person' USING ERRCODE = 'SB404';
	END IF;
	IF (SELECT count(*) FROM passkeys WHERE user_id = p_user) >= p_most THEN
		RAISE EXCEPTION 'there are % passkeys; remove one first', p_most
			USING ERRCODE = 'SB409';
	END IF;
	INSERT INTO passkeys (id, user_id, credential_id, algorithm, public_key, counter, name,
		transports)
	VALUES (p_id, p_user, p_credential, p_algorithm, p_key, p_counter, p_name, p_transports)
	ON CONFLICT (credential_id) DO NOTHING RETURNING created_at INTO at;
	IF at IS NULL THEN
		RAISE EXCEPTION 'this passkey is known already' USING ERRCODE = 'SB409';
	END IF;
	RETURN at;
END $$;
REVOKE ALL ON FUNCTION gate.passkey_add(uuid, uuid, bytea, integer, bytea, bigint, text, jsonb,
	integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.passkey_add(uuid, uuid, bytea, integer, bytea, bigint, text, jsonb,
	integer) TO sb_admin;

-- It has signed, and counted to p_counter; 0: that is no more than before, as
-- of a copy of it.  Authenticators that do not count say 0 always.
CREATE OR REPLACE FUNCTION gate.passkey_used(p_id uuid, p_counter bigint)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	UPDATE passkeys SET counter = p_counter, last_used_at = now()
	WHERE id = p_id AND (p_counter > counter OR (p_counter = 0 AND counter = 0));
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.passkey_used(uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.passkey_used(uuid, bigint) TO sb_admin;

-- Remove it.  With the last of what counts as a second factor no sign-in of
-- hers has shown one, and no access token says so.
CREATE OR REPLACE FUNCTION gate.passkey_end(p_user uuid, p_id uuid)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM FROM users WHERE id = p_user FOR UPDATE;
	DELETE FROM passkeys WHERE user_id = p_user AND id = p_id;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 AND NOT EXISTS (SELECT FROM passkeys WHERE user_id = p_user)
			AND NOT EXISTS (SELECT FROM second_factors WHERE user_id = p_user
				AND confirmed_at IS NOT NULL) THEN
		PERFORM gate.sign_in_unproven(p_user);
	END IF;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.passkey_end(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.passkey_end(uuid, uuid) TO sb_admin;
