-- What was changed, by whom, from where: append-only, a chain for each account
-- and one for the platform itself, which has the nil UUID.  No running role
-- writes here: gate.audit_append does, in the transaction of the change.

-- Ids and moments of a chain never go back, so that its order by id is its
-- order by seq, and retention takes its beginning only.
CREATE TABLE data.audit_log (
	account_id uuid NOT NULL,
	id uuid NOT NULL,		-- UUIDv7; its last 62 bits are seq
	seq bigint NOT NULL CHECK (seq > 0),
	at timestamptz NOT NULL,
	action text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
	actor_kind text NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'cli', 'system')),
	actor_id text CHECK (length(actor_id) <= 400),
	actor_name text CHECK (length(actor_name) <= 400),
	address text CHECK (length(address) <= 400),
	request_id text CHECK (length(request_id) <= 400),
	object_kind text CHECK (length(object_kind) <= 400),
	object_id text CHECK (length(object_id) <= 400),
	before json,			-- json keeps the text that was hashed
	after json,
	previous bytea NOT NULL CHECK (length(previous) = 32),
	hash bytea NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (account_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX audit_log_seq_idx ON data.audit_log (account_id, seq);

-- Where each chain ends.  Whoever appends holds its row.
CREATE TABLE data.audit_heads (
	account_id uuid PRIMARY KEY,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	hash bytea NOT NULL CHECK (length(hash) = 32)
);

-- Signed words that a chain had this hash at that place.
CREATE TABLE data.audit_checkpoints (
	account_id uuid NOT NULL,
	seq bigint NOT NULL CHECK (seq > 0),
	at timestamptz NOT NULL,
	hash bytea NOT NULL CHECK (length(hash) = 32),
	key_id uuid NOT NULL,
	signature bytea NOT NULL CHECK (length(signature) = 64),
	PRIMARY KEY (account_id, seq)
);

-- The installation's signing keys (Ed25519), the newest in use; the private
-- part is sealed.
CREATE TABLE control.audit_keys (
	id uuid PRIMARY KEY,
	public_key bytea NOT NULL CHECK (length(public_key) = 32),
	sealed bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);

-- A field as it is hashed: its length in bytes, then its text; null is all ones.
CREATE FUNCTION data.audit_field(t text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN t IS NULL THEN '\xffffffff'::bytea
	ELSE int4send(octet_length(t)) || convert_to(t, 'UTF8') END;

-- The hash of an entry: over that of the one before, whose chain it is, and all
-- that it says.  src/audit/chain.c computes the same.
CREATE FUNCTION data.audit_hash(e data.audit_log) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to('sb-audit', 'UTF8') || (e).previous ||
	uuid_send((e).account_id) || uuid_send((e).id) || int8send((e).seq) ||
	int8send((extract(epoch FROM (e).at) * 1000000)::bigint) ||
	data.audit_field((e).action) || data.audit_field((e).actor_kind) ||
	data.audit_field((e).actor_id) || data.audit_field((e).actor_name) ||
	data.audit_field((e).address) || data.audit_field((e).request_id) ||
	data.audit_field((e).object_kind) || data.audit_field((e).object_id) ||
	data.audit_field((e).before::text) || data.audit_field((e).after::text));

SELECT control.protect('data.audit_log');
SELECT control.protect('data.audit_heads');
SELECT control.protect('data.audit_checkpoints');
GRANT SELECT ON data.audit_log, data.audit_heads TO sb_admin;
GRANT SELECT ON data.audit_heads TO sb_job;
GRANT SELECT, INSERT ON data.audit_checkpoints, control.audit_keys TO sb_admin, sb_job;
GRANT EXECUTE ON FUNCTION data.audit_field(text), data.audit_hash(data.audit_log) TO sb_gate;
