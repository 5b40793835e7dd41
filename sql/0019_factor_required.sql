-- An account may want a second factor of its members: of the roles named here,
-- of all ('*'), or of whoever manages the account ('+').
ALTER TABLE control.accounts ADD COLUMN second_factor_roles text[] NOT NULL DEFAULT '{}';
GRANT UPDATE (second_factor_roles) ON control.accounts TO sb_admin;
CREATE TRIGGER config_epoch_factor BEFORE UPDATE OF second_factor_roles
	ON control.accounts FOR EACH ROW EXECUTE FUNCTION control.account_changed();

-- Was one shown at this sign-in?
ALTER TABLE control.sign_ins ADD COLUMN second_factor boolean NOT NULL DEFAULT false;
