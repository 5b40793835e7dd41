-- Identity providers of accounts (OpenID Connect), and who came by them.

-- One an account.  The client secret is sealed (src/secret) for the account and
-- its version, which is the time it was set at.
CREATE TABLE control.sso_connections (
	account_id uuid PRIMARY KEY,
	issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
	client_id text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 500),
	client_auth text NOT NULL
		CHECK (client_auth IN ('client_secret_basic', 'client_secret_post', 'none')),
	sealed bytea,
	secret_version bigint,
	scopes jsonb NOT NULL,		-- list of texts
	is_active boolean NOT NULL,
	trust_email boolean NOT NULL,	-- the provider's addresses count as proven
	auto_join boolean NOT NULL,	-- whoever it lets in becomes a member
	is_required boolean NOT NULL,	-- members of its domains use no password
	role_claim text,		-- path of the claim that role_map is about
	role_map jsonb NOT NULL,	-- list of {value, role}, the first that fits
	default_role text,		-- where none fits; null: nobody comes in
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sso_connections_secret CHECK ((sealed IS NULL) = (secret_version IS NULL)),
	CONSTRAINT sso_connections_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id)
);

-- Domains of e-mail addresses that are the account's, as the platform has seen
-- proven.  Only people with such an address are linked by it, once.
CREATE TABLE control.account_domains (
	account_id uuid NOT NULL,
	domain text NOT NULL CHECK (domain = lower(domain) AND length(domain) <= 253),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, domain),
	CONSTRAINT account_domains_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id)
);

-- Whom a provider of an account means by a subject.
CREATE TABLE control.sso_identities (
	account_id uuid NOT NULL,
	issuer text NOT NULL,
	subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
	user_id uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	last_used_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, issuer, subject),
	CONSTRAINT sso_identities_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id),
	CONSTRAINT sso_identities_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
CREATE INDEX sso_identities_user_idx ON control.sso_identities (account_id, user_id);

-- Who is no member any more is no longer linked.
CREATE FUNCTION control.member_left() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	DELETE FROM sso_identities WHERE account_id = OLD.account_id AND user_id = OLD.user_id;
	RETURN NULL;
END $$;
CREATE TRIGGER member_left AFTER DELETE ON control.memberships
	FOR EACH ROW EXECUTE FUNCTION control.member_left();

-- Sign-ins that a provider began: it may end them, and is told when they end.
CREATE TABLE control.sso_sign_ins (
	account_id uuid NOT NULL,
	sign_in_id uuid NOT NULL,
	issuer text NOT NULL,
	subject text NOT NULL,
	sid text,			-- the provider's name for its session
	sealed bytea NOT NULL,		-- the ID token, to sign out with
	PRIMARY KEY (account_id, sign_in_id),
	CONSTRAINT sso_sign_ins_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id),
	CONSTRAINT sso_sign_ins_sign_in_fk FOREIGN KEY (sign_in_id)
		REFERENCES control.sign_ins (id) ON DELETE CASCADE
);
CREATE INDEX sso_sign_ins_subject_idx ON control.sso_sign_ins (account_id, issuer, subject);
CREATE INDEX sso_sign_ins_sign_in_idx ON control.sso_sign_ins (sign_in_id);

-- What counts once: states of sign-ins, ids of logout tokens.
CREATE TABLE control.sso_spent (
	account_id uuid NOT NULL,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (account_id, hash)
);
CREATE INDEX sso_spent_expires_idx ON control.sso_spent (account_id, expires_at);

SELECT control.protect('control.sso_connections');
SELECT control.protect('control.account_domains');
SELECT control.protect('control.sso_identities');
SELECT control.protect('control.sso_sign_ins');
SELECT control.protect('control.sso_spent');
GRANT SELECT, INSERT, UPDATE, DELETE ON control.sso_connections TO sb_admin;
GRANT SELECT, INSERT, DELETE ON control.account_domains, control.sso_spent TO sb_admin;
GRANT SELECT ON control.sso_identities, control.sso_sign_ins TO sb_admin;
GRANT INSERT ON control.sso_sign_ins TO sb_admin;
