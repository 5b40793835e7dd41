-- Budgets: how much an account, one of its agents or one of its keys may use in
-- a day or a month (UTC), in money or tokens.  Amounts are 1e-9 USD or tokens.
CREATE SEQUENCE control.budget_slot AS integer MINVALUE 1;
CREATE TABLE control.budgets (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	slot integer NOT NULL UNIQUE DEFAULT nextval('control.budget_slot'),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	scope text NOT NULL CHECK (scope IN ('account', 'agent', 'key')),
	subject_id uuid,			-- the agent; the key or person that asks
	period text NOT NULL CHECK (period IN ('day', 'month')),
	unit text NOT NULL CHECK (unit IN ('usd', 'tokens')),
	amount bigint NOT NULL CHECK (amount > 0),
	soft_percent smallint CHECK (soft_percent BETWEEN 1 AND 100),	-- null: no alert
	hard boolean NOT NULL,			-- refuse what would exceed it
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused')),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (account_id, id),
	CONSTRAINT budgets_account_fk FOREIGN KEY (account_id)
		REFERENCES control.accounts (id),
	CONSTRAINT budgets_subject_check CHECK ((scope = 'account') = (subject_id IS NULL))
);
SELECT control.protect('control.budgets');
GRANT SELECT, INSERT, UPDATE (name, amount, soft_percent, hard, status), DELETE
	ON control.budgets TO sb_admin;
GRANT USAGE ON SEQUENCE control.budget_slot TO sb_admin;
CREATE TRIGGER config_epoch
	AFTER INSERT OR DELETE OR UPDATE OF name, amount, soft_percent, hard, status
	ON control.budgets FOR EACH ROW EXECUTE FUNCTION control.part_changed();

-- What was spent of a budget in a period, by all hosts.
CREATE TABLE control.budget_periods (
	account_id uuid NOT NULL,
	budget_id uuid NOT NULL,
	starts_at timestamptz NOT NULL,
	spent bigint NOT NULL DEFAULT 0,
	unpriced bigint NOT NULL DEFAULT 0,	-- answers without a known price
	alerted_at timestamptz,
	PRIMARY KEY (account_id, budget_id, starts_at),
	CONSTRAINT budget_periods_budget_fk FOREIGN KEY (account_id, budget_id)
		REFERENCES control.budgets (account_id, id) ON DELETE CASCADE
);
SELECT control.protect('control.budget_periods');
GRANT SELECT, INSERT ON control.budget_periods TO sb_admin;

-- What a host holds of it: granted - settled - returned is what it may still
-- use.  All but reserved only grow, so that telling them twice does no harm.
CREATE TABLE control.budget_leases (
	account_id uuid NOT NULL,
	budget_id uuid NOT NULL,
	starts_at timestamptz NOT NULL,
	run uuid NOT NULL,
	granted bigint NOT NULL DEFAULT 0,
	settled bigint NOT NULL DEFAULT 0,
	returned bigint NOT NULL DEFAULT 0,
	unpriced bigint NOT NULL DEFAULT 0,
	reserved bigint NOT NULL DEFAULT 0,	-- by turns that run
	PRIMARY KEY (account_id, budget_id, starts_at, run),
	CONSTRAINT budget_leases_period_fk FOREIGN KEY (account_id, budget_id, starts_at)
		REFERENCES control.budget_periods (account_id, budget_id, starts_at) ON DELETE CASCADE
);
SELECT control.protect('control.budget_leases');
GRANT SELECT ON control.budget_leases TO sb_admin;

-- The servers that may hold leases: from a start to its end.  One of a place
-- ends the one before.
CREATE TABLE control.budget_runs (
	run uuid PRIMARY KEY,
	place text NOT NULL,
	seen_at timestamptz NOT NULL DEFAULT now()
);
