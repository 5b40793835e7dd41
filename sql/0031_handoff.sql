-- A visitor has asked for a person: since when.  Those sessions are few, and
-- found by an index.
ALTER TABLE data.sessions ADD COLUMN handoff_at timestamptz;
CREATE INDEX sessions_handoff_idx ON data.sessions (account_id, id)
	WHERE handoff_at IS NOT NULL;
GRANT UPDATE (handoff_at) ON data.sessions TO sb_chat;
