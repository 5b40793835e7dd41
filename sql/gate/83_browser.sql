-- Browsers that stay signed in by a cookie (src/auth/browser.c).
-- needs: SELECT, UPDATE ON control.users
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.sign_ins
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.refresh_tokens

-- The version of the person's tokens, for whoever has proven to be her.
CREATE OR REPLACE FUNCTION gate.person_now(p_user uuid)
RETURNS TABLE (slot integer, token_version bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.slot, u.token_version FROM users u WHERE u.id = p_user AND u.is_active
$$;
REVOKE ALL ON FUNCTION gate.person_now(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.person_now(uuid) TO sb_admin;

-- A cookie's secret of version ${p_version} is shown again.  No row: it is not
-- good.  state: same, it stays as it is; changed, something about the person
-- has changed and the call is to come again with a secret of that version;
-- next, ${p_next} stands in its place; late, it was replaced within
-- ${p_grace} seconds, by an answer that crossed this request; reused, it was
-- replaced before that, so that two hold it: its sign-in has ended, with all
-- tokens of the person.
CREATE OR REPLACE FUNCTION gate.browser_renew(p_hash bytea, p_version bigint, p_next bytea,
	p_next_version bigint, p_seconds bigint, p_grace integer)
RETURNS TABLE (user_id uuid, slot integer, token_version bigint, sign_in_id uuid, state text,
	second_factor boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	s sign_ins;
	u users;
	was timestamptz;
	what text := 'same';
BEGIN
	SELECT i.* INTO s FROM refresh_tokens t JOIN sign_ins i ON i.id = t.sign_in_id
	WHERE t.token_hash = p_hash FOR UPDATE OF i;
	IF s.id IS NULL OR s.ended_at IS NOT NULL OR s.expires_at <= now() THEN
		RETURN;
	END IF;
	SELECT t.used_at INTO was FROM refresh_tokens t WHERE t.token_hash = p_hash;
	IF was < clock_timestamp() - make_interval(secs => p_grace) THEN
		UPDATE sign_ins SET ended_at = now(), end_reason = 'cookie used twice'
		WHERE id = s.id;
		UPDATE users SET token_version = token_version + 1 WHERE id = s.user_id
		RETURNING * INTO u;
		RETURN QUERY SELECT u.id, u.slot, u.token_version, s.id, 'reused', false;
		RETURN;
	END IF;
	SELECT * INTO u FROM users WHERE id = s.user_id AND is_active;
	IF u.id IS NULL THEN
		RETURN;
	END IF;
	IF was IS NOT NULL THEN
		what := 'late';
	ELSIF u.token_version = p_version THEN
		UPDATE sign_ins SET last_used_at = now(),
			expires_at = now() + make_interval(secs => p_seconds) WHERE id = s.id;
	ELSIF p_next IS NULL OR p_next_version <> u.token_version THEN
		what := 'changed';
	ELSE
		UPDATE refresh_tokens SET used_at = clock_timestamp() WHERE token_hash = p_hash;
		INSERT INTO refresh_tokens (token_hash, sign_in_id) VALUES (p_next, s.id);
		UPDATE sign_ins SET last_used_at = now(),
			expires_at = now() + make_interval(secs => p_seconds) WHERE id = s.id;
		what := 'next';
	END IF;
	RETURN QUERY SELECT u.id, u.slot, u.token_version, s.id, what, s.second_factor;
END $$;
REVOKE ALL ON FUNCTION gate.browser_renew(bytea, bigint, bytea, bigint, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.browser_renew(bytea, bigint, bytea, bigint, bigint, integer) TO sb_admin;
