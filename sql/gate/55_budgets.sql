-- Budgets: hosts take slices of what is left, and tell what they used of them.
-- needs: SELECT ON control.budgets
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.budget_periods
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.budget_leases
-- needs: SELECT, INSERT, UPDATE, DELETE ON control.budget_runs
-- needs: SELECT ON data.usage_rollups
-- needs: SELECT ON data.usage_by_caller

-- What the roll-ups know of ${p_subject} (of the account: null) since then: in
-- 1e-9 USD or tokens, and how many answers had no price.  Days that are summed
-- for sure, and five minutes after them.
CREATE OR REPLACE FUNCTION gate.budget_used(p_account uuid, p_scope text, p_subject uuid,
	p_unit text, p_since timestamptz)
RETURNS TABLE (used bigint, unpriced bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = control, data, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
	fine timestamptz := greatest(p_since,
		date_trunc('day', now(), 'UTC') - interval '3 days');
BEGIN
	IF p_scope = 'key' THEN
		RETURN QUERY SELECT coalesce(sum(CASE p_unit WHEN 'usd' THEN r.cost_nano_usd
				ELSE r.input_tokens + r.output_tokens END), 0)::bigint,
			coalesce(sum(r.unpriced), 0)::bigint
		FROM usage_by_caller r
		WHERE r.account_id = p_account AND r.caller_id = p_subject
			AND (r.grain = 5 AND r.bucket >= fine
				OR r.grain = 1440 AND r.bucket >= p_since AND r.bucket < fine);
	ELSE
		RETURN QUERY SELECT coalesce(sum(CASE p_unit WHEN 'usd' THEN r.cost_nano_usd
				ELSE r.input_tokens + r.output_tokens END), 0)::bigint,
			coalesce(sum(r.unpriced), 0)::bigint
		FROM usage_rollups r
		WHERE r.account_id = p_account
			AND (p_scope = 'account' OR r.agent_instance_id = p_subject)
			AND (r.grain = 5 AND r.bucket >= fine
				OR r.grain = 1440 AND r.bucket >= p_since AND r.bucket < fine);
	END IF;
END $$;
REVOKE ALL ON FUNCTION gate.budget_used(uuid, text, uuid, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.budget_used(uuid, text, uuid, text, timestamptz)
	TO sb_chat, sb_admin, sb_job;

-- A server is there; how many are, this one too.  The one that was in its place
-- before is not.
CREATE OR REPLACE FUNCTION gate.budget_run_seen(p_run uuid, p_place text)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
BEGIN
	DELETE FROM budget_runs WHERE run <> p_run
		AND (place = p_place OR seen_at < now() - interval '1 hour');
	INSERT INTO budget_runs (run, place) VALUES (p_run, p_place)
	ON CONFLICT (run) DO UPDATE SET seen_at = now();
	RETURN (SELECT count(*) FROM budget_runs WHERE seen_at >= now() - interval '30 seconds');
END $$;
REVOKE ALL ON FUNCTION gate.budget_run_seen(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.budget_run_seen(uuid, text) TO sb_chat, sb_job;

-- Tell what the server ${p_run} has done with its lease of a budget, in numbers
-- since it began (${p_applied}: what it knows to have been granted), and ask for
-- ${p_want} more (0: nothing): granted if all of it is left, and more than that
-- if nobody else wants it.  ${p_known}: what the roll-ups say, at the first time
-- and when "look" asks for it; then leases of servers that are gone end, and
-- what these had used and not told counts by it.  No row: no such budget.
CREATE OR REPLACE FUNCTION gate.budget_sync(p_account uuid, p_budget uuid, p_starts timestamptz,
	p_run uuid, p_applied bigint, p_settled bigint, p_returned bigint, p_unpriced bigint,
	p_reserved bigint, p_want bigint, p_known bigint, p_known_unpriced bigint)
RETURNS TABLE (granted bigint, amount bigint, free bigint, elsewhere bigint, alert boolean,
	look boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
#variable_conflict use_column
DECLARE
	b budgets;
	p budget_periods;
	l budget_leases;
	servers integer;
	gone bigint;
	others bigint;
	own bigint;
	rest bigint;
	debt bigint;
	need bigint;
	more bigint := 0;
BEGIN
	SELECT * INTO b FROM budgets WHERE account_id = p_account AND id = p_budget;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO budget_periods (account_id, budget_id, starts_at)
	VALUES (p_account, p_budget, p_starts) ON CONFLICT DO NOTHING;
	SELECT * INTO p FROM budget_periods
	WHERE account_id = p_account AND budget_id = p_budget AND starts_at = p_starts FOR UPDATE;
	INSERT INTO budget_leases (account_id, budget_id, starts_at, run)
	VALUES (p_account, p_budget, p_starts, p_run) ON CONFLICT DO NOTHING;
	SELECT * INTO l FROM budget_leases WHERE account_id = p_account AND budget_id = p_budget
		AND starts_at = p_starts AND run = p_run;

	p.spent := p.spent + greatest(p_settled - l.settled, 0);
	p.unpriced := p.unpriced + greatest(p_unpriced - l.unpriced, 0);
	l.granted := greatest(l.granted, p_applied);
	l.settled := greatest(l.settled, p_settled);
	l.returned := greatest(l.returned, p_returned);
	l.unpriced := greatest(l.unpriced, p_unpriced);

	IF p_known IS NOT NULL THEN
		UPDATE budget_leases SET granted = settled + returned, reserved = 0
		WHERE account_id = p_account AND budget_id = p_budget AND starts_at = p_starts
			AND run <> p_run AND run NOT IN (SELECT r.run FROM budget_runs r
				WHERE r.seen_at >= now() - interval '30 seconds');
		DELETE FROM budget_leases WHERE account_id = p_account AND budget_id = p_budget
			AND starts_at < p_starts - interval '3 days';
	END IF;
	SELECT coalesce(sum(greatest(o.granted - o.settled - o.returned, 0)), 0),
		coalesce(sum(greatest(o.granted - o.settled - o.returned, 0))
			FILTER (WHERE r.run IS NULL), 0)
	INTO others, gone
	FROM budget_leases o LEFT JOIN budget_runs r
		ON r.run = o.run AND r.seen_at >= now() - interval '30 seconds'
	WHERE o.account_id = p_account AND o.budget_id = p_budget AND o.starts_at = p_starts
		AND o.run <> p_run;
	own := greatest(l.granted - l.settled - l.returned, 0);
	IF p_known IS NOT NULL THEN
		-- what others have used and not yet told is within what they hold
		p.spent := greatest(p.spent, p_known - others - own);
		p.unpriced := greatest(p.unpriced, p_known_unpriced);
	END IF;

	rest := b.amount - p.spent - others - own;
	-- used beyond what was granted: spent already, and not left on the host
	debt := greatest(l.settled + l.returned - l.granted, 0);
	need := greatest(p_want - debt, 0);
	IF p_want > 0 AND rest >= need THEN
		SELECT count(*) INTO servers FROM budget_runs r
		WHERE r.seen_at >= now() - interval '30 seconds' OR r.run = p_run;
		more := CASE WHEN servers <= 1 THEN rest
			ELSE greatest(need, rest / (2 * servers)) END;
		l.granted := l.granted + debt + more;
	END IF;
	UPDATE budget_periods SET spent = p.spent, unpriced = p.unpriced
	WHERE account_id = p_account AND budget_id = p_budget AND starts_at = p_starts;
	UPDATE budget_leases SET granted = l.granted, settled = l.settled, returned = l.returned,
		unpriced = l.unpriced, reserved = p_reserved
	WHERE account_id = p_account AND budget_id = p_budget AND starts_at = p_starts
		AND run = p_run;
	RETURN QUERY SELECT l.granted, b.amount, rest - more, others,
		b.status = 'active' AND p.alerted_at IS NULL
			AND p.spent::numeric * 100 >= b.amount::numeric * b.soft_percent IS TRUE,
		gone > 0;
END $$;
REVOKE ALL ON FUNCTION gate.budget_sync(uuid, uuid, timestamptz, uuid, bigint, bigint, bigint, bigint,
	bigint, bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.budget_sync(uuid, uuid, timestamptz, uuid, bigint, bigint, bigint,
	bigint, bigint, bigint, bigint, bigint) TO sb_chat, sb_job;

-- The alert of a period is given now: a row for whoever is first.
CREATE OR REPLACE FUNCTION gate.budget_alerted(p_account uuid, p_budget uuid, p_starts timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	UPDATE budget_periods SET alerted_at = now()
	WHERE account_id = p_account AND budget_id = p_budget AND starts_at = p_starts
		AND alerted_at IS NULL;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.budget_alerted(uuid, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.budget_alerted(uuid, uuid, timestamptz) TO sb_job;
