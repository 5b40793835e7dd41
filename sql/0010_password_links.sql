-- Links in mails by which a person chooses a password: single use, minutes, and
-- only the newest of a person.  Only a hash of what stands in them is kept.
CREATE TABLE control.password_links (
	token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
	user_id uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	CONSTRAINT password_links_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
CREATE INDEX password_links_user_idx ON control.password_links (user_id, created_at);

-- False: nobody knows the password; who was invited has not chosen one yet.
ALTER TABLE control.users ADD COLUMN has_password boolean NOT NULL DEFAULT true;
CREATE FUNCTION control.password_chosen() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.has_password := true;
	RETURN NEW;
END $$;
CREATE TRIGGER password_chosen BEFORE UPDATE OF password_hash ON control.users
	FOR EACH ROW WHEN (NEW.password_hash <> OLD.password_hash)
	EXECUTE FUNCTION control.password_chosen();
