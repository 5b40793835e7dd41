// Sign in by Apache's mod_auth_openidc, the client of a real identity provider
// (op.mjs), in a real browser: by the page that asks for the account, with a
// role out of a claim; sign out here, which leaves the web server's session;
// end that, and the provider's with it.
// node front_sso.js TOOLS APACHE_URL OP_URL ACCOUNT
'use strict';
const path = require('path');

const [tools, base, op, account] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
const EMAIL = 'cat@globex.example';

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') }));
}

function at(page, where, why) {
	if (page.url() !== base + where) why.push('at ' + page.url() + ', not ' + where);
}

async function open(browser) {
	const context = await browser.newContext();
	// The provider's own pages ask for a font.
	await context.route((url) => ![base, op].includes(url.origin), (route) => route.abort());
	const page = await context.newPage();
	page.led = [];
	page.on('request', (r) => { if (r.isNavigationRequest()) page.led.push(r.url()); });
	return page;
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	const page = await open(browser);
	let why = [];
	await page.goto(base + '/me');
	at(page, '/login', why);
	await page.click('text=Sign in with your organisation');
	await page.fill('#account', account);
	await page.press('#account', 'Enter');
	await page.waitForURL(op + '/**');
	const asked = page.led.map((u) => new URL(u)).find((u) => u.origin === op);
	if (asked.searchParams.get('client_id') !== 'apache' ||
		asked.searchParams.get('redirect_uri') !== base + '/sso/front/-/back')
		why.push('the provider was asked for another client: ' + asked);
	await page.fill('input[name=login]', EMAIL);
	await page.fill('input[name=password]', 'whatever');
	await page.click('button[type=submit]');
	await page.waitForSelector('button[autofocus], button[type=submit]');
	await page.click('button[type=submit]');
	await page.waitForURL(base + '/**');
	at(page, '/me', why);
	const text = await page.innerText('main');
	if (!text.includes(EMAIL)) why.push('not her address: ' + text.slice(0, 300));
	if (!text.includes('agent manager')) why.push('not her role: ' + text.slice(0, 300));
	if (!(await page.innerText('body')).includes('<i>Example</i>')) why.push('her name is not as she writes it');
	await page.goto(base + '/me/sessions');
	at(page, '/me/sessions', why);
	const cookies = await page.context().cookies();
	for (const c of cookies)
		if (!c.httpOnly) why.push('a script reads the cookie ' + c.name);
	if (!cookies.some((c) => c.name.startsWith('mod_auth_openidc') && c.path.startsWith('/sso/front')))
		why.push('the web server\'s own session is sent elsewhere: ' + JSON.stringify(cookies.map((c) => [c.name, c.path])));
	report('signing in by Apache and the provider', why);

	why = [];
	await page.goto(base + '/logout');
	await page.click('main button');
	await page.waitForURL(base + '/login?done=signed-out');
	await page.goto(base + '/me');
	at(page, '/login', why);
	// The web server still knows her, as docs/sso.md says.
	await page.goto(base + '/sso/' + account);
	at(page, '/me', why);
	report('signing out here leaves the web server\'s session', why);

	why = [];
	await page.goto(base + '/logout');
	await page.click('main button');
	await page.waitForURL(base + '/login?done=signed-out');
	await page.goto(base + '/sso/front/-/back?logout=' + encodeURIComponent(base + '/login?done=signed-out'));
	await page.waitForURL(op + '/**');
	await page.click('button[name=logout]');
	await page.waitForURL(base + '/login?done=signed-out');
	await page.goto(base + '/sso/' + account);
	await page.waitForURL(op + '/**');
	if (!(await page.$('input[name=login]'))) why.push('she is still signed in there');
	report('the web server\'s address of signing out ends it there, too', why);
	await browser.close();
})().catch((e) => { report('sign-on by Apache', [String(e.stack)]); process.exit(1); });
