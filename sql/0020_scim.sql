-- SCIM: what an account's directory says of its people and groups.  Its words
-- stay its own; a person whom several accounts share is changed by none of them.
ALTER TABLE control.users ADD COLUMN provisioned_by uuid;	-- account that made her

CREATE TABLE control.scim_users (
	account_id uuid NOT NULL,
	id uuid NOT NULL,		-- the person's elsewhere is not shown
	user_id uuid NOT NULL,
	user_name text NOT NULL CHECK (length(user_name) BETWEEN 1 AND 254),
	external_id text CHECK (length(external_id) <= 254),
	active boolean NOT NULL,
	managed boolean NOT NULL,	-- its membership came by SCIM, and so does its role
	resource jsonb NOT NULL CHECK (length(resource::text) <= 65536),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT scim_users_pkey PRIMARY KEY (account_id, id),
	CONSTRAINT scim_users_person_key UNIQUE (account_id, user_id),
	CONSTRAINT scim_users_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id),
	CONSTRAINT scim_users_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
CREATE UNIQUE INDEX scim_users_name_key ON control.scim_users (account_id, lower(user_name));
CREATE INDEX scim_users_external_idx ON control.scim_users (account_id, external_id);

CREATE TABLE control.scim_groups (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 254),
	external_id text CHECK (length(external_id) <= 254),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT scim_groups_pkey PRIMARY KEY (account_id, id),
	CONSTRAINT scim_groups_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id)
);
CREATE UNIQUE INDEX scim_groups_name_key ON control.scim_groups (account_id, lower(display_name));

CREATE TABLE control.scim_members (
	account_id uuid NOT NULL,
	group_id uuid NOT NULL,
	scim_user_id uuid NOT NULL,
	CONSTRAINT scim_members_pkey PRIMARY KEY (account_id, group_id, scim_user_id),
	CONSTRAINT scim_members_group_fk FOREIGN KEY (account_id, group_id)
		REFERENCES control.scim_groups (account_id, id) ON DELETE CASCADE,
	CONSTRAINT scim_members_user_fk FOREIGN KEY (account_id, scim_user_id)
		REFERENCES control.scim_users (account_id, id) ON DELETE CASCADE
);
CREATE INDEX scim_members_user_idx ON control.scim_members (account_id, scim_user_id);

-- Which group has which role: the first that a person is in; else default_role.
CREATE TABLE control.scim_settings (
	account_id uuid PRIMARY KEY,
	default_role text NOT NULL DEFAULT 'viewer',
	group_roles jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(group_roles) = 'array'),
	CONSTRAINT scim_settings_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id)
);

SELECT control.protect('control.scim_users');
SELECT control.protect('control.scim_groups');
SELECT control.protect('control.scim_members');
SELECT control.protect('control.scim_settings');
-- (the one column so that a row can be held while it is changed by the gate)
GRANT SELECT, UPDATE (updated_at) ON control.scim_users TO sb_admin;
GRANT SELECT, INSERT, DELETE, UPDATE (display_name, external_id, updated_at)
	ON control.scim_groups TO sb_admin;
GRANT SELECT, INSERT, DELETE ON control.scim_members TO sb_admin;
GRANT SELECT, INSERT, UPDATE (default_role, group_roles) ON control.scim_settings TO sb_admin;

-- As before; and a role that a directory's groups have stays, too.
CREATE OR REPLACE FUNCTION control.role_is_unused() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	people text;
	keys text;
	groups text;
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
	SELECT 'the settings of SCIM' INTO groups FROM scim_settings s
	WHERE s.account_id = OLD.account_id AND (s.default_role = OLD.name
		OR s.group_roles @> jsonb_build_array(jsonb_build_object('role', OLD.name)));
	IF people IS NOT NULL OR keys IS NOT NULL OR groups IS NOT NULL THEN
		RAISE EXCEPTION 'the role is in use: %',
			left(concat_ws('; ', people, keys, groups), 120) USING ERRCODE = 'SB409';
	END IF;
	RETURN OLD;
END $$;
