// The console as its owner sees it: each page at desktop and phone width, light
// and dark, without a console error (a broken policy is one), a request to
// another host, anything wider than the window or a finding of axe; each once
// more without a script.
// node console.js TOOLS BASE_URL EMAIL PASSWORD ACCOUNT [SCREENSHOT_DIR]
'use strict';
const fs = require('fs');
const path = require('path');

const [tools, base, email, password, account, shots] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const axe = fs.readFileSync(path.join(tools, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
const ADMIN = `/accounts/${account}/admin`;
const ONLY = process.env.SB_ONLY;

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') }));
}

async function open(browser, options) {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	page.why = [];
	page.on('console', (m) => { if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) page.why.push('console: ' + m.text()); });
	page.on('pageerror', (e) => page.why.push('error: ' + e));
	page.on('request', (r) => { if (!r.url().startsWith(base) && !r.url().startsWith('data:')) page.why.push('request to ' + r.url()); });
	return page;
}

async function sign_in(page) {
	await page.goto(base + '/login');
	await page.fill('#email', email);
	await page.fill('#password', password);
	await page.click('main form button[type=submit]:visible');
	await page.waitForURL(base + '/me');
}

async function judge(page, axes) {
	const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
	if (wide > 0) page.why.push('wider than the window by ' + wide + ' px');
	if (!axes) return;
	await page.evaluate(axe);
	page.why.push(...await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }).then((r) =>
		r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 160) + ' ' + n.any.map((a) => a.message).join(' ').slice(0, 160)).slice(0, 3).join(' | ')))));
}

async function shoot(page, name) {
	if (shots) await page.screenshot({ path: path.join(shots, name + '.png'), fullPage: true });
}

// The pages, and those whose address is found on another.
async function addresses(page) {
	const out = [['dashboard', ADMIN], ['dashboard-90d', ADMIN + '?period=90d'], ['problem', ADMIN + '/agents/00000000-0000-4000-8000-000000000000', 404]];
	const found = async (url, selector) => {
		await page.goto(base + url);
		return page.evaluate((s) => { const a = document.querySelector(s); return a && a.getAttribute('href'); }, selector);
	};
	const nav = await page.goto(base + ADMIN).then(() => page.$$eval('.place', (all) => all.map((a) => a.getAttribute('href'))));
	for (const href of nav) if (href !== ADMIN) out.push([href.slice(ADMIN.length + 1), href]);
	if (nav.includes(ADMIN + '/agents')) {
		const agent = await found(ADMIN + '/agents', '.title-cell a');
		if (agent) {
			out.push(['agent', agent], ['config', agent + '/config'], ['versions', agent + '/versions']);
		}
		out.push(['agent-new', ADMIN + '/agents/new']);
	}
	if (nav.includes(ADMIN + '/sessions')) {
		const session = await found(ADMIN + '/sessions', '.title-cell a');
		if (session) out.push(['session', session]);
	}
	return out.filter((p) => !ONLY || new RegExp(ONLY).test(p[0]));
}

async function look(browser, pages, width, scheme, script, lang) {
	const page = await open(browser, { viewport: { width, height: 900 }, colorScheme: scheme, javaScriptEnabled: script,
		extraHTTPHeaders: lang ? { 'Accept-Language': lang } : {} });
	await sign_in(page);
	for (const [name, url, status] of pages) {
		page.why = [];
		const answer = await page.goto(base + url, { waitUntil: 'load' });
		if (answer.status() !== (status || 200)) page.why.push('status ' + answer.status());
		if (script) await judge(page, true);
		const as = `${name}-${width}-${scheme}${script ? '' : '-plain'}${lang ? '-' + lang : ''}`;
		await shoot(page, 'console-' + as);
		if (script && !status) {
			const queries = /"(\d+) queries/.exec(answer.headers()['server-timing'] || '');
			if (!queries || Number(queries[1]) > 8) page.why.push('Server-Timing: ' + answer.headers()['server-timing']);
		}
		report(as, page.why);
	}
	await page.context().close();
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	const first = await open(browser, {});
	await sign_in(first);
	const pages = await addresses(first);
	await first.context().close();
	for (const width of [1280, 390])
		for (const scheme of ['light', 'dark'])
			await look(browser, pages, width, scheme, true);
	await look(browser, pages, 1280, 'dark', false);
	await look(browser, pages, 1280, 'light', true, 'de');
	for (const more of module.exports.more || [])
		await more(browser);
	await browser.close();
})().catch((e) => { report('browser', [String(e.stack)]); process.exit(1); });
