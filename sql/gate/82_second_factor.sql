-- Codes that count once.  No hash of one leaves.
-- needs: SELECT, UPDATE ON control.second_factors
-- needs: SELECT, DELETE ON control.recovery_codes

-- The code of that step of time was shown; false: it, or a later one, had been
-- shown before.
CREATE OR REPLACE FUNCTION gate.factor_step(p_user uuid, p_step bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
BEGIN
	UPDATE second_factors SET last_step = p_step
	WHERE user_id = p_user AND last_step < p_step;
	RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION gate.factor_step(uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.factor_step(uuid, bigint) TO sb_admin;

CREATE OR REPLACE FUNCTION gate.recovery_use(p_user uuid, p_hash bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, data, pg_temp
AS $$
BEGIN
	DELETE FROM recovery_codes WHERE user_id = p_user AND code_hash = p_hash;
	RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION gate.recovery_use(uuid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.recovery_use(uuid, bytea) TO sb_admin;
