-- The data plane: what happens.  account_id first in every key, nothing unique
-- without it, composite named foreign keys that never cross into the control
-- plane, growing tables partitioned by time through their UUIDv7 ids (usage
-- roll-ups by their bucket).

CREATE TABLE data.sessions (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	session_key text NOT NULL CHECK (length(session_key) BETWEEN 1 AND 128),
	widget_key_id uuid,			-- made for this widget key; null: an API caller's
	email text,
	is_anonymous boolean NOT NULL,
	created_at timestamptz NOT NULL,
	last_activity_at timestamptz NOT NULL,
	PRIMARY KEY (account_id, id)
) PARTITION BY RANGE (id);

-- Names that API callers gave: which session a name means now.  A unique key
-- must contain the partition key, hence a table of its own.  A name is claimed
-- before its session is written, hence no foreign key.
CREATE TABLE data.session_names (
	account_id uuid NOT NULL,
	session_key text NOT NULL CHECK (length(session_key) BETWEEN 1 AND 128),
	session_id uuid NOT NULL,
	PRIMARY KEY (account_id, session_key)
);

-- One wide, append-only row per finished turn.
CREATE TABLE data.turns (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	session_id uuid NOT NULL,
	agent_instance_id uuid NOT NULL,
	agent_type text NOT NULL,
	instance_name text NOT NULL,
	config_version bigint NOT NULL,
	api_key_id uuid,
	widget_key_id uuid,
	request_id text NOT NULL,
	trace_id text NOT NULL,
	channel text NOT NULL,			-- chat, stream
	status text NOT NULL CHECK (status IN ('completed', 'failed', 'cancelled')),
	finish_reason text NOT NULL,
	error_kind text,
	user_text text NOT NULL,
	reply_text text NOT NULL,
	model text,
	input_tokens bigint NOT NULL,
	output_tokens bigint NOT NULL,
	cached_input_tokens bigint NOT NULL,
	cache_write_tokens bigint NOT NULL,
	reasoning_tokens bigint NOT NULL,
	usage_estimated boolean NOT NULL,
	cost_usd numeric(18,9),			-- null: no price known
	attempts integer NOT NULL,
	latency_ms integer NOT NULL,
	first_token_ms integer,
	tool_calls jsonb NOT NULL,
	citations jsonb NOT NULL,
	metadata jsonb,
	started_at timestamptz NOT NULL,
	finished_at timestamptz NOT NULL,
	PRIMARY KEY (account_id, id),
	CONSTRAINT turns_session_fk FOREIGN KEY (account_id, session_id)
		REFERENCES data.sessions (account_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX turns_session_idx ON data.turns (account_id, session_id, id);

-- Turns that run and have been written down: small, unpartitioned.
CREATE TABLE data.turns_open (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	session_id uuid NOT NULL,
	agent_instance_id uuid NOT NULL,
	agent_type text NOT NULL,
	instance_name text NOT NULL,
	config_version bigint NOT NULL,
	api_key_id uuid,
	widget_key_id uuid,
	request_id text NOT NULL,
	trace_id text NOT NULL,
	channel text NOT NULL,
	user_text text NOT NULL,
	model text,
	metadata jsonb,
	started_at timestamptz NOT NULL,
	worker_id uuid NOT NULL,
	PRIMARY KEY (account_id, id),
	CONSTRAINT turns_open_session_fk FOREIGN KEY (account_id, session_id)
		REFERENCES data.sessions (account_id, id)
);
CREATE INDEX turns_open_worker_idx ON data.turns_open (worker_id);

CREATE TABLE data.feedback (
	account_id uuid NOT NULL,
	turn_id uuid NOT NULL,
	rating smallint NOT NULL CHECK (rating IN (-1, 1)),
	comment text CHECK (length(comment) <= 4000),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, turn_id),
	CONSTRAINT feedback_turn_fk FOREIGN KEY (account_id, turn_id)
		REFERENCES data.turns (account_id, id)
);

-- 5-minute, hour and day sums.  latency_hist counts answers by latency: up to
-- 50, 100, 200, 500 ms, 1, 2, 5, 10, 30, 60 s, and above.
CREATE TABLE data.usage_rollups (
	account_id uuid NOT NULL,
	agent_instance_id uuid NOT NULL,
	model text NOT NULL,			-- '' where none answered
	grain smallint NOT NULL CHECK (grain IN (5, 60, 1440)),	-- minutes
	bucket timestamptz NOT NULL,
	requests bigint NOT NULL,
	failed bigint NOT NULL,
	cancelled bigint NOT NULL,
	input_tokens bigint NOT NULL,
	output_tokens bigint NOT NULL,
	cached_input_tokens bigint NOT NULL,
	reasoning_tokens bigint NOT NULL,
	cost_nano_usd bigint NOT NULL,		-- 1e-9 USD, so that sums are exact
	unpriced bigint NOT NULL,		-- answers without a known price
	latency_ms_sum bigint NOT NULL,
	latency_ms_max bigint NOT NULL,
	latency_hist bigint[] NOT NULL CHECK (cardinality(latency_hist) = 11),
	PRIMARY KEY (account_id, agent_instance_id, model, grain, bucket)
) PARTITION BY RANGE (bucket);
-- For the timer that sums all accounts.
CREATE INDEX usage_rollups_bucket_idx ON data.usage_rollups (grain, bucket);

-- Spelled out, so that it is inlined where rows are upserted.
CREATE FUNCTION data.hist_add(a bigint[], b bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY[a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5],
	a[6] + b[6], a[7] + b[7], a[8] + b[8], a[9] + b[9], a[10] + b[10],
	a[11] + b[11]];

CREATE AGGREGATE data.hist_sum(bigint[]) (
	SFUNC = data.hist_add, STYPE = bigint[],
	INITCOND = '{0,0,0,0,0,0,0,0,0,0,0}', PARALLEL = SAFE);

-- No UUIDv7 of this moment or later lies below it.
CREATE FUNCTION data.uuid_floor(t timestamptz) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (lpad(to_hex(floor(extract(epoch FROM t) * 1000)::bigint), 12, '0') ||
	'00000000000000000000')::uuid;

CREATE TABLE data.writer_batches (
	id uuid PRIMARY KEY,
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE data.products (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	agent_instance_id uuid,			-- null: for every agent of the account
	sku text,
	name text NOT NULL,
	description text NOT NULL,
	price_text text,
	url text,
	search tsvector GENERATED ALWAYS AS (
		setweight(to_tsvector('english', name), 'A') ||
		setweight(to_tsvector('english', coalesce(sku, '')), 'A') ||
		setweight(to_tsvector('english', description), 'B')) STORED,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id)
);
CREATE INDEX products_search_idx ON data.products USING gin (search);

CREATE TABLE data.documents (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	agent_instance_id uuid,
	title text NOT NULL,
	url text,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id)
);

CREATE TABLE data.chunks (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	document_id uuid NOT NULL,
	position integer NOT NULL,
	title text NOT NULL,			-- the document's, so that search reads one table
	body text NOT NULL,
	search tsvector GENERATED ALWAYS AS (
		setweight(to_tsvector('english', title), 'A') ||
		setweight(to_tsvector('english', body), 'B')) STORED,
	PRIMARY KEY (account_id, id),
	CONSTRAINT chunks_document_fk FOREIGN KEY (account_id, document_id)
		REFERENCES data.documents (account_id, id) ON DELETE CASCADE
);
CREATE INDEX chunks_search_idx ON data.chunks USING gin (search);
