// Sign in by a real identity provider (op.mjs) in a real browser: by the page
// that asks for the account, with a role out of a claim; sign out here, which
// ends it there; sign out there, which ends it here.
// node sso.js TOOLS BASE_URL OP_URL ACCOUNT
'use strict';
const fs = require('fs');
const path = require('path');

const [tools, base, op, account] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const axe = fs.readFileSync(path.join(tools, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') }));
}

async function open(browser) {
	const context = await browser.newContext();
	// The provider's own pages ask for a font.
	await context.route((url) => ![base, op].includes(url.origin), (route) => route.abort());
	const page = await context.newPage();
	page.why = [];
	page.on('console', (m) => {
		if (m.type() === 'error' && page.url().startsWith(base) && !/status of 4\d\d/.test(m.text()))
			page.why.push('console: ' + m.text());
	});
	page.on('request', (r) => {
		const from = r.frame().url();
		if (from.startsWith(base) && !r.isNavigationRequest() && !r.url().startsWith(base) && !r.url().startsWith('data:')) page.why.push('request to ' + r.url());
		if (/code=/.test(r.headers().referer || '')) page.why.push('a code in Referer');
	});
	return page;
}

async function look(page, why) {
	await page.evaluate(axe);
	why.push(...await page.evaluate(() => window.axe.run().then((r) =>
		r.violations.map((v) => v.id + ': ' + v.nodes[0].html.slice(0, 120)))));
}

function at(page, where, why) {
	if (page.url() !== base + where) why.push('at ' + page.url() + ', not ' + where);
}

// Through the provider's forms, as far as it asks.
async function pass(page, login) {
	await page.waitForURL(op + '/**');
	await page.fill('input[name=login]', login);
	await page.fill('input[name=password]', 'whatever');
	await page.click('button[type=submit]');
	await page.waitForSelector('button[autofocus], button[type=submit]');
	await page.click('button[type=submit]');
	await page.waitForURL(base + '/**');
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	let page = await open(browser);
	let why = [];
	await page.goto(base + '/login');
	await page.click('text=Sign in with your organisation');
	at(page, '/sso', why);
	await look(page, why);
	await page.fill('#account', account);
	await page.press('#account', 'Enter');
	await pass(page, 'ann');
	at(page, '/me', why);
	const text = await page.innerText('main');
	if (!text.includes('ann@acme.example')) why.push('not her address');
	if (!text.includes('agent manager')) why.push('not her role: ' + text.slice(0, 300));
	if (!(await page.innerText('body')).includes('<i>Example</i>')) why.push('her name is not as she writes it');
	if (await page.$('main i')) why.push('her name is markup');
	await look(page, why);
	report('signing in by the provider, with a role out of a claim', why.concat(page.why));

	why = [];
	await page.goto(base + '/logout');
	await page.click('main button');
	await page.waitForURL(op + '/**');
	await page.click('button[name=logout]');
	await page.waitForURL(base + '/**');
	at(page, '/login?done=signed-out', why);
	await page.goto(base + '/me');
	at(page, '/login', why);
	await page.goto(base + '/sso/' + account);
	await page.waitForURL(op + '/**');
	if (!(await page.$('input[name=login]'))) why.push('she is still signed in there');
	report('signing out here ends it there', why.concat(page.why));

	why = [];
	page = await open(browser);
	await page.goto(base + '/sso/' + account + '?return_to=/logout');
	await pass(page, 'bob');
	at(page, '/logout', why);
	await page.goto(base + '/me');
	if (!(await page.innerText('main')).includes('viewer')) why.push('not his role');
	await page.goto(op + '/session/end');
	await page.click('button[name=logout]');
	await page.waitForURL(/session\/end\/success/);
	let left = false;
	for (let i = 0; i < 100 && !left; i++) {
		await page.goto(base + '/me');
		left = page.url() === base + '/login';
	}
	if (!left) why.push('still signed in here');
	report('signing out there ends it here', why.concat(page.why));
	await browser.close();
})().catch((e) => { report('single sign-on', [String(e.stack)]); process.exit(1); });
