-- How an account ends: it is suspended at once, and after a time of grace, in
-- which it can be brought back, all its rows go.
ALTER TABLE control.accounts ADD COLUMN ends_at timestamptz,
	ADD CONSTRAINT accounts_ending_check CHECK (ends_at IS NULL OR NOT is_active);
CREATE INDEX accounts_ends_idx ON control.accounts (ends_at) WHERE ends_at IS NOT NULL;
GRANT UPDATE (ends_at) ON control.accounts TO sb_admin;

-- As before, but for an account whose time has come.
CREATE OR REPLACE FUNCTION control.an_owner_stays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	IF session_user = 'sb_owner' THEN
		RETURN NULL;
	END IF;
	PERFORM FROM accounts WHERE id = OLD.account_id AND (ends_at IS NULL OR ends_at > now())
	FOR NO KEY UPDATE;
	IF FOUND AND NOT EXISTS (SELECT FROM memberships m JOIN users u ON u.id = m.user_id
			WHERE m.account_id = OLD.account_id AND m.role = 'account_owner'
			AND u.is_active) THEN
		RAISE EXCEPTION 'an account keeps at least one owner who may sign in'
			USING ERRCODE = 'SB409', HINT = 'Make somebody else owner first.';
	END IF;
	RETURN NULL;
END $$;
