-- How the chat of a widget key looks on its pages: told with each widget token,
-- so that a change needs no change of the page.
ALTER TABLE control.widget_keys ADD COLUMN appearance jsonb NOT NULL DEFAULT '{}'
	CONSTRAINT widget_keys_appearance_check
	CHECK (jsonb_typeof(appearance) = 'object' AND length(appearance::text) <= 8192);
GRANT SELECT (appearance), UPDATE (appearance) ON control.widget_keys TO sb_admin;

DROP TRIGGER config_epoch ON control.widget_keys;
CREATE TRIGGER config_epoch
	AFTER INSERT OR DELETE OR UPDATE OF name, key_hash, agent_instance_id, allowed_origins,
		appearance, revoked_at
	ON control.widget_keys FOR EACH ROW EXECUTE FUNCTION control.part_changed();
