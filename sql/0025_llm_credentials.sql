-- Keys for model providers: an account's own, and (the nil UUID) the platform's,
-- for accounts that have none.

CREATE SEQUENCE control.llm_credential_slot AS integer MINVALUE 1;

-- The key is sealed (src/secret) for the account, the row and its version, which
-- is the time it was set at.  owner is the account as a key that refers.
CREATE TABLE control.llm_credentials (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	owner uuid GENERATED ALWAYS AS
		(nullif(account_id, '00000000-0000-0000-0000-000000000000')) STORED,
	slot integer NOT NULL UNIQUE DEFAULT nextval('control.llm_credential_slot'),
	provider text NOT NULL CHECK (provider IN ('openai', 'anthropic')),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	sealed bytea NOT NULL,
	key_version bigint NOT NULL,
	hint text NOT NULL,		-- the key's last characters, to be shown
	base_url text CHECK (length(base_url) BETWEEN 1 AND 2048),	-- null: the vendor's
	tier smallint NOT NULL DEFAULT 1 CHECK (tier BETWEEN 1 AND 4),
	rpm bigint CHECK (rpm >= 0),	-- a minute; null: as the tier has it; 0: no limit
	tpm bigint CHECK (tpm >= 0),
	itpm bigint CHECK (itpm >= 0),
	weight integer NOT NULL DEFAULT 100 CHECK (weight BETWEEN 1 AND 1000),
	priority integer NOT NULL DEFAULT 100 CHECK (priority BETWEEN 0 AND 1000),
	models text[] NOT NULL DEFAULT '{}' CHECK (cardinality(models) <= 100),	-- none: all
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
	last_used_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id),
	CONSTRAINT llm_credentials_name_key UNIQUE (account_id, name),
	CONSTRAINT llm_credentials_account_fk FOREIGN KEY (owner) REFERENCES control.accounts (id)
);

-- How an account spreads its calls over its credentials.
ALTER TABLE control.accounts ADD COLUMN credential_strategy text NOT NULL
	DEFAULT 'least-loaded' CHECK (credential_strategy IN ('least-loaded', 'weighted',
		'round-robin', 'priority', 'cost-aware'));
GRANT UPDATE (credential_strategy) ON control.accounts TO sb_admin;
CREATE TRIGGER config_epoch_strategy BEFORE UPDATE OF credential_strategy
	ON control.accounts FOR EACH ROW EXECUTE FUNCTION control.account_changed();

-- A turn looks at all of an account's, so that they are few.
CREATE FUNCTION control.credentials_within_limit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	present bigint;
BEGIN
	IF NEW.owner IS NULL THEN
		PERFORM FROM platform FOR NO KEY UPDATE;
	ELSE
		PERFORM FROM accounts WHERE id = NEW.owner FOR NO KEY UPDATE;
	END IF;
	SELECT count(*) INTO present FROM llm_credentials WHERE account_id = NEW.account_id;
	IF present > 64 THEN
		RAISE EXCEPTION 'there are 64 of at most 64 credentials'
			USING ERRCODE = 'SB429', HINT = 'Delete one.';
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER credentials_within_limit AFTER INSERT ON control.llm_credentials
	FOR EACH ROW EXECUTE FUNCTION control.credentials_within_limit();

-- The platform's are every account's fallback: slot 0.
CREATE FUNCTION control.credential_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	whose uuid;
	news text;
BEGIN
	IF TG_OP = 'DELETE' THEN
		whose := OLD.owner;
	ELSE
		whose := NEW.owner;
	END IF;
	IF whose IS NULL THEN
		UPDATE platform SET config_epoch = config_epoch + 1
		RETURNING '0 ' || config_epoch INTO news;
	ELSE
		UPDATE accounts SET config_epoch = config_epoch + 1 WHERE id = whose
		RETURNING slot || ' ' || config_epoch INTO news;
	END IF;
	IF news IS NOT NULL THEN
		PERFORM pg_notify('sb_config', news);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER config_epoch
	AFTER INSERT OR DELETE OR UPDATE OF name, sealed, key_version, base_url, tier, rpm, tpm,
		itpm, weight, priority, models, status
	ON control.llm_credentials FOR EACH ROW EXECUTE FUNCTION control.credential_changed();

SELECT control.protect('control.llm_credentials');
GRANT SELECT, DELETE,
	INSERT (account_id, id, provider, name, sealed, key_version, hint, base_url, tier, rpm, tpm,
		itpm, weight, priority, models, status, created_at, updated_at),
	UPDATE (name, sealed, key_version, hint, base_url, tier, rpm, tpm, itpm, weight, priority,
		models, status, updated_at)
	ON control.llm_credentials TO sb_admin;
GRANT USAGE ON SEQUENCE control.llm_credential_slot TO sb_admin;
