-- Passkeys (WebAuthn): public keys of authenticators, by which people sign in.
CREATE TABLE control.passkeys (
	id uuid PRIMARY KEY,
	user_id uuid NOT NULL,
	credential_id bytea NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
	algorithm integer NOT NULL CHECK (algorithm IN (-7, -8, -257)),	-- of COSE
	public_key bytea NOT NULL CHECK (length(public_key) BETWEEN 32 AND 259),
	counter bigint NOT NULL,	-- of signatures, as the authenticator last said
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	transports jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(transports) = 'array'),
	created_at timestamptz NOT NULL DEFAULT now(),
	last_used_at timestamptz,
	CONSTRAINT passkeys_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
CREATE INDEX passkeys_user_idx ON control.passkeys (user_id);

-- Challenges that were answered: each counts once.
CREATE TABLE control.passkey_spent (
	hash bytea PRIMARY KEY CHECK (length(hash) = 32),
	expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_spent_expires_idx ON control.passkey_spent (expires_at);
