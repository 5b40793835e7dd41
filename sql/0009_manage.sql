-- What the management API needs: answers of requests that named an
-- Idempotency-Key, changes that know what they change, an owner that stays.

-- Written in the transaction of the change itself, so that there is an answer
-- exactly when there is a change; the key's uniqueness makes a second request
-- wait for the first.  Kept for 24 hours; an answer that showed a secret stands
-- here without it.
CREATE TABLE control.request_answers (
	account_id uuid NOT NULL,
	key_hash bytea NOT NULL CHECK (length(key_hash) = 32),		-- caller and key
	request_hash bytea NOT NULL CHECK (length(request_hash) = 32),	-- method, path, body
	status integer NOT NULL,
	answer text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT request_answers_pkey PRIMARY KEY (account_id, key_hash)
);
CREATE INDEX request_answers_created_idx ON control.request_answers (created_at);
SELECT control.protect('control.request_answers');
GRANT SELECT, INSERT, DELETE ON control.request_answers TO sb_admin;

-- The first statement of a change: ${present} is the state of the row that it has
-- locked, ${expected} the state that the change was made for.
CREATE FUNCTION control.unchanged(present text, expected text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF present IS NULL THEN
		RAISE EXCEPTION 'nothing has this id' USING ERRCODE = 'SB404';
	ELSIF present <> expected THEN
		RAISE EXCEPTION 'it has changed since it was read' USING ERRCODE = 'SB412';
	END IF;
	RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION control.unchanged(text, text) TO sb_admin;

-- An account that has an owner keeps one.  After the statement, so that one
-- which takes several sees what is left; whoever takes an owner holds the
-- account's row, so that two at once cannot each leave the other's.  The owner
-- of the tables may take an account apart.
CREATE FUNCTION control.an_owner_stays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	IF session_user = 'sb_owner' THEN
		RETURN NULL;
	END IF;
	PERFORM FROM accounts WHERE id = OLD.account_id FOR NO KEY UPDATE;
	IF FOUND AND NOT EXISTS (SELECT FROM memberships m JOIN users u ON u.id = m.user_id
			WHERE m.account_id = OLD.account_id AND m.role = 'account_owner'
			AND u.is_active) THEN
		RAISE EXCEPTION 'an account keeps at least one owner who may sign in'
			USING ERRCODE = 'SB409', HINT = 'Make somebody else owner first.';
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER an_owner_stays AFTER UPDATE OF role ON control.memberships
	FOR EACH ROW WHEN (OLD.role = 'account_owner' AND NEW.role <> 'account_owner')
	EXECUTE FUNCTION control.an_owner_stays();
CREATE TRIGGER an_owner_leaves AFTER DELETE ON control.memberships
	FOR EACH ROW WHEN (OLD.role = 'account_owner')
	EXECUTE FUNCTION control.an_owner_stays();
