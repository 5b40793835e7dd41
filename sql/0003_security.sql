-- Who may see and do what.  Row security is forced on every table with an
-- account; grants stand on partitioned parents only; what must cross accounts
-- goes through sql/gate.  Roles are made by `switchboard init` (db/bootstrap.c).

--
-- Row security
--

-- Force it on ${t}: the running roles see the account of their transaction, the
-- owner (migrations, inspection) all.  sb_writer is not among them: see below.
CREATE FUNCTION control.protect(t regclass, account_column name DEFAULT 'account_id')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	own text := format('%I = nullif(current_setting(''app.account_id'', true), '''')::uuid',
		account_column);
BEGIN
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
	EXECUTE format('CREATE POLICY tenant ON %s TO sb_chat, sb_admin, sb_job'
		' USING (%s) WITH CHECK (%s)', t, own, own);
	EXECUTE format('CREATE POLICY owner ON %s TO sb_owner USING (true) WITH CHECK (true)', t);
END $$;

-- The writer's transactions carry rows of many accounts.  The sub-select makes
-- the list once a statement instead of once a row.
CREATE FUNCTION control.protect_for_writer(t regclass)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	listed text := 'account_id = any(coalesce((select nullif('
		'current_setting(''app.account_ids'', true), '''')::uuid[]), ''{}''))';
BEGIN
	EXECUTE format('CREATE POLICY writer ON %s TO sb_writer USING (%s) WITH CHECK (%s)',
		t, listed, listed);
END $$;

-- sb_gate sees every row of the tables that a gate file says it needs and that
-- were granted to it for that; migrate calls this after those grants.
CREATE FUNCTION control.protect_for_gate()
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	r record;
BEGIN
	FOR r IN
		SELECT c.oid::regclass AS t, has_any_column_privilege('sb_gate', c.oid,
			'SELECT, INSERT, UPDATE') OR has_table_privilege('sb_gate', c.oid,
			'DELETE') AS needed, p.oid IS NOT NULL AS there
		FROM pg_class c
		LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'gate'
		WHERE c.relnamespace IN ('control'::regnamespace, 'data'::regnamespace)
			AND c.relrowsecurity AND NOT c.relispartition
		ORDER BY c.oid
	LOOP
		IF r.needed AND NOT r.there THEN
			EXECUTE format('CREATE POLICY gate ON %s TO sb_gate'
				' USING (true) WITH CHECK (true)', r.t);
		ELSIF r.there AND NOT r.needed THEN
			EXECUTE format('DROP POLICY gate ON %s', r.t);
		END IF;
	END LOOP;
END $$;

SELECT control.protect('control.accounts', 'id');
SELECT control.protect('control.agent_instances');
SELECT control.protect('control.agent_config_versions');
SELECT control.protect('control.api_keys');
SELECT control.protect('control.widget_keys');
SELECT control.protect('control.memberships');
SELECT control.protect('data.sessions');
SELECT control.protect('data.session_names');
SELECT control.protect('data.turns');
SELECT control.protect('data.turns_open');
SELECT control.protect('data.feedback');
SELECT control.protect('data.usage_rollups');
SELECT control.protect('data.products');
SELECT control.protect('data.documents');
SELECT control.protect('data.chunks');

SELECT control.protect_for_writer('data.sessions');
SELECT control.protect_for_writer('data.turns');
SELECT control.protect_for_writer('data.turns_open');
SELECT control.protect_for_writer('data.usage_rollups');

--
-- Grants.  Columns are named where a role may not choose them all: nobody
-- changes an account_id, an epoch or a slot, nobody reads a hash.
--

GRANT USAGE ON SCHEMA control, data, gate TO sb_chat, sb_admin, sb_writer, sb_job, sb_gate;
GRANT SELECT ON control.schema_migrations TO sb_chat, sb_admin, sb_writer, sb_job;

GRANT EXECUTE ON FUNCTION data.hist_add(bigint[], bigint[]) TO sb_writer, sb_admin, sb_gate;
GRANT EXECUTE ON FUNCTION data.hist_sum(bigint[]) TO sb_admin, sb_gate;
GRANT EXECUTE ON FUNCTION data.uuid_floor(timestamptz) TO sb_chat, sb_admin, sb_gate;

-- chat
GRANT SELECT ON control.platform, control.tiers, control.accounts, control.agent_instances
	TO sb_chat;
GRANT SELECT ON data.sessions, data.session_names, data.turns, data.turns_open,
	data.feedback, data.products, data.documents, data.chunks TO sb_chat;
GRANT INSERT, UPDATE (session_id) ON data.session_names TO sb_chat;
GRANT INSERT, UPDATE (rating, comment, created_at) ON data.feedback TO sb_chat;

-- administration: pages, management API, CLI
GRANT SELECT ON control.platform, control.workers TO sb_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON control.tiers, control.prices TO sb_admin;
GRANT SELECT,
	INSERT (id, cluster_id, slug, name, tier, is_active, max_agents, requests_per_hour,
		created_at, updated_at),
	UPDATE (name, tier, is_active, max_agents, requests_per_hour, updated_at)
	ON control.accounts TO sb_admin;
GRANT SELECT,
	INSERT (account_id, id, agent_type, instance_name, display_name, configuration,
		config_version, status, created_at, updated_at, last_used_at),
	UPDATE (display_name, configuration, config_version, status, updated_at, last_used_at)
	ON control.agent_instances TO sb_admin;
GRANT SELECT, INSERT ON control.agent_config_versions TO sb_admin;
GRANT INSERT, SELECT (account_id, id, name, prefix, role, expires_at, revoked_at,
		last_used_at, created_at),
	UPDATE (name, role, expires_at, revoked_at, last_used_at)
	ON control.api_keys TO sb_admin;
GRANT INSERT, SELECT (account_id, id, name, prefix, agent_instance_id, allowed_origins,
		revoked_at, created_at),
	UPDATE (name, agent_instance_id, allowed_origins, revoked_at)
	ON control.widget_keys TO sb_admin;
-- People belong to no account; who may manage them is decided above the SQL.
GRANT SELECT (id, slot, email, display_name, is_platform_admin, is_active, created_at,
		updated_at),
	INSERT (id, email, display_name, password_hash, is_platform_admin, is_active,
		created_at, updated_at),
	UPDATE (email, display_name, password_hash, is_platform_admin, is_active, updated_at)
	ON control.users TO sb_admin;
GRANT SELECT, INSERT, UPDATE (role), DELETE ON control.memberships TO sb_admin;
GRANT USAGE ON SEQUENCE control.account_slot, control.agent_slot, control.user_slot TO sb_admin;
GRANT SELECT ON data.sessions, data.session_names, data.turns, data.turns_open,
	data.feedback, data.usage_rollups TO sb_admin;
GRANT SELECT, INSERT, DELETE ON data.products, data.documents, data.chunks TO sb_admin;
GRANT UPDATE (agent_instance_id, sku, name, description, price_text, url)
	ON data.products TO sb_admin;
GRANT UPDATE (agent_instance_id, title, url) ON data.documents TO sb_admin;
GRANT UPDATE (position, title, body) ON data.chunks TO sb_admin;

-- the writer
GRANT SELECT, INSERT, UPDATE ON data.sessions, data.usage_rollups TO sb_writer;
GRANT INSERT ON data.turns, data.writer_batches TO sb_writer;
GRANT SELECT, INSERT, DELETE ON data.turns_open TO sb_writer;

--
-- max_agents, exact under concurrency: whoever adds an instance holds the
-- account's row until the end of its transaction.
--

CREATE FUNCTION control.agents_within_limit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	most bigint;
	present bigint;
BEGIN
	IF NEW.status = 'archived' OR (TG_OP = 'UPDATE' AND OLD.status <> 'archived') THEN
		RETURN NEW;
	END IF;
	SELECT coalesce(a.max_agents, t.max_agents, -1) INTO most
	FROM accounts a JOIN tiers t ON t.name = a.tier
	WHERE a.id = NEW.account_id FOR NO KEY UPDATE OF a;
	-- no such account: the foreign key says so
	IF most >= 0 THEN
		SELECT count(*) INTO present FROM agent_instances
		WHERE account_id = NEW.account_id AND status <> 'archived' AND id <> NEW.id;
		IF present >= most THEN
			RAISE EXCEPTION 'the account has % of at most % agent instances', present, most
				USING ERRCODE = 'SB429', HINT = 'Archive one, or raise max_agents.';
		END IF;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER agents_within_limit BEFORE INSERT OR UPDATE OF status
	ON control.agent_instances FOR EACH ROW EXECUTE FUNCTION control.agents_within_limit();

--
-- Configuration epochs: what a cached entry is compared with.  NOTIFY sb_config
-- carries "slot epoch"; slot 0 is the platform.
--

CREATE FUNCTION control.account_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM pg_notify('sb_config', OLD.slot || ' ' || OLD.config_epoch + 1);
		RETURN OLD;
	END IF;
	IF TG_OP = 'UPDATE' THEN
		NEW.config_epoch := OLD.config_epoch + 1;
	END IF;
	PERFORM pg_notify('sb_config', NEW.slot || ' ' || NEW.config_epoch);
	RETURN NEW;
END $$;
CREATE TRIGGER config_epoch
	BEFORE INSERT OR DELETE OR UPDATE OF slug, name, tier, is_active, max_agents, requests_per_hour
	ON control.accounts FOR EACH ROW EXECUTE FUNCTION control.account_changed();

CREATE FUNCTION control.part_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	whose uuid;
	news text;
BEGIN
	IF TG_OP = 'DELETE' THEN
		whose := OLD.account_id;
	ELSE
		whose := NEW.account_id;
	END IF;
	UPDATE accounts SET config_epoch = config_epoch + 1 WHERE id = whose
	RETURNING slot || ' ' || config_epoch INTO news;
	IF FOUND THEN
		PERFORM pg_notify('sb_config', news);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER config_epoch
	AFTER INSERT OR DELETE OR UPDATE OF agent_type, instance_name, display_name, configuration,
		config_version, status
	ON control.agent_instances FOR EACH ROW EXECUTE FUNCTION control.part_changed();
CREATE TRIGGER config_epoch
	AFTER INSERT OR DELETE OR UPDATE OF name, key_hash, role, expires_at, revoked_at
	ON control.api_keys FOR EACH ROW EXECUTE FUNCTION control.part_changed();
CREATE TRIGGER config_epoch
	AFTER INSERT OR DELETE OR UPDATE OF name, key_hash, agent_instance_id, allowed_origins, revoked_at
	ON control.widget_keys FOR EACH ROW EXECUTE FUNCTION control.part_changed();

CREATE FUNCTION control.platform_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	epoch bigint;
BEGIN
	UPDATE platform SET config_epoch = config_epoch + 1 RETURNING config_epoch INTO epoch;
	PERFORM pg_notify('sb_config', '0 ' || epoch);
	RETURN NULL;
END $$;
CREATE TRIGGER config_epoch AFTER INSERT OR DELETE OR UPDATE ON control.tiers
	FOR EACH STATEMENT EXECUTE FUNCTION control.platform_changed();
CREATE TRIGGER config_epoch AFTER INSERT OR DELETE OR UPDATE ON control.prices
	FOR EACH STATEMENT EXECUTE FUNCTION control.platform_changed();
