-- Sign-on by the web server in front (SAML, OpenID Connect, whatever it does)
-- beside OpenID Connect of our own: there is no client then, and so no secret.
ALTER TABLE control.sso_connections ADD COLUMN kind text NOT NULL DEFAULT 'oidc'
	CHECK (kind IN ('oidc', 'front'));
ALTER TABLE control.sso_connections ALTER COLUMN client_id DROP NOT NULL,
	ALTER COLUMN client_auth DROP NOT NULL;
ALTER TABLE control.sso_connections ADD CONSTRAINT sso_connections_kind CHECK (
	CASE kind WHEN 'oidc' THEN client_id IS NOT NULL AND client_auth IS NOT NULL
	ELSE client_id IS NULL AND client_auth IS NULL AND sealed IS NULL END);
