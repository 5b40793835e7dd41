-- The control plane: what is configured, and what must be found before an
-- account is known.  Rules: every table with account_id has forced row security
-- (0003), slots are small integers for plain arrays in shared memory.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS control;	-- migrate has made it for its own tables
CREATE SCHEMA data;
CREATE SCHEMA gate;

CREATE SEQUENCE control.account_slot AS integer MINVALUE 1;
CREATE SEQUENCE control.agent_slot AS integer MINVALUE 1;
CREATE SEQUENCE control.user_slot AS integer MINVALUE 1;

-- One row: what belongs to the installation.  config_epoch is the epoch of
-- slot 0, raised when tiers or prices change.
CREATE TABLE control.platform (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	config_epoch bigint NOT NULL DEFAULT 1
);
INSERT INTO control.platform DEFAULT VALUES;

CREATE TABLE control.tiers (
	name text PRIMARY KEY,
	max_agents bigint,		-- null: unlimited
	requests_per_hour bigint,
	created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO control.tiers (name, max_agents, requests_per_hour) VALUES
	('free', 2, 100), ('standard', 10, 1000),
	('premium', 50, 10000), ('enterprise', 200, 100000);

CREATE TABLE control.prices (
	id uuid PRIMARY KEY,
	model text NOT NULL,		-- provider:name; a trailing * is a prefix
	valid_from timestamptz NOT NULL,
	valid_until timestamptz,
	input_usd_per_mtok numeric(14,6) NOT NULL CHECK (input_usd_per_mtok >= 0),
	output_usd_per_mtok numeric(14,6) NOT NULL CHECK (output_usd_per_mtok >= 0),
	cached_usd_per_mtok numeric(14,6) NOT NULL CHECK (cached_usd_per_mtok >= 0),
	cache_write_usd_per_mtok numeric(14,6) NOT NULL CHECK (cache_write_usd_per_mtok >= 0),
	UNIQUE (model, valid_from)
);

CREATE TABLE control.accounts (
	id uuid PRIMARY KEY,
	slot integer NOT NULL UNIQUE DEFAULT nextval('control.account_slot'),
	cluster_id smallint NOT NULL DEFAULT 0,
	slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	tier text NOT NULL REFERENCES control.tiers (name),
	is_active boolean NOT NULL DEFAULT true,
	max_agents bigint CHECK (max_agents >= -1),		-- null: the tier's; -1 unlimited
	requests_per_hour bigint CHECK (requests_per_hour >= -1),
	config_epoch bigint NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE control.agent_instances (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	slot integer NOT NULL UNIQUE DEFAULT nextval('control.agent_slot'),
	agent_type text NOT NULL CHECK (agent_type ~ '^[a-z][a-z0-9_]{0,62}$'),
	instance_name text NOT NULL CHECK (instance_name ~ '^[a-z][a-z0-9_]{0,62}$'),
	display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 200),
	configuration jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(configuration) = 'object'),
	config_version bigint NOT NULL DEFAULT 1,
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'archived')),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	last_used_at timestamptz,
	PRIMARY KEY (account_id, id),
	CONSTRAINT agent_instances_name_key UNIQUE (account_id, agent_type, instance_name),
	CONSTRAINT agent_instances_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id)
);

CREATE TABLE control.agent_config_versions (
	account_id uuid NOT NULL,
	agent_instance_id uuid NOT NULL,
	version bigint NOT NULL,
	configuration jsonb NOT NULL,
	author text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, agent_instance_id, version),
	CONSTRAINT agent_config_versions_agent_fk FOREIGN KEY (account_id, agent_instance_id)
		REFERENCES control.agent_instances (account_id, id)
);

CREATE TABLE control.api_keys (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	prefix text NOT NULL,			-- the first characters, to be shown
	key_hash bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
	role text NOT NULL,
	expires_at timestamptz,
	revoked_at timestamptz,
	last_used_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id),
	CONSTRAINT api_keys_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id)
);

CREATE TABLE control.widget_keys (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	prefix text NOT NULL,
	key_hash bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
	agent_instance_id uuid,			-- null: any agent of the account
	allowed_origins text[] NOT NULL CHECK (cardinality(allowed_origins) BETWEEN 1 AND 100),
	revoked_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id),
	CONSTRAINT widget_keys_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id),
	CONSTRAINT widget_keys_agent_fk FOREIGN KEY (account_id, agent_instance_id)
		REFERENCES control.agent_instances (account_id, id)
);

CREATE TABLE control.users (
	id uuid PRIMARY KEY,
	slot integer NOT NULL UNIQUE DEFAULT nextval('control.user_slot'),
	email text NOT NULL,
	display_name text NOT NULL,
	password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
	is_platform_admin boolean NOT NULL DEFAULT false,
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email_key ON control.users (lower(email));

CREATE TABLE control.memberships (
	account_id uuid NOT NULL,
	user_id uuid NOT NULL,
	role text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, user_id),
	CONSTRAINT memberships_account_fk FOREIGN KEY (account_id) REFERENCES control.accounts (id),
	CONSTRAINT memberships_user_fk FOREIGN KEY (user_id) REFERENCES control.users (id)
);
CREATE INDEX memberships_user_idx ON control.memberships (user_id);

-- Server processes that may own open turns.
CREATE TABLE control.workers (
	id uuid PRIMARY KEY,
	host text NOT NULL,
	kind text NOT NULL,
	started_at timestamptz NOT NULL DEFAULT now(),
	seen_at timestamptz NOT NULL DEFAULT now()
);
