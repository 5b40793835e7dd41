// A passkey in place of the code, after the password; and who has no password,
// since she comes by her organisation's provider, adds one without.
// node second_passkey.js TOOLS BASE_URL EMAIL PASSWORD EMAIL_WITHOUT [SCREENSHOT_DIR]
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const [tools, base, email, password, without, shots] = process.argv.slice(2);
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
	const cdp = await page.context().newCDPSession(page);
	await cdp.send('WebAuthn.enable');
	await cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
		protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
		isUserVerified: true, automaticPresenceSimulation: true } });
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

// RFC 6238, for the secret as it is shown.
function totp(secret) {
	const bits = [...secret].map((c) =>
		'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
	const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
	const step = Buffer.alloc(8);
	step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
	const h = crypto.createHmac('sha1', key).update(step).digest();
	const at = h[19] & 15;
	return String((h.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

async function signIn(page, who, to) {
	await page.goto(base + '/login');
	await page.fill('#email', who);
	await page.fill('#password', password);
	await Promise.all([page.waitForURL(base + to), page.press('#password', 'Enter')]);
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	let why = [];
	let page = await open(browser, {});
	await signIn(page, email, '/me');
	await page.fill('#passkey_name', 'Telephone');
	await page.fill('#passkey_password', password);
	await Promise.all([page.waitForURL(base + '/me?done=passkey'), page.click('text=Add a passkey')]);
	await page.fill('#begin_password', password);
	await Promise.all([page.waitForURL(base + '/me/second-factor'), page.press('#begin_password', 'Enter')]);
	const secret = (await page.$$eval('main span', (all) => all.map((s) => s.textContent)))
		.filter((t) => /^[A-Z2-7]{1,4}$/.test(t)).join('');
	await page.fill('input[name=code]', totp(secret));
	await Promise.all([page.waitForURL(base + '/me/second-factor/confirm'), page.press('input[name=code]', 'Enter')]);
	await page.goto(base + '/me');
	await page.click('text=Sign out');
	await page.waitForURL(base + '/login?done=signed-out');
	await signIn(page, email, '/login/code');
	await look(page, 'code-passkey', why);
	await Promise.all([page.waitForURL(base + '/me'), page.click('text=Use a passkey instead')]);
	if (!(await page.innerText('main')).includes(email)) why.push('somebody else');
	report('a passkey in place of the code', why.concat(page.why));

	why = [];
	page = await open(browser, { javaScriptEnabled: false });
	await signIn(page, email, '/login/code');
	if (await page.isVisible('text=Use a passkey instead')) why.push('a button that does nothing');
	report('the code without a script', why.concat(page.why));

	why = [];
	page = await open(browser, {});
	await signIn(page, without, '/me');
	if (await page.$('#passkeys ~ form [type=password]')) why.push('it asks for a password');
	await look(page, 'me-no-password', why);
	await page.fill('#passkey_name', 'Laptop');
	await Promise.all([page.waitForURL(base + '/me?done=passkey'), page.click('text=Add a passkey')]);
	await page.click('summary:has-text("Remove it")');
	await Promise.all([page.waitForURL(base + '/me?done=passkey-removed'), page.click('text=Remove Laptop')]);
	report('who has no password', why.concat(page.why));
	await browser.close();
})().catch((e) => { report('second passkey', [String(e.stack)]); process.exit(1); });
