// A real OpenID provider, the certified oidc-provider, for sso.js and, with a
// web server as its client, for front_sso.js:
// node op.mjs TOOLS PORT BASE_URL ACCOUNT SECRET FRONT_URL
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [tools, port, base, account, secret, front] = process.argv.slice(2);
const found = createRequire(path.join(tools, 'x.js')).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(found).href);

const groups = { ann: ['staff', 'admins'], bob: ['staff'], 'cat@globex.example': ['admins'] };
const provider = new Provider(`http://127.0.0.1:${port}`, {
	clients: [{
		client_id: 'switchboard', client_secret: secret,
		redirect_uris: [base + '/sso/callback'],
		post_logout_redirect_uris: [base + '/login?done=signed-out'],
		backchannel_logout_uri: `${base}/sso/${account}/backchannel-logout`,
		backchannel_logout_session_required: true,
	}, {
		client_id: 'apache', client_secret: secret,
		redirect_uris: [front + '/sso/front/-/back'],
		post_logout_redirect_uris: [front + '/login?done=signed-out'],
	}],
	pkce: { required: () => true },
	scopes: ['openid', 'email', 'profile', 'groups'],
	claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
	features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true }, backchannelLogout: { enabled: true } },
	// It reaches no loopback address by itself, as is right anywhere else.
	fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
	cookies: { keys: ['a key of this test only'] },
	findAccount: (ctx, id) => ({
		accountId: id,
		claims: () => ({ sub: id, name: id + ' <i>Example</i>', email: id.includes('@') ? id : id + '@acme.example', email_verified: true, groups: groups[id] ?? [] }),
	}),
});
for (const event of ['backchannel.error', 'server_error', 'grant.error', 'authorization.error'])
	provider.on(event, (...a) => console.error(event, a.find((x) => x instanceof Error)?.stack));
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
