-- Second factors: a secret that an authenticator app shares with us, sealed
-- (src/secret), and codes for the day the telephone is gone.
CREATE TABLE control.second_factors (
	user_id uuid PRIMARY KEY,
	sealed bytea NOT NULL,
	version bigint NOT NULL DEFAULT 1,	-- of the secret, see secret_place
	last_step bigint NOT NULL DEFAULT 0,	-- of time, whose code was used
	confirmed_at timestamptz,		-- null: the app has not shown a code yet
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT second_factors_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
CREATE TABLE control.recovery_codes (
	user_id uuid NOT NULL,
	code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
	PRIMARY KEY (user_id, code_hash),
	CONSTRAINT recovery_codes_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
GRANT INSERT, DELETE ON control.second_factors, control.recovery_codes TO sb_admin;
GRANT SELECT ON control.second_factors TO sb_admin;
GRANT SELECT (user_id) ON control.recovery_codes TO sb_admin;
GRANT UPDATE (sealed, version, last_step, confirmed_at) ON control.second_factors TO sb_admin;
