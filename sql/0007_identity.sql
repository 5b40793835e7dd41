-- Who signs in.  A sign-in is one device's chain of refresh tokens; access
-- tokens are not stored.  They end all at once, on the next request, when
-- their person's token_version moves: by a new password, another role, a
-- sign-out, a disabled person, a refresh token used twice.
ALTER TABLE control.users
	ADD COLUMN token_version bigint NOT NULL DEFAULT 1,
	ADD COLUMN last_sign_in_at timestamptz;

-- Who issues access tokens.
ALTER TABLE control.platform
	ADD COLUMN installation_id uuid NOT NULL DEFAULT gen_random_uuid();

-- Names of the keys that sign access tokens; the keys themselves derive from
-- the master key.  The newest signs, the others are good until retired_at.
CREATE TABLE control.signing_keys (
	kid text PRIMARY KEY CHECK (kid ~ '^[0-9a-f]{32}$'),
	created_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz
);
INSERT INTO control.signing_keys (kid) VALUES (replace(gen_random_uuid()::text, '-', ''));
CREATE TRIGGER config_epoch AFTER INSERT OR DELETE OR UPDATE ON control.signing_keys
	FOR EACH STATEMENT EXECUTE FUNCTION control.platform_changed();

CREATE TABLE control.sign_ins (
	id uuid PRIMARY KEY,
	user_id uuid NOT NULL,
	address text NOT NULL,
	user_agent text NOT NULL CHECK (length(user_agent) <= 300),
	created_at timestamptz NOT NULL DEFAULT now(),
	last_used_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	ended_at timestamptz,
	end_reason text CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
	CONSTRAINT sign_ins_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
CREATE INDEX sign_ins_user_idx ON control.sign_ins (user_id, id);
CREATE INDEX sign_ins_expires_idx ON control.sign_ins (expires_at);

-- Used ones stay as long as their sign-in: one that comes again was stolen.
CREATE TABLE control.refresh_tokens (
	token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
	sign_in_id uuid NOT NULL,
	issued_at timestamptz NOT NULL DEFAULT now(),
	used_at timestamptz,
	CONSTRAINT refresh_tokens_sign_in_fk FOREIGN KEY (sign_in_id)
		REFERENCES control.sign_ins (id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_sign_in_idx ON control.refresh_tokens (sign_in_id);

-- NOTIFY sb_config "uSLOT VERSION".  A new password and a disabled person end
-- the sign-ins too.
CREATE FUNCTION control.user_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	NEW.token_version := greatest(NEW.token_version, OLD.token_version + 1);
	IF NEW.password_hash <> OLD.password_hash OR NOT NEW.is_active THEN
		UPDATE sign_ins SET ended_at = now(), end_reason =
			CASE WHEN NEW.is_active THEN 'new password' ELSE 'disabled' END
		WHERE user_id = NEW.id AND ended_at IS NULL;
	END IF;
	PERFORM pg_notify('sb_config', 'u' || NEW.slot || ' ' || NEW.token_version);
	RETURN NEW;
END $$;
CREATE TRIGGER token_version
	BEFORE UPDATE OF email, password_hash, is_platform_admin, is_active, token_version
	ON control.users FOR EACH ROW EXECUTE FUNCTION control.user_changed();

CREATE FUNCTION control.membership_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	UPDATE users SET token_version = token_version + 1
	WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.user_id ELSE NEW.user_id END;
	RETURN NULL;
END $$;
CREATE TRIGGER token_version AFTER INSERT OR DELETE OR UPDATE OF role
	ON control.memberships FOR EACH ROW EXECUTE FUNCTION control.membership_changed();

GRANT SELECT (token_version, last_sign_in_at), UPDATE (token_version) ON control.users TO sb_admin;
GRANT SELECT ON control.signing_keys TO sb_chat, sb_admin;
GRANT INSERT (kid), UPDATE (retired_at) ON control.signing_keys TO sb_admin;
