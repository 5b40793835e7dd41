-- When a widget key was last used, as api_keys have it: told by workers at most
-- once a minute, and no change of configuration.
ALTER TABLE control.widget_keys ADD COLUMN last_used_at timestamptz;
GRANT SELECT (last_used_at) ON control.widget_keys TO sb_admin;
