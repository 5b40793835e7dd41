// Over TLS, as it is shipped: a real browser takes the __Host- cookie, is signed
// in by it, and has it no more after signing out.  Also behind a name that the
// server does not know.  node https.js TOOLS BASE_URL EMAIL PASSWORD PLAIN_URL
'use strict';
const path = require('path');

const [tools, base, email, password, plain] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync',
	'--host-resolver-rules=MAP elsewhere.example 127.0.0.1'];

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') }));
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	const context = await browser.newContext({ ignoreHTTPSErrors: true });
	const page = await context.newPage();
	const why = [];
	const session = async () => (await context.cookies()).filter((c) => /^__Host-sb-[0-9a-f]{8}$/.test(c.name));
	await page.goto(base + '/login');
	await page.fill('#email', email);
	await page.fill('#password', password);
	await Promise.all([page.waitForNavigation(), page.press('#password', 'Enter')]);
	if (page.url() !== base + '/me') why.push('at ' + page.url());
	const [cookie] = await session();
	if (!cookie) why.push('no cookie');
	else if (!cookie.secure || !cookie.httpOnly || cookie.sameSite !== 'Lax' || cookie.path !== '/' || cookie.domain !== 'localhost')
		why.push('cookie ' + JSON.stringify({ ...cookie, value: '' }));
	await Promise.all([page.waitForNavigation(), page.click('text=Sign out')]);
	if ((await session()).length) why.push('the cookie is still there');
	await page.goto(base + '/me');
	if (page.url() !== base + '/login') why.push('signed out at ' + page.url());
	report('signing in over TLS', why);

	const lost = [];
	const away = plain.replace('127.0.0.1', 'elsewhere.example');
	await page.goto(away + '/me');
	if (page.url() !== away + '/login') lost.push('at ' + page.url());
	if (!(await page.innerText('main')).includes('HTTPS')) lost.push('it does not say what is missing');
	if (await page.$('#password')) lost.push('it asks for a password');
	if (await page.getAttribute('main a.button', 'href') !== base + '/login') lost.push('it does not lead to the good address');
	report('plain HTTP elsewhere', lost);
	await browser.close();
})().catch((e) => { report('TLS', [String(e.stack)]); process.exit(1); });
