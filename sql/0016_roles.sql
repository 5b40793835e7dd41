-- Roles of an account's own: a name for a set of permissions.  What the built-in
-- ones may stands in src/auth/perm.c; so do the permissions, of which those that
-- a program does not know allow nothing.
CREATE TABLE control.roles (
	account_id uuid NOT NULL,
	name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$' AND name NOT IN ('none',
		'visitor', 'viewer', 'support', 'analyst', 'agent_manager', 'account_admin',
		'account_owner', 'platform_admin')),
	description text NOT NULL DEFAULT '' CHECK (length(description) <= 1000),
	permissions text[] NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT roles_pkey PRIMARY KEY (account_id, name),
	CONSTRAINT roles_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id)
);
SELECT control.protect('control.roles');
GRANT SELECT, INSERT, DELETE, UPDATE (description, permissions, updated_at)
	ON control.roles TO sb_admin;
CREATE TRIGGER config_epoch AFTER INSERT OR DELETE OR UPDATE OF permissions
	ON control.roles FOR EACH ROW EXECUTE FUNCTION control.part_changed();

-- A member and a key have a role that there is.
CREATE FUNCTION control.role_is_known() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	IF NEW.role NOT IN ('viewer', 'support', 'analyst', 'agent_manager', 'account_admin',
			'account_owner') THEN
		PERFORM FROM roles WHERE account_id = NEW.account_id AND name = NEW.role
		FOR KEY SHARE;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'the account has no role %', NEW.role USING ERRCODE = 'SB422';
		END IF;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER role_is_known BEFORE INSERT OR UPDATE OF role ON control.memberships
	FOR EACH ROW EXECUTE FUNCTION control.role_is_known();
CREATE TRIGGER role_is_known BEFORE INSERT OR UPDATE OF role ON control.api_keys
	FOR EACH ROW EXECUTE FUNCTION control.role_is_known();

-- A role in use stays, but in an account that is taken apart.
CREATE FUNCTION control.role_is_unused() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	people text;
	keys text;
BEGIN
	IF session_user = 'sb_owner' OR NOT EXISTS (SELECT FROM accounts
			WHERE id = OLD.account_id AND (ends_at IS NULL OR ends_at > now())) THEN
		RETURN OLD;
	END IF;
	SELECT count(*) || ' members, such as ' || min(u.email) INTO people
	FROM memberships m JOIN users u ON u.id = m.user_id
	WHERE m.account_id = OLD.account_id AND m.role = OLD.name HAVING count(*) > 0;
	SELECT count(*) || ' API keys, such as ' || min(k.name) INTO keys FROM api_keys k
	WHERE k.account_id = OLD.account_id AND k.role = OLD.name AND k.revoked_at IS NULL
	HAVING count(*) > 0;
	IF people IS NOT NULL OR keys IS NOT NULL THEN
		RAISE EXCEPTION 'the role is in use: %', left(concat_ws('; ', people, keys), 120)
			USING ERRCODE = 'SB409';
	END IF;
	RETURN OLD;
END $$;
CREATE TRIGGER role_is_unused BEFORE DELETE ON control.roles
	FOR EACH ROW EXECUTE FUNCTION control.role_is_unused();
