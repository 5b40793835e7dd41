-- Partitions of the growing tables, a month each in UTC, made ahead: the owner
-- alone may, so this function is the owner's.  There is no DEFAULT partition: a
-- row without a place is an error, not a surprise later.
SET LOCAL ROLE sb_owner;

-- Make what is missing from the month of ${since} to three months ahead; how
-- many were made.  A new table is built aside and attached, which locks the
-- parent against other DDL only.
CREATE OR REPLACE FUNCTION gate.maintain_partitions(since timestamptz DEFAULT now() - interval '1 month')
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' SET TimeZone = 'UTC' AS $$
DECLARE
	month timestamptz := date_trunc('month', greatest(since, now() - interval '10 years'));
	next timestamptz;
	parent text;
	part text;
	low text;
	high text;
	made integer := 0;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('switchboard partitions', 0));
	WHILE month <= now() + interval '3 months' LOOP
		next := month + interval '1 month';
		FOREACH parent IN ARRAY ARRAY['sessions', 'turns', 'usage_rollups',
				'usage_by_caller', 'audit_log'] LOOP
			part := parent || to_char(month, '"_p"YYYYMM');
			CONTINUE WHEN to_regclass('data.' || part) IS NOT NULL;
			IF parent LIKE 'usage%' THEN
				low := month::text;
				high := next::text;
			ELSE
				low := data.uuid_floor(month)::text;
				high := data.uuid_floor(next)::text;
			END IF;
			EXECUTE format('CREATE TABLE data.%I (LIKE data.%I INCLUDING ALL)', part, parent);
			PERFORM control.protect(format('data.%I', part)::regclass);
			EXECUTE format('ALTER TABLE data.%I ATTACH PARTITION data.%I FOR VALUES FROM (%L) TO (%L)',
				parent, part, low, high);
			made := made + 1;
		END LOOP;
		month := next;
	END LOOP;
	RETURN made;
END $$;
REVOKE ALL ON FUNCTION gate.maintain_partitions(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.maintain_partitions(timestamptz) TO sb_job;

SELECT gate.maintain_partitions();
SET LOCAL ROLE sb_gate;
