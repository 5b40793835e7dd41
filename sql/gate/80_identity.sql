-- Signing in and staying so.  People belong to no account, and whose token it
-- is comes before any account is known.  No hash of a token leaves.
-- needs: SELECT, UPDATE ON control.users
-- needs: SELECT ON control.memberships
-- needs: SELECT ON control.roles
-- needs: SELECT ON control.accounts
-- needs: SELECT ON control.platform
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.sign_ins
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.refresh_tokens

CREATE OR REPLACE FUNCTION gate.person_by_email(p_email text)
RETURNS TABLE (id uuid, slot integer, token_version bigint, password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.id, u.slot, u.token_version, u.password_hash FROM users u
	WHERE lower(u.email) = lower(p_email) AND u.is_active
$$;
REVOKE ALL ON FUNCTION gate.person_by_email(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person_by_email(text) TO sb_admin;

-- The person of an access token of version ${p_version}, in ${p_account} or
-- (null) in none.  No row: the token is no longer good.  role is null for
-- whoever is no member, permissions but for a role of the account's own; second_factor: of
-- which roles the account wants one (control.accounts); slot and epoch are those of the account, or the
-- platform's.
DROP FUNCTION IF EXISTS gate.person(uuid, bigint, uuid);
CREATE OR REPLACE FUNCTION gate.person(p_user uuid, p_version bigint, p_account uuid)
RETURNS TABLE (id uuid, is_platform_admin boolean, role text, account_slot integer,
	config_epoch bigint, permissions text, second_factor text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.id, u.is_platform_admin, m.role, coalesce(a.slot, 0),
		coalesce(a.config_epoch, p.config_epoch), array_to_string(r.permissions, ' '),
		array_to_string(a.second_factor_roles, ' ')
	FROM users u CROSS JOIN platform p
	LEFT JOIN accounts a ON a.id = p_account
	LEFT JOIN memberships m ON m.account_id = a.id AND m.user_id = u.id
	LEFT JOIN roles r ON r.account_id = m.account_id AND r.name = m.role
	WHERE u.id = p_user AND u.token_version = p_version AND u.is_active
$$;
REVOKE ALL ON FUNCTION gate.person(uuid, bigint, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person(uuid, bigint, uuid) TO sb_chat, sb_admin;

-- Whose tokens have ever been ended: all others are of version 1.
CREATE OR REPLACE FUNCTION gate.person_versions()
RETURNS TABLE (slot integer, token_version bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.slot, u.token_version FROM users u WHERE u.token_version > 1
$$;
REVOKE ALL ON FUNCTION gate.person_versions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person_versions() TO sb_chat, sb_admin, sb_job;

CREATE OR REPLACE FUNCTION gate.person_password(p_user uuid)
RETURNS TABLE (password_hash text, email text, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.password_hash, u.email, u.display_name FROM users u WHERE u.id = p_user AND u.is_active
$$;
REVOKE ALL ON FUNCTION gate.person_password(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person_password(uuid) TO sb_admin;

-- By what she shows that it is her, and not somebody at her desk: her password,
-- or, where she has none, that her sign-in has just begun.
CREATE OR REPLACE FUNCTION gate.person_proof(p_user uuid, p_sign_in uuid)
RETURNS TABLE (password_hash text, has_password boolean, is_fresh boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.password_hash, u.has_password, EXISTS (SELECT FROM sign_ins s
		WHERE s.id = p_sign_in AND s.user_id = u.id AND s.ended_at IS NULL
			AND s.created_at > now() - interval '10 minutes')
	FROM users u WHERE u.id = p_user AND u.is_active
$$;
REVOKE ALL ON FUNCTION gate.person_proof(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person_proof(uuid, uuid) TO sb_admin;

-- Another password in the place of the one it was.
CREATE OR REPLACE FUNCTION gate.person_set_password(p_user uuid, p_was text, p_hash text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
BEGIN
	UPDATE users SET password_hash = p_hash, updated_at = now()
	WHERE id = p_user AND is_active AND password_hash = p_was;
	RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION gate.person_set_password(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person_set_password(uuid, text, text) TO sb_admin;

-- What a person may see of herself.
DROP FUNCTION IF EXISTS gate.person_show(uuid);
CREATE OR REPLACE FUNCTION gate.person_show(p_user uuid)
RETURNS TABLE (email text, display_name text, is_platform_admin boolean, memberships jsonb,
	created_at timestamptz, last_sign_in_at timestamptz, has_password boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.email, u.display_name, u.is_platform_admin,
		coalesce((SELECT jsonb_agg(jsonb_build_object('account', a.slug, 'name', a.name,
				'role', m.role) ORDER BY a.slug)
			FROM memberships m JOIN accounts a ON a.id = m.account_id
			WHERE m.user_id = u.id AND a.is_active), '[]'),
		u.created_at, u.last_sign_in_at, u.has_password
	FROM users u WHERE u.id = p_user
$$;
REVOKE ALL ON FUNCTION gate.person_show(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person_show(uuid) TO sb_admin;

-- A sign-in with its first refresh token.  A person disabled or with a new
-- password since she was looked up gets none.
CREATE OR REPLACE FUNCTION gate.sign_in_begin(p_id uuid, p_user uuid, p_version bigint,
	p_hash bytea, p_address text, p_agent text, p_seconds bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
BEGIN
	UPDATE users SET last_sign_in_at = now()
	WHERE id = p_user AND is_active AND token_version = p_version;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	INSERT INTO sign_ins (id, user_id, address, user_agent, expires_at)
	VALUES (p_id, p_user, p_address, left(p_agent, 300), now() + make_interval(secs => p_seconds));
	INSERT INTO refresh_tokens (token_hash, sign_in_id) VALUES (p_hash, p_id);
	RETURN true;
END $$;
REVOKE ALL ON FUNCTION gate.sign_in_begin(uuid, uuid, bigint, bytea, text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_in_begin(uuid, uuid, bigint, bytea, text, text, bigint)
	TO sb_admin;

-- A second factor was shown at this sign-in.
CREATE OR REPLACE FUNCTION gate.sign_in_proven(p_user uuid, p_id uuid)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	UPDATE sign_ins SET second_factor = true
	WHERE user_id = p_user AND id = p_id AND ended_at IS NULL;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.sign_in_proven(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_in_proven(uuid, uuid) TO sb_admin;

-- The person has no second factor any more: no sign-in of hers has shown one,
-- and no access token says so.
CREATE OR REPLACE FUNCTION gate.sign_in_unproven(p_user uuid)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	UPDATE sign_ins SET second_factor = false WHERE user_id = p_user AND second_factor;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN
		UPDATE users SET token_version = token_version + 1 WHERE id = p_user;
	END IF;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.sign_in_unproven(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_in_unproven(uuid) TO sb_admin;

-- A refresh token for the next one (RFC 9700 section 4.14.2).  No row: it is
-- not good.  reused: it had been used before, and now its sign-in has ended,
-- with all access tokens of the person.
DROP FUNCTION IF EXISTS gate.sign_in_refresh(bytea, bytea, bigint);
CREATE OR REPLACE FUNCTION gate.sign_in_refresh(p_hash bytea, p_next bytea, p_seconds bigint)
RETURNS TABLE (user_id uuid, slot integer, token_version bigint, sign_in_id uuid,
	reused boolean, second_factor boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	s sign_ins;
	u users;
	was timestamptz;
BEGIN
	SELECT i.* INTO s FROM refresh_tokens t JOIN sign_ins i ON i.id = t.sign_in_id
	WHERE t.token_hash = p_hash FOR UPDATE OF i;
	IF s.id IS NULL OR s.ended_at IS NOT NULL OR s.expires_at <= now() THEN
		RETURN;
	END IF;
	SELECT t.used_at INTO was FROM refresh_tokens t WHERE t.token_hash = p_hash;
	IF was IS NOT NULL THEN
		UPDATE sign_ins SET ended_at = now(), end_reason = 'token used twice'
		WHERE id = s.id;
		UPDATE users SET token_version = token_version + 1 WHERE id = s.user_id
		RETURNING * INTO u;
		RETURN QUERY SELECT u.id, u.slot, u.token_version, s.id, true, false;
		RETURN;
	END IF;
	SELECT * INTO u FROM users WHERE id = s.user_id AND is_active;
	IF u.id IS NULL THEN
		RETURN;
	END IF;
	UPDATE refresh_tokens SET used_at = now() WHERE token_hash = p_hash;
	INSERT INTO refresh_tokens (token_hash, sign_in_id) VALUES (p_next, s.id);
	UPDATE sign_ins SET last_used_at = now(),
		expires_at = now() + make_interval(secs => p_seconds) WHERE id = s.id;
	RETURN QUERY SELECT u.id, u.slot, u.token_version, s.id, false, s.second_factor;
END $$;
REVOKE ALL ON FUNCTION gate.sign_in_refresh(bytea, bytea, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_in_refresh(bytea, bytea, bigint) TO sb_admin;

-- End the sign-in of a refresh token (${p_hash}), the one named, or (both
-- null) all of the person; and all her access tokens: those of other sign-ins
-- come anew with their next refresh.  How many have ended.
CREATE OR REPLACE FUNCTION gate.sign_in_end(p_user uuid, p_id uuid, p_hash bytea, p_reason text)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	whose uuid := p_user;
	which uuid := p_id;
	n bigint;
BEGIN
	IF p_hash IS NOT NULL THEN
		SELECT i.user_id, i.id INTO whose, which
		FROM refresh_tokens t JOIN sign_ins i ON i.id = t.sign_in_id
		WHERE t.token_hash = p_hash;
		IF which IS NULL THEN
			RETURN 0;
		END IF;
	END IF;
	UPDATE sign_ins SET ended_at = now(), end_reason = p_reason
	WHERE user_id = whose AND ended_at IS NULL AND (which IS NULL OR id = which);
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 OR which IS NULL THEN
		UPDATE users SET token_version = token_version + 1 WHERE id = whose;
	END IF;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.sign_in_end(uuid, uuid, bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_in_end(uuid, uuid, bytea, text) TO sb_admin;

-- Whose sign-in a refresh token is of, whether that is good still or not.
CREATE OR REPLACE FUNCTION gate.sign_in_of(p_hash bytea)
RETURNS TABLE (user_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT i.user_id, i.id
	FROM refresh_tokens t JOIN sign_ins i ON i.id = t.sign_in_id
	WHERE t.token_hash = p_hash
$$;
REVOKE ALL ON FUNCTION gate.sign_in_of(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_in_of(bytea) TO sb_admin;

-- Where a person is signed in, the latest first.
CREATE OR REPLACE FUNCTION gate.sign_ins(p_user uuid, p_before uuid, p_limit integer)
RETURNS TABLE (id uuid, address text, user_agent text, created_at timestamptz,
	last_used_at timestamptz, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT i.id, i.address, i.user_agent, i.created_at, i.last_used_at, i.expires_at
	FROM sign_ins i
	WHERE i.user_id = p_user AND i.ended_at IS NULL AND i.expires_at > now()
		AND (p_before IS NULL OR i.id < p_before)
	ORDER BY i.id DESC LIMIT p_limit
$$;
REVOKE ALL ON FUNCTION gate.sign_ins(uuid, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_ins(uuid, uuid, integer) TO sb_admin;

-- Sign-ins that ended or ran out a month ago go, with their tokens.
CREATE OR REPLACE FUNCTION gate.forget_sign_ins()
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	DELETE FROM sign_ins WHERE id IN (SELECT i.id FROM sign_ins i
		WHERE least(i.expires_at, i.ended_at) < now() - interval '30 days'
		ORDER BY i.expires_at LIMIT 5000 FOR UPDATE SKIP LOCKED);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.forget_sign_ins() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.forget_sign_ins() TO sb_job;
