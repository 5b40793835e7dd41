-- Keys that secrets are sealed with (src/secret): one for each account and, for
-- the nil UUID, one for the platform, itself sealed by a master key that is not
-- in the database.  Exchanging the master key seals these rows anew and nothing
-- else.
CREATE TABLE control.data_keys (
	account_id uuid NOT NULL,
	version integer NOT NULL CHECK (version > 0),
	master_id text NOT NULL CHECK (master_id ~ '^[0-9a-f]{16}$'),
	wrapped bytea NOT NULL CHECK (length(wrapped) BETWEEN 64 AND 200),
	created_at timestamptz NOT NULL DEFAULT now(),
	wrapped_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, version)
);
CREATE INDEX data_keys_master_idx ON control.data_keys (master_id);
SELECT control.protect('control.data_keys');
GRANT SELECT ON control.data_keys TO sb_chat, sb_admin, sb_job;
GRANT INSERT ON control.data_keys TO sb_admin, sb_job;
