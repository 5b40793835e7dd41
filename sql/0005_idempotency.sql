-- Requests that named an Idempotency-Key, for 24 hours: whoever inserts the row
-- runs the turn, everybody else waits for its answer.  Keys are kept as hashes,
-- of the caller and the key; what was asked, as the hash of path and body.
CREATE TABLE data.idempotency_keys (
	account_id uuid NOT NULL,
	key_hash bytea NOT NULL CHECK (length(key_hash) = 32),
	request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
	turn_id uuid NOT NULL,
	worker_id uuid NOT NULL,		-- who runs it
	answer text,			-- JSON but for its reply, which stands in turns; null: it runs
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, key_hash)
);
-- For the claims of dead workers, and for what is a day old.
CREATE INDEX idempotency_keys_worker_idx ON data.idempotency_keys (worker_id) WHERE answer IS NULL;
CREATE INDEX idempotency_keys_created_idx ON data.idempotency_keys (created_at);

SELECT control.protect('data.idempotency_keys');
SELECT control.protect_for_writer('data.idempotency_keys');
GRANT SELECT, INSERT, UPDATE (request_hash, turn_id, worker_id, answer, created_at)
	ON data.idempotency_keys TO sb_chat;
GRANT SELECT, INSERT, UPDATE (answer), DELETE ON data.idempotency_keys TO sb_writer;

-- Bytes of reply text that were said before each of tool_calls, so that a
-- reader's position in the stream follows from the row; null: no tools.
ALTER TABLE data.turns ADD COLUMN tool_offsets jsonb;
