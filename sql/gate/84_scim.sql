-- What a directory may do to people: make them, make them members of its own
-- account, and end that.
-- needs: SELECT, INSERT, UPDATE ON control.users
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.memberships
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.scim_users
-- needs: SELECT ON control.scim_groups
-- needs: SELECT, DELETE ON control.scim_members
-- needs: SELECT ON control.scim_settings
-- needs: SELECT, UPDATE ON control.sign_ins
-- needs: USAGE ON SEQUENCE control.user_slot

-- The account must be that of the transaction.
CREATE OR REPLACE FUNCTION gate.scim_own(p_account uuid)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_account IS DISTINCT FROM
			nullif(current_setting('app.account_id', true), '')::uuid THEN
		RAISE EXCEPTION 'not the transaction''s account' USING ERRCODE = '42501';
	END IF;
END $$;
REVOKE ALL ON FUNCTION gate.scim_own(uuid) FROM PUBLIC;

-- Is the person this account's alone: made by it, and nobody's else?
CREATE OR REPLACE FUNCTION gate.scim_is_own(p_account uuid, p_user uuid)
RETURNS boolean LANGUAGE sql STABLE SET search_path = control, data, pg_temp AS $$
	SELECT u.provisioned_by IS NOT DISTINCT FROM p_account AND NOT u.is_platform_admin
		AND NOT EXISTS (SELECT FROM memberships m
			WHERE m.user_id = u.id AND m.account_id <> p_account)
	FROM users u WHERE u.id = p_user
$$;
REVOKE ALL ON FUNCTION gate.scim_is_own(uuid, uuid) FROM PUBLIC;

-- The role that groups give this user.
CREATE OR REPLACE FUNCTION gate.scim_role(p_account uuid, p_id uuid)
RETURNS text LANGUAGE sql STABLE SET search_path = control, data, pg_temp AS $$
	SELECT coalesce((SELECT r.e->>'role' FROM scim_settings s
			CROSS JOIN jsonb_array_elements(s.group_roles) WITH ORDINALITY AS r (e, n)
			JOIN scim_groups g ON g.account_id = p_account
				AND lower(g.display_name) = lower(r.e->>'group')
			JOIN scim_members m ON m.account_id = p_account AND m.group_id = g.id
				AND m.scim_user_id = p_id
			WHERE s.account_id = p_account ORDER BY r.n LIMIT 1),
		(SELECT s.default_role FROM scim_settings s WHERE s.account_id = p_account),
		'viewer')
$$;
REVOKE ALL ON FUNCTION gate.scim_role(uuid, uuid) FROM PUBLIC;

-- Member or not, as the row says.  Whoever is not any more, and is nobody's
-- else, is signed out.
CREATE OR REPLACE FUNCTION gate.scim_settle(p_account uuid, p_id uuid, p_user uuid,
	p_active boolean)
RETURNS void LANGUAGE plpgsql SET search_path = control, data, pg_temp AS $$
BEGIN
	IF p_active THEN
		INSERT INTO memberships (account_id, user_id, role)
		VALUES (p_account, p_user, gate.scim_role(p_account, p_id))
		ON CONFLICT (account_id, user_id) DO NOTHING;
		RETURN;
	END IF;
	DELETE FROM memberships WHERE account_id = p_account AND user_id = p_user;
	IF gate.scim_is_own(p_account, p_user) THEN
		UPDATE sign_ins SET ended_at = now(), end_reason = 'deprovisioned'
		WHERE user_id = p_user AND ended_at IS NULL;
	END IF;
END $$;
REVOKE ALL ON FUNCTION gate.scim_settle(uuid, uuid, uuid, boolean) FROM PUBLIC;

-- A new user ${p_id}: whoever has the address, or a new person ${p_user} whose
-- password nobody knows.
CREATE OR REPLACE FUNCTION gate.scim_user_create(p_account uuid, p_id uuid, p_user uuid,
	p_email text, p_name text, p_password_hash text, p_user_name text, p_external text,
	p_active boolean, p_resource jsonb, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	person uuid;
	member boolean;
BEGIN
	PERFORM gate.scim_own(p_account);
	INSERT INTO users (id, email, display_name, password_hash, has_password, provisioned_by)
	VALUES (p_user, p_email, p_name, p_password_hash, false, p_account)
	ON CONFLICT ((lower(email))) DO NOTHING;
	SELECT id INTO STRICT person FROM users WHERE lower(email) = lower(p_email);
	member := EXISTS (SELECT FROM memberships WHERE account_id = p_account AND user_id = person);
	INSERT INTO scim_users (account_id, id, user_id, user_name, external_id, active, managed,
		resource, created_at, updated_at)
	VALUES (p_account, p_id, person, p_user_name, p_external, p_active, NOT member,
		p_resource, p_now, p_now);
	PERFORM gate.scim_settle(p_account, p_id, person, p_active);
END $$;
REVOKE ALL ON FUNCTION gate.scim_user_create(uuid, uuid, uuid, text, text, text, text, text,
	boolean, jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.scim_user_create(uuid, uuid, uuid, text, text, text, text, text,
	boolean, jsonb, timestamptz) TO sb_admin;

-- The same user, as it is said now.  Name and address of the person follow only
-- where she is this account's alone, the address only where it is nobody's.
CREATE OR REPLACE FUNCTION gate.scim_user_change(p_account uuid, p_id uuid, p_email text,
	p_name text, p_user_name text, p_external text, p_active boolean, p_resource jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	was scim_users;
BEGIN
	PERFORM gate.scim_own(p_account);
	SELECT * INTO was FROM scim_users WHERE account_id = p_account AND id = p_id FOR UPDATE;
	IF was.id IS NULL THEN
		RAISE EXCEPTION 'nothing has this id' USING ERRCODE = 'SB404';
	END IF;
	UPDATE scim_users SET user_name = p_user_name, external_id = p_external,
		active = p_active, resource = p_resource, updated_at = now(),
		managed = managed OR NOT was.active
	WHERE account_id = p_account AND id = p_id;
	IF gate.scim_is_own(p_account, was.user_id) THEN
		UPDATE users SET display_name = p_name, updated_at = now()
		WHERE id = was.user_id AND display_name <> p_name;
		UPDATE users SET email = p_email, updated_at = now()
		WHERE id = was.user_id AND email <> p_email AND NOT EXISTS (
			SELECT FROM users o WHERE lower(o.email) = lower(p_email)
			AND o.id <> was.user_id);
	END IF;
	IF p_active <> was.active OR NOT p_active THEN
		PERFORM gate.scim_settle(p_account, p_id, was.user_id, p_active);
	END IF;
END $$;
REVOKE ALL ON FUNCTION gate.scim_user_change(uuid, uuid, text, text, text, text, boolean, jsonb)
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.scim_user_change(uuid, uuid, text, text, text, text, boolean, jsonb)
	TO sb_admin;

-- The user is no more; the person stays, as nobody's.
CREATE OR REPLACE FUNCTION gate.scim_user_delete(p_account uuid, p_id uuid)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	person uuid;
BEGIN
	PERFORM gate.scim_own(p_account);
	DELETE FROM scim_users WHERE account_id = p_account AND id = p_id RETURNING user_id INTO person;
	IF person IS NULL THEN
		RAISE EXCEPTION 'nothing has this id' USING ERRCODE = 'SB404';
	END IF;
	PERFORM gate.scim_settle(p_account, p_id, person, false);
END $$;
REVOKE ALL ON FUNCTION gate.scim_user_delete(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.scim_user_delete(uuid, uuid) TO sb_admin;

-- Roles follow groups and settings; how many have changed.  Who was a member
-- before keeps his.
CREATE OR REPLACE FUNCTION gate.scim_roles(p_account uuid)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM gate.scim_own(p_account);
	UPDATE memberships m SET role = w.role
	FROM (SELECT s.user_id, gate.scim_role(p_account, s.id) AS role FROM scim_users s
		WHERE s.account_id = p_account AND s.managed AND s.active) w
	WHERE m.account_id = p_account AND m.user_id = w.user_id AND m.role <> w.role;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.scim_roles(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.scim_roles(uuid) TO sb_admin;
