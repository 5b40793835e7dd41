-- How new what an account knows is (products, documents and their chunks), apart
-- from how new its configuration is: an ingest must not make every cached agent
-- of the account old.  A table of its own, so that a long ingest holds no lock
-- on the account's row.
CREATE TABLE control.knowledge_epochs (
	account_id uuid PRIMARY KEY,
	epoch bigint NOT NULL DEFAULT 1
);
SELECT control.protect('control.knowledge_epochs');

-- The accounts' knowledge has changed.  NOTIFY sb_config carries "kSLOT EPOCH".
-- The one place where the data plane tells the control plane: with accounts on
-- several clusters the triggers below call over to it.
CREATE FUNCTION control.knowledge_changed(changed uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	news text;
BEGIN
	FOR news IN
		WITH raised AS (
			INSERT INTO knowledge_epochs AS k (account_id)
			SELECT DISTINCT c FROM unnest(changed) c ORDER BY 1
			ON CONFLICT (account_id) DO UPDATE SET epoch = k.epoch + 1
			RETURNING account_id, epoch)
		SELECT 'k' || a.slot || ' ' || r.epoch
		FROM raised r JOIN accounts a ON a.id = r.account_id
	LOOP
		PERFORM pg_notify('sb_config', news);
	END LOOP;
END $$;
REVOKE ALL ON FUNCTION control.knowledge_changed(uuid[]) FROM PUBLIC;

-- Once a statement, whatever the number of rows.
CREATE FUNCTION data.knowledge_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = data, pg_temp AS $$
BEGIN
	PERFORM control.knowledge_changed(ARRAY(SELECT DISTINCT account_id FROM changed));
	RETURN NULL;
END $$;

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['products', 'documents', 'chunks'] LOOP
		EXECUTE format('CREATE TRIGGER knowledge_more AFTER INSERT ON data.%I'
			' REFERENCING NEW TABLE AS changed'
			' FOR EACH STATEMENT EXECUTE FUNCTION data.knowledge_changed()', t);
		EXECUTE format('CREATE TRIGGER knowledge_other AFTER UPDATE ON data.%I'
			' REFERENCING NEW TABLE AS changed'
			' FOR EACH STATEMENT EXECUTE FUNCTION data.knowledge_changed()', t);
		EXECUTE format('CREATE TRIGGER knowledge_less AFTER DELETE ON data.%I'
			' REFERENCING OLD TABLE AS changed'
			' FOR EACH STATEMENT EXECUTE FUNCTION data.knowledge_changed()', t);
	END LOOP;
END $$;

-- Notices say when the change was made, in microseconds since 1970: "SLOT EPOCH
-- MICROSECONDS".  Who reads the first two only goes on as before.
CREATE FUNCTION control.news(slot integer, epoch bigint) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT slot || ' ' || epoch || ' ' ||
		(extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$;

-- An account that is gone is no more found by its slug once the platform's epoch
-- has moved, also by who missed the notice.
CREATE OR REPLACE FUNCTION control.account_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	epoch bigint;
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM pg_notify('sb_config', control.news(OLD.slot, OLD.config_epoch + 1));
		UPDATE platform SET config_epoch = config_epoch + 1 RETURNING config_epoch INTO epoch;
		PERFORM pg_notify('sb_config', control.news(0, epoch));
		RETURN OLD;
	END IF;
	IF TG_OP = 'UPDATE' THEN
		NEW.config_epoch := OLD.config_epoch + 1;
	END IF;
	PERFORM pg_notify('sb_config', control.news(NEW.slot, NEW.config_epoch));
	RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION control.part_changed() RETURNS trigger
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
	RETURNING control.news(slot, config_epoch) INTO news;
	IF FOUND THEN
		PERFORM pg_notify('sb_config', news);
	END IF;
	RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION control.platform_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	epoch bigint;
BEGIN
	UPDATE platform SET config_epoch = config_epoch + 1 RETURNING config_epoch INTO epoch;
	PERFORM pg_notify('sb_config', control.news(0, epoch));
	RETURN NULL;
END $$;
