-- Signing up: an account of the tier free, and its owner.
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.sign_ups
-- needs: SELECT, INSERT ON control.accounts
-- needs: SELECT, INSERT, UPDATE ON control.users
-- needs: SELECT, INSERT ON control.memberships
-- needs: USAGE ON SEQUENCE control.account_slot
-- needs: USAGE ON SEQUENCE control.user_slot

-- Until when the new link is good; null: there were five for this address
-- within the hour.
CREATE OR REPLACE FUNCTION gate.sign_up_new(p_email text, p_name text, p_slug text,
	p_hash bytea, p_seconds bigint)
RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	until timestamptz := now() + make_interval(secs => p_seconds);
BEGIN
	DELETE FROM sign_ups WHERE token_hash IN (SELECT s.token_hash FROM sign_ups s
		WHERE s.created_at < now() - interval '1 hour' AND s.expires_at < now()
		LIMIT 100 FOR UPDATE SKIP LOCKED);
	IF (SELECT count(*) >= 5 FROM sign_ups WHERE lower(email) = lower(p_email)
			AND created_at > now() - interval '1 hour') THEN
		RETURN NULL;
	END IF;
	INSERT INTO sign_ups (token_hash, email, name, slug, expires_at)
	VALUES (p_hash, p_email, p_name, p_slug, until);
	RETURN until;
END $$;
REVOKE ALL ON FUNCTION gate.sign_up_new(text, text, text, bytea, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_up_new(text, text, text, bytea, bigint) TO sb_admin;

-- What the link stands for, if it is good; user_id: who has that address and a
-- password already.
CREATE OR REPLACE FUNCTION gate.sign_up_look(p_hash bytea)
RETURNS TABLE (email text, name text, slug text, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT s.email, s.name, s.slug, u.id
	FROM sign_ups s LEFT JOIN users u ON lower(u.email) = lower(s.email) AND u.has_password
	WHERE s.token_hash = p_hash AND s.expires_at > now()
$$;
REVOKE ALL ON FUNCTION gate.sign_up_look(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_up_look(bytea) TO sb_admin;

-- Use it: SB404 when another request has, or who has the address may not sign
-- in.  ${p_account} is that of the transaction; the owner's id.
CREATE OR REPLACE FUNCTION gate.sign_up_use(p_hash bytea, p_account uuid, p_user uuid,
	p_slug text, p_display text, p_password_hash text)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	s sign_ups;
	owner uuid;
BEGIN
	DELETE FROM sign_ups WHERE token_hash = p_hash AND expires_at > now() RETURNING * INTO s;
	IF s.token_hash IS NULL THEN
		RAISE EXCEPTION 'the link is not good' USING ERRCODE = 'SB404';
	END IF;
	IF p_password_hash IS NOT NULL THEN
		INSERT INTO users (id, email, display_name, password_hash)
		VALUES (p_user, s.email, p_display, p_password_hash)
		ON CONFLICT ((lower(email))) DO NOTHING;
		UPDATE users SET password_hash = p_password_hash, updated_at = now()
		WHERE lower(email) = lower(s.email) AND NOT has_password;
	END IF;
	SELECT id INTO owner FROM users WHERE lower(email) = lower(s.email) AND is_active;
	IF owner IS NULL THEN
		RAISE EXCEPTION 'the link is not good' USING ERRCODE = 'SB404';
	END IF;
	INSERT INTO accounts (id, slug, name, tier) VALUES (p_account, p_slug, s.name, 'free');
	INSERT INTO memberships (account_id, user_id, role) VALUES (p_account, owner, 'account_owner');
	RETURN owner;
END $$;
REVOKE ALL ON FUNCTION gate.sign_up_use(bytea, uuid, uuid, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sign_up_use(bytea, uuid, uuid, text, text, text) TO sb_admin;
