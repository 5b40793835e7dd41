-- Links by which a person chooses a password, and inviting people.
-- needs: SELECT, INSERT, UPDATE ON control.users
-- needs: SELECT, INSERT ON control.memberships
-- needs: SELECT, INSERT, DELETE ON control.password_links
-- needs: USAGE ON SEQUENCE control.user_slot

-- A new link for the person of that address, in the place of earlier ones.  No
-- row: there is nobody, or there were five within the hour.
CREATE OR REPLACE FUNCTION gate.password_link_new(p_email text, p_hash bytea, p_seconds bigint)
RETURNS TABLE (email text, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	u users;
	until timestamptz := now() + make_interval(secs => p_seconds);
BEGIN
	SELECT * INTO u FROM users WHERE lower(users.email) = lower(p_email) AND is_active
	FOR NO KEY UPDATE;
	IF u.id IS NULL OR (SELECT count(*) >= 5 FROM password_links
			WHERE user_id = u.id AND created_at > now() - interval '1 hour') THEN
		RETURN;
	END IF;
	-- Earlier ones stay for the count, but open nothing.
	DELETE FROM password_links WHERE user_id = u.id AND created_at <= now() - interval '1 hour';
	INSERT INTO password_links (token_hash, user_id, expires_at) VALUES (p_hash, u.id, until);
	RETURN QUERY SELECT u.email, until;
END $$;
REVOKE ALL ON FUNCTION gate.password_link_new(text, bytea, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.password_link_new(text, bytea, bigint) TO sb_admin;

-- Whose link it is, if it is good: for the rules of passwords.
CREATE OR REPLACE FUNCTION gate.password_link_person(p_hash bytea)
RETURNS TABLE (user_id uuid, email text, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT u.id, u.email, u.display_name
	FROM password_links l JOIN users u ON u.id = l.user_id
	WHERE l.token_hash = p_hash AND l.expires_at > now() AND u.is_active
		AND NOT EXISTS (SELECT FROM password_links n
			WHERE n.user_id = l.user_id AND n.created_at > l.created_at)
$$;
REVOKE ALL ON FUNCTION gate.password_link_person(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.password_link_person(bytea) TO sb_admin;

-- Use it: the password is set, every link of the person and every sign-in end.
-- SB404 when another request has used it.
CREATE OR REPLACE FUNCTION gate.password_link_use(p_hash bytea, p_password_hash text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	whose uuid;
BEGIN
	DELETE FROM password_links l WHERE l.user_id = (
		SELECT p.user_id FROM gate.password_link_person(p_hash) p)
	RETURNING l.user_id INTO whose;
	IF whose IS NULL THEN
		RAISE EXCEPTION 'the link is not good' USING ERRCODE = 'SB404';
	END IF;
	UPDATE users SET password_hash = p_password_hash, updated_at = now() WHERE id = whose;
	RETURN true;
END $$;
REVOKE ALL ON FUNCTION gate.password_link_use(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.password_link_use(bytea, text) TO sb_admin;

-- Whoever has that address becomes a member of the transaction's account; where
-- there is nobody, a person is made whose password nobody knows.
CREATE OR REPLACE FUNCTION gate.invite(p_account uuid, p_id uuid, p_email text, p_name text,
	p_role text, p_password_hash text)
RETURNS TABLE (user_id uuid, has_password boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF p_account IS DISTINCT FROM
			nullif(current_setting('app.account_id', true), '')::uuid THEN
		RAISE EXCEPTION 'not the transaction''s account' USING ERRCODE = '42501';
	END IF;
	INSERT INTO users (id, email, display_name, password_hash, has_password)
	VALUES (p_id, p_email, p_name, p_password_hash, false)
	ON CONFLICT ((lower(email))) DO NOTHING;
	RETURN QUERY SELECT u.id, u.has_password FROM users u WHERE lower(u.email) = lower(p_email);
	INSERT INTO memberships (account_id, user_id, role)
	SELECT p_account, u.id, p_role FROM users u WHERE lower(u.email) = lower(p_email)
	ON CONFLICT (account_id, user_id) DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this person is a member already' USING ERRCODE = 'SB409';
	END IF;
END $$;
REVOKE ALL ON FUNCTION gate.invite(uuid, uuid, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.invite(uuid, uuid, text, text, text, text) TO sb_admin;
