-- How each host found each credential: what its breaker says, kept over a
-- restart and told to the other hosts, and how much of it the host has used.
-- The host '' is nobody's: what an operator ordered for all of them.
CREATE SEQUENCE control.credential_state_version;

CREATE TABLE control.credential_states (
	account_id uuid NOT NULL,
	credential_id uuid NOT NULL,
	host text NOT NULL CHECK (length(host) <= 255),
	version bigint NOT NULL DEFAULT nextval('control.credential_state_version'),
	state text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'out')),
	reason text NOT NULL DEFAULT 'none' CHECK (reason IN ('none', 'failures', 'limited',
		'denied', 'exhausted', 'operator', 'reset')),
	failures smallint NOT NULL DEFAULT 0,
	power smallint NOT NULL DEFAULT 0,	-- how often its pause was doubled
	since timestamptz NOT NULL DEFAULT now(),
	until timestamptz,		-- null: until somebody closes it
	cool_until timestamptz,		-- of the last 429
	cool_power smallint NOT NULL DEFAULT 0,
	counts bigint[] NOT NULL DEFAULT '{}',
	used_requests bigint NOT NULL DEFAULT 0,	-- since the row was made
	used_tokens bigint NOT NULL DEFAULT 0,
	used_input bigint NOT NULL DEFAULT 0,
	changed_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, credential_id, host),
	CONSTRAINT credential_states_credential_fk FOREIGN KEY (account_id, credential_id)
		REFERENCES control.llm_credentials (account_id, id) ON DELETE CASCADE
);
CREATE INDEX credential_states_changed_idx ON control.credential_states (changed_at);

-- With another key it is tried again at once, on every host.
CREATE FUNCTION control.credential_key_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	INSERT INTO credential_states (account_id, credential_id, host, reason)
	VALUES (NEW.account_id, NEW.id, '', 'operator')
	ON CONFLICT (account_id, credential_id, host) DO UPDATE SET state = 'closed',
		reason = 'operator', version = nextval('credential_state_version'),
		since = now(), changed_at = now();
	RETURN NULL;
END $$;
CREATE TRIGGER key_changed AFTER UPDATE OF key_version ON control.llm_credentials
	FOR EACH ROW WHEN (OLD.key_version <> NEW.key_version)
	EXECUTE FUNCTION control.credential_key_changed();

SELECT control.protect('control.credential_states');
GRANT SELECT ON control.credential_states TO sb_admin;
