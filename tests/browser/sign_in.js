// Sign in with a browser, set a second factor up, use it, choose a password by a
// mail's link: each page at desktop and phone width, light and dark, without a
// finding of axe, a console error (a broken policy is one), a request to another
// host or anything wider than the window; and all of it without a script, too.
// node sign_in.js TOOLS BASE_URL EMAIL PASSWORD MAIL_DIR [SCREENSHOT_DIR]
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const [tools, base, email, password, mails, shots] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const axe = fs.readFileSync(path.join(tools, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
const NEXT = 'four new words and a 5th';

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') }));
}

// RFC 6238
function code(secret, step) {
	const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
	const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
	const count = Buffer.alloc(8);
	count.writeBigUInt64BE(BigInt(step));
	const mac = crypto.createHmac('sha1', key).update(count).digest();
	return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, '0');
}
const now = () => Math.floor(Date.now() / 30000);

function link(to) {
	for (const name of fs.readdirSync(mails).sort().reverse()) {
		const text = fs.readFileSync(path.join(mails, name), 'utf8').replace(/=\r?\n/g, '').replace(/=3D/g, '=');
		const found = /(http\S+\/password\?token=\S+)/.exec(text);
		if (found && text.includes(to)) return found[1];
	}
	return null;
}

async function until(check, what) {
	for (let i = 0; i < 200; i++) {
		const got = check();
		if (got) return got;
		await new Promise((r) => setTimeout(r, 50));
	}
	throw new Error('never came: ' + what);
}

async function open(browser, options) {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	page.why = [];
	page.on('console', (m) => { if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) page.why.push('console: ' + m.text()); });
	page.on('request', (r) => {
		if (!r.url().startsWith(base) && !r.url().startsWith('data:')) page.why.push('request to ' + r.url());
		if ((r.headers().referer || '').includes('token=')) page.why.push('a token in Referer');
	});
	return page;
}

// The page as it stands, in all four looks.
async function look(page, name, title) {
	const why = page.why.splice(0);
	if (!(await page.title()).startsWith(title)) why.push('title ' + await page.title());
	for (const width of [1280, 390])
		for (const colorScheme of ['light', 'dark']) {
			const where = width + ' ' + colorScheme + ': ';
			await page.setViewportSize({ width, height: 900 });
			await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
			const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
			if (wide > 0) why.push(where + 'wider than the window by ' + wide + ' px');
			await page.evaluate(axe);
			const found = await page.evaluate(() => window.axe.run().then((r) =>
				r.violations.map((v) => v.id + ': ' + v.nodes[0].html.slice(0, 120))));
			why.push(...found.map((f) => where + f));
			if (shots) await page.screenshot({ path: path.join(shots, name + '-' + width + '-' + colorScheme + '.png'), fullPage: true });
		}
	report('page ' + name, why);
}

async function fill(page, fields) {
	for (const [id, value] of Object.entries(fields)) await page.fill('#' + id, value);
	await Promise.all([page.waitForNavigation(), page.press('#' + Object.keys(fields).pop(), 'Enter')]);
}

function at(page, where, why) {
	const is = page.url().slice(base.length);
	if (is !== where) why.push('at ' + is + ', not ' + where);
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	let page = await open(browser, {});
	let why = [];
	await page.goto(base + '/');
	at(page, '/login', why);
	await look(page, 'login', 'Sign in');
	await fill(page, { email, password: 'not the password of her' });
	if (!(await page.isVisible('[role=alert]'))) why.push('no alert');
	if (await page.evaluate(() => document.activeElement.id) !== 'password') why.push('the focus is not where one goes on');
	await look(page, 'login-wrong', 'Sign in');
	await fill(page, { email, password });
	at(page, '/me', why);
	report('signing in', why);
	await look(page, 'me', 'Ann');

	why = [];
	await fill(page, { begin_password: password });
	await look(page, 'factor', 'Set up');
	await page.click('summary');
	const secret = (await page.innerText('.secret')).replace(/\s/g, '');
	const step = now();
	await fill(page, { code: code(secret, step) });
	const codes = await page.$$eval('.codes code', (all) => all.map((c) => c.textContent));
	if (codes.length !== 10) why.push(codes.length + ' recovery codes');
	await look(page, 'recovery', 'Recovery');
	await page.click('text=I have kept them');
	if (!(await page.isVisible('text=Remove it'))) why.push('the factor is not on');
	await look(page, 'me-factor', 'Ann');
	await page.click('text=Sign out');
	at(page, '/login?done=signed-out', why);
	await look(page, 'signed-out', 'Sign in');
	await page.goBack();
	if ((await page.content()).includes('Where you are signed in')) why.push('the page is still there after signing out');
	await page.goto(base + '/me');
	at(page, '/login', why);
	report('a second factor', why);

	why = [];
	await fill(page, { email, password });
	at(page, '/login/code', why);
	await look(page, 'code', 'Second factor');
	await fill(page, { code: '000000' });
	await look(page, 'code-wrong', 'Second factor');
	await fill(page, { code: codes[0] });
	at(page, '/me', why);
	await page.goto(base + '/logout');
	await look(page, 'logout', 'Sign out');
	await page.click('main button');
	report('signing in with a recovery code', why);

	why = [];
	await page.click('text=Forgotten?');
	await look(page, 'forgotten', 'Forgotten');
	await fill(page, { email });
	await look(page, 'sent', 'Look into');
	await page.goto(await until(() => link(email), 'the mail'));
	at(page, '/password', why);
	await look(page, 'password', 'Choose');
	await fill(page, { new_password: 'short', again: 'short' });
	await look(page, 'password-short', 'Choose');
	await fill(page, { new_password: NEXT, again: NEXT });
	at(page, '/login?done=password', why);
	await fill(page, { email, password: NEXT });
	await fill(page, { code: codes[1] });
	at(page, '/me', why);
	report('a password by the link of a mail', why);
	await page.goto(base + '/nothing/here');
	await look(page, 'problem', 'Not found');

	why = [];
	page = await open(browser, { javaScriptEnabled: false, viewport: { width: 390, height: 800 } });
	await page.goto(base + '/login');
	await fill(page, { email, password: NEXT });
	at(page, '/login/code', why);
	await fill(page, { code: codes[2] });
	at(page, '/me', why);
	await fill(page, { old_password: NEXT, new_password: NEXT + ' more', again: NEXT + ' more' });
	at(page, '/me?done=password', why);
	await Promise.all([page.waitForNavigation(), page.click('text=Sign out everywhere')]);
	at(page, '/login?done=signed-out', why);
	report('without a script', why.concat(page.why));
	await browser.close();
})().catch((e) => { report('the sign-in', [String(e.stack)]); process.exit(1); });
