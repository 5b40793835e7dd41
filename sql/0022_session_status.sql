-- Sessions by how their last turn ended: those that did not end well are few,
-- and are found without a look at all the others.  Nothing is written for the
-- usual turn.
CREATE INDEX turns_unusual_idx ON data.turns (account_id, status, session_id)
	WHERE status <> 'completed';
CREATE INDEX turns_open_session_idx ON data.turns_open (account_id, session_id);
