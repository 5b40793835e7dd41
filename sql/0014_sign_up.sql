-- Who wants an account of his own, until the address has been proven by the link
-- of a mail.  Only a hash of what stands in it is kept.
CREATE TABLE control.sign_ups (
	token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
	email text NOT NULL CHECK (length(email) <= 254),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	slug text CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL
);
CREATE INDEX sign_ups_email_idx ON control.sign_ups (lower(email), created_at);
CREATE INDEX sign_ups_created_idx ON control.sign_ups (created_at);
