// Add a passkey with Chromium's virtual authenticator, sign in with it, remove
// it; and the pages without a script, where nothing of it shows.
// node passkey.js TOOLS BASE_URL EMAIL PASSWORD [SCREENSHOT_DIR]
'use strict';
const fs = require('fs');
const path = require('path');

const [tools, base, email, password, shots] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const axe = fs.readFileSync(path.join(tools, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') }));
}

async function open(browser, options) {
	const page = await (await browser.newContext(options)).newPage();
	page.why = [];
	page.on('console', (m) => { if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) page.why.push('console: ' + m.text()); });
	page.on('request', (r) => { if (!r.url().startsWith(base) && !r.url().startsWith('data:')) page.why.push('request to ' + r.url()); });
	return page;
}

async function look(page, name, why) {
	for (const width of [1280, 390]) {
		await page.setViewportSize({ width, height: 900 });
		const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
		if (wide > 0) why.push(name + ' is wider than the window by ' + wide + ' px');
		await page.evaluate(axe);
		why.push(...await page.evaluate(() => window.axe.run().then((r) =>
			r.violations.map((v) => v.id + ': ' + v.nodes[0].html.slice(0, 120)))));
		if (shots) await page.screenshot({ path: path.join(shots, name + '-' + width + '.png'), fullPage: true });
	}
}

async function signIn(page) {
	await page.goto(base + '/login');
	await page.fill('#email', email);
	await page.fill('#password', password);
	await Promise.all([page.waitForURL(base + '/me'), page.press('#password', 'Enter')]);
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	let why = [];
	let page = await open(browser, {});
	const cdp = await page.context().newCDPSession(page);
	await cdp.send('WebAuthn.enable');
	const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
		protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
		isUserVerified: true, automaticPresenceSimulation: true } });
	await signIn(page);
	await page.fill('#passkey_name', 'My <b>telephone</b>');
	await page.fill('#passkey_password', 'not the password of her');
	await page.click('text=Add a passkey');
	await page.waitForSelector('#passkey-add [role=alert]:not([hidden])');
	const { credentials: none } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
	if (none.length) why.push('one was made without the password');
	await page.fill('#passkey_password', password);
	await Promise.all([page.waitForURL(base + '/me?done=passkey'), page.click('text=Add a passkey')]);
	if (!(await page.innerText('main')).includes('My <b>telephone</b>')) why.push('its name is not there');
	const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
	if (credentials.length !== 1 || !credentials[0].isResidentCredential || credentials[0].rpId !== 'localhost')
		why.push('the authenticator has ' + JSON.stringify(credentials));
	await look(page, 'me-passkey', why);
	report('adding a passkey', why.concat(page.why.splice(0)));

	why = [];
	await page.fill('#passkey_name', 'Again');
	await page.fill('#passkey_password', password);
	await page.click('text=Add a passkey');
	await page.waitForSelector('#passkey-add [role=alert]:not([hidden])');
	if (!/already/.test(await page.innerText('#passkey-add [role=alert]'))) why.push(await page.innerText('#passkey-add [role=alert]'));
	report('the same device again', why.concat(page.why.splice(0)));

	why = [];
	await page.click('text=Sign out');
	await page.waitForURL(base + '/login?done=signed-out');
	await look(page, 'login-passkey', why);
	await Promise.all([page.waitForURL(base + '/me'), page.click('text=Sign in with a passkey')]);
	if (!(await page.innerText('main')).includes(email)) why.push('somebody else');
	if (!(await page.innerText('section[aria-labelledby=passkeys]')).includes('last used')) why.push('not written down');
	report('signing in with it', why.concat(page.why.splice(0)));

	why = [];
	await page.click('text=Sign out');
	await page.waitForURL(base + '/login?done=signed-out');
	await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
	await page.click('text=Sign in with a passkey');
	await page.waitForSelector('#passkey-use [role=alert]:not([hidden])', { timeout: 20000 });
	await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
	report('nobody verified', why.concat(page.why.splice(0)));

	why = [];
	await Promise.all([page.waitForURL(base + '/me'), page.click('text=Sign in with a passkey')]);
	await page.click('summary:has-text("Remove it")');
	await page.fill('[id^=remove-]', password);
	await Promise.all([page.waitForURL(base + '/me?done=passkey-removed'), page.press('[id^=remove-]', 'Enter')]);
	await page.click('text=Sign out');
	await page.waitForURL(base + '/login?done=signed-out');
	await Promise.all([page.waitForNavigation(), page.click('text=Sign in with a passkey')]);
	if (!(await page.isVisible('text=This passkey is not good here.'))) why.push('no refusal at ' + page.url());
	report('removing it', why.concat(page.why.splice(0)));

	why = [];
	page = await open(browser, { javaScriptEnabled: false });
	await page.goto(base + '/login');
	if (await page.isVisible('text=Sign in with a passkey')) why.push('a button that does nothing');
	await signIn(page);
	if (await page.isVisible('text=Add a passkey')) why.push('a form that does nothing');
	report('without a script', why.concat(page.why));
	await browser.close();
})().catch((e) => { report('passkeys', [String(e.stack)]); process.exit(1); });
