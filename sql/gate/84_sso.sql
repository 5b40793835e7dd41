-- Who comes by an account's identity provider, and how such sign-ins end.
-- needs: SELECT, INSERT, UPDATE ON control.users
-- needs: SELECT, INSERT, UPDATE ON control.memberships
-- needs: SELECT, INSERT, UPDATE ON control.sso_identities
-- needs: SELECT ON control.account_domains
-- needs: SELECT ON control.sso_connections
-- needs: SELECT ON control.accounts
-- needs: SELECT ON control.sso_sign_ins
-- needs: SELECT, UPDATE ON control.sign_ins
-- needs: SELECT ON control.second_factors
-- needs: USAGE ON SEQUENCE control.user_slot

-- Whom the provider means: who was linked to the subject, else (linked false)
-- whoever has ${p_email}, proven by the provider, in one of the account's
-- domains.  Always one row; user_id is null where there is nobody.  other_subject:
-- the provider knows that person by another subject, so that the address has
-- passed to somebody else.
CREATE OR REPLACE FUNCTION gate.sso_person(p_account uuid, p_issuer text, p_subject text,
	p_email text)
RETURNS TABLE (user_id uuid, linked boolean, is_active boolean, is_platform_admin boolean,
	role text, has_factor boolean, own_domain boolean, other_subject boolean,
	email text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	whose uuid;
	was_linked boolean;
	own boolean := EXISTS (SELECT FROM account_domains d WHERE d.account_id = p_account
		AND d.domain = lower(substring(p_email FROM '@([^@]+)$')));
BEGIN
	SELECT i.user_id INTO whose FROM sso_identities i WHERE i.account_id = p_account
		AND i.issuer = p_issuer AND i.subject = p_subject;
	was_linked := whose IS NOT NULL;
	IF NOT was_linked AND own THEN
		SELECT u.id INTO whose FROM users u WHERE lower(u.email) = lower(p_email);
	END IF;
	RETURN QUERY SELECT u.id, was_linked, u.is_active, u.is_platform_admin, m.role,
		EXISTS (SELECT FROM second_factors f WHERE f.user_id = u.id
			AND f.confirmed_at IS NOT NULL), own,
		NOT was_linked AND EXISTS (SELECT FROM sso_identities i WHERE i.account_id = p_account
			AND i.issuer = p_issuer AND i.user_id = u.id), u.email
	FROM (SELECT 1) one LEFT JOIN users u ON u.id = whose
	LEFT JOIN memberships m ON m.user_id = u.id AND m.account_id = p_account;
END $$;
REVOKE ALL ON FUNCTION gate.sso_person(uuid, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sso_person(uuid, text, text, text) TO sb_admin;

-- She comes in: made where she is new (${p_hash} given), linked to the subject
-- where she was not, a member by ${p_role}.  SB409 when something of what
-- gate.sso_person() said has changed meanwhile.
CREATE OR REPLACE FUNCTION gate.sso_enter(p_account uuid, p_user uuid, p_email text, p_name text,
	p_hash text, p_issuer text, p_subject text, p_linked boolean, p_role text)
RETURNS TABLE (token_version bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF p_account IS DISTINCT FROM
			nullif(current_setting('app.account_id', true), '')::uuid THEN
		RAISE EXCEPTION 'not the transaction''s account' USING ERRCODE = '42501';
	END IF;
	IF p_hash IS NOT NULL THEN
		INSERT INTO users (id, email, display_name, password_hash, has_password)
		VALUES (p_user, p_email, p_name, p_hash, false);
	END IF;
	IF p_linked THEN
		UPDATE sso_identities SET last_used_at = now() WHERE account_id = p_account
			AND issuer = p_issuer AND subject = p_subject AND user_id = p_user;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'the link has changed' USING ERRCODE = 'SB409';
		END IF;
	ELSE
		INSERT INTO sso_identities (account_id, issuer, subject, user_id)
		VALUES (p_account, p_issuer, p_subject, p_user);
	END IF;
	INSERT INTO memberships AS m (account_id, user_id, role)
	SELECT p_account, p_user, p_role WHERE p_role IS NOT NULL
	ON CONFLICT (account_id, user_id) DO UPDATE SET role = excluded.role
		WHERE m.role <> excluded.role AND m.role <> 'account_owner';
	RETURN QUERY SELECT u.token_version FROM users u
	JOIN memberships m ON m.user_id = u.id AND m.account_id = p_account
	WHERE u.id = p_user AND u.is_active AND NOT u.is_platform_admin;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this person may not come in' USING ERRCODE = 'SB409';
	END IF;
END $$;
REVOKE ALL ON FUNCTION gate.sso_enter(uuid, uuid, text, text, text, text, text, boolean, text)
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sso_enter(uuid, uuid, text, text, text, text, text, boolean, text)
	TO sb_admin;

-- An account of the person's that wants her to come by its provider: its slug.
-- Owners keep the password, for the day the provider is away.
CREATE OR REPLACE FUNCTION gate.sso_required(p_user uuid)
RETURNS TABLE (slug text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT a.slug FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.is_active
	JOIN sso_connections c ON c.account_id = a.id AND c.is_active AND c.is_required
	JOIN users u ON u.id = m.user_id AND NOT u.is_platform_admin
	JOIN account_domains d ON d.account_id = a.id
		AND d.domain = lower(substring(u.email FROM '@([^@]+)$'))
	WHERE m.user_id = p_user AND m.role <> 'account_owner'
	ORDER BY a.slug LIMIT 1
$$;
REVOKE ALL ON FUNCTION gate.sso_required(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sso_required(uuid) TO sb_admin;

-- The provider says that its session ${p_sid} has ended, or (null) all those of
-- ${p_subject}: so do the sign-ins here, with all access tokens of the person.
-- How many.
CREATE OR REPLACE FUNCTION gate.sso_sign_out(p_account uuid, p_issuer text, p_subject text,
	p_sid text)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	ended uuid[];
	n bigint;
BEGIN
	IF p_account IS DISTINCT FROM
			nullif(current_setting('app.account_id', true), '')::uuid THEN
		RAISE EXCEPTION 'not the transaction''s account' USING ERRCODE = '42501';
	END IF;
	WITH e AS (UPDATE sign_ins i SET ended_at = now(), end_reason = 'signed out at the provider'
		FROM sso_sign_ins s WHERE s.sign_in_id = i.id AND i.ended_at IS NULL
			AND s.account_id = p_account AND s.issuer = p_issuer
			AND (p_subject IS NULL OR s.subject = p_subject)
			AND (p_sid IS NULL OR s.sid = p_sid)
			AND (p_subject IS NOT NULL OR p_sid IS NOT NULL)
		RETURNING i.user_id)
	SELECT array_agg(DISTINCT e.user_id), count(*) INTO ended, n FROM e;
	UPDATE users SET token_version = token_version + 1 WHERE id = any(ended);
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.sso_sign_out(uuid, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sso_sign_out(uuid, text, text, text) TO sb_admin;

-- By which account's provider a sign-in came, and its ID token, sealed.
CREATE OR REPLACE FUNCTION gate.sso_kept(p_sign_in uuid)
RETURNS TABLE (account_id uuid, issuer text, sealed text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
	SELECT s.account_id, s.issuer, encode(s.sealed, 'hex') FROM sso_sign_ins s
	WHERE s.sign_in_id = p_sign_in
$$;
REVOKE ALL ON FUNCTION gate.sso_kept(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.sso_kept(uuid) TO sb_admin;
