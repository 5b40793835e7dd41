-- Who speaks.  An account's own server may name a visitor: it signs a token with
-- a secret that we made for it and keep sealed (src/secret), and the visitor's
-- sessions are then hers.  And of a turn, which person has it asked.
CREATE TABLE control.visitor_secrets (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	prefix text NOT NULL,			-- its first characters, to be shown
	sealed bytea NOT NULL CHECK (length(sealed) BETWEEN 64 AND 200),
	expires_at timestamptz,			-- null: it has not been replaced
	revoked_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id),
	CONSTRAINT visitor_secrets_account_fk FOREIGN KEY (account_id)
		REFERENCES control.accounts (id)
);
SELECT control.protect('control.visitor_secrets');
GRANT SELECT (account_id, id, sealed, expires_at, revoked_at, created_at)
	ON control.visitor_secrets TO sb_chat;
GRANT INSERT, SELECT (account_id, id, name, prefix, expires_at, revoked_at, created_at),
	UPDATE (expires_at, revoked_at)
	ON control.visitor_secrets TO sb_admin;
-- Tokens of visitors live as long as what named them: see gate.widget_key_by_hash.
CREATE TRIGGER config_epoch
	AFTER INSERT OR DELETE OR UPDATE OF expires_at, revoked_at
	ON control.visitor_secrets FOR EACH ROW EXECUTE FUNCTION control.part_changed();

-- Visitors by the names that their account gives them; the id follows from
-- account and name.
CREATE TABLE data.visitors (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 200),
	name text CHECK (length(name) BETWEEN 1 AND 200),
	email text CHECK (length(email) BETWEEN 3 AND 254),
	created_at timestamptz NOT NULL DEFAULT now(),
	last_seen_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id),
	CONSTRAINT visitors_external_id_key UNIQUE (account_id, external_id)
);
SELECT control.protect('data.visitors');
GRANT SELECT, INSERT, UPDATE (name, email, last_seen_at) ON data.visitors TO sb_chat;
GRANT SELECT ON data.visitors TO sb_admin;

-- Written with its first turn, and no foreign key: the journal may hold it for
-- long.
ALTER TABLE data.sessions ADD COLUMN visitor_id uuid;
ALTER TABLE data.turns ADD COLUMN user_id uuid;
ALTER TABLE data.turns_open ADD COLUMN user_id uuid;
