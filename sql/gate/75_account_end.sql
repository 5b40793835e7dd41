-- An account whose time of grace is over goes, a small step at a time, with all
-- it has in any table: found by the catalogue, so that a table made tomorrow is
-- not forgotten.
SET LOCAL ROLE sb_owner;

-- Take up to about ${p_rows} rows of one table from the account that is due
-- first.  No row: no account is due.  gone 0: it has none left but its own in
-- accounts, which account_forget() takes.  -1: a table was in use.  Tables that
-- were made later come first, since they refer to earlier ones; where that does
-- not hold, what is referred to waits.
CREATE OR REPLACE FUNCTION gate.account_purge(p_rows integer)
RETURNS TABLE (account_id uuid, slug text, name text, gone bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = control, data, pg_temp SET lock_timeout = '300ms' AS $$
#variable_conflict use_column
DECLARE
	a accounts;
	t record;
	n bigint;
	waits text;
BEGIN
	SELECT * INTO a FROM accounts WHERE ends_at <= now()
	ORDER BY ends_at LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	FOR t IN
		SELECT format('%I.%I', s.nspname, c.relname) AS name
		FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
		JOIN pg_attribute b ON b.attrelid = c.oid AND b.attname = 'account_id'
			AND NOT b.attisdropped
		WHERE s.nspname IN ('control', 'data') AND c.relkind IN ('r', 'p')
			AND NOT c.relispartition
		ORDER BY c.oid DESC
	LOOP
		BEGIN
			EXECUTE format('DELETE FROM %s WHERE account_id = $1 AND ctid = ANY'
				' (ARRAY(SELECT ctid FROM %s WHERE account_id = $1 LIMIT $2))',
				t.name, t.name) USING a.id, p_rows;
			GET DIAGNOSTICS n = ROW_COUNT;
			IF n > 0 THEN
				RETURN QUERY SELECT a.id, a.slug, a.name, n;
				RETURN;
			END IF;
		EXCEPTION WHEN foreign_key_violation THEN
			waits := t.name;
		END;
	END LOOP;
	IF waits IS NOT NULL THEN
		RAISE EXCEPTION 'rows of % are referred to by what has no account', waits;
	END IF;
	RETURN QUERY SELECT a.id, a.slug, a.name, 0::bigint;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN QUERY SELECT a.id, a.slug, a.name, (-1)::bigint;
END $$;
REVOKE ALL ON FUNCTION gate.account_purge(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.account_purge(integer) TO sb_job;

-- The last row of an account, when it is due; how many went.
CREATE OR REPLACE FUNCTION gate.account_forget(p_account uuid)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = control, data, pg_temp SET lock_timeout = '300ms' AS $$
DECLARE
	n bigint;
BEGIN
	DELETE FROM accounts WHERE id = p_account AND ends_at <= now();
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
REVOKE ALL ON FUNCTION gate.account_forget(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.account_forget(uuid) TO sb_job;
SET LOCAL ROLE sb_gate;
