// Open each page at desktop and phone width, light and dark; no console error,
// no request to another host, nothing wider than the window, no finding of axe.
// node pages.js TOOLS BASE_URL [SCREENSHOT_DIR]; a line of JSON per check.
'use strict';
const fs = require('fs');
const path = require('path');

const [tools, base, shots] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const axe = fs.readFileSync(path.join(tools, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');

const PAGES = ['/', '/password', '/sso', '/api/docs', '/problems/not-found', '/problems/limit-exceeded'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') }));
}

async function check(browser, url, width, scheme) {
	const why = [];
	const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
	const page = await context.newPage();
	page.on('console', (m) => { if (m.type() === 'error') why.push('console: ' + m.text()); });
	page.on('request', (r) => { if (!r.url().startsWith(base) && !r.url().startsWith('data:')) why.push('request to ' + r.url()); });
	const answer = await page.goto(base + url, { waitUntil: 'load' });
	if (answer.status() !== 200) why.push('status ' + answer.status());
	const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
	if (wide > 0) why.push('wider than the window by ' + wide + ' px');
	if (!(await page.title())) why.push('no title');
	await page.evaluate(axe);
	const found = await page.evaluate(() => window.axe.run().then((r) =>
		r.violations.map((v) => v.id + ': ' + v.nodes[0].html.slice(0, 120))));
	why.push(...found);
	if (shots) await page.screenshot({ path: path.join(shots, (url === '/' ? 'root' : url.slice(1).replace(/\//g, '-')) + '-' + width + '-' + scheme + '.png') });
	await context.close();
	report(url + ' at ' + width + ' px, ' + scheme, why);
}

(async () => {
	const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	for (const url of PAGES)
		for (const width of [1280, 390])
			for (const scheme of ['light', 'dark'])
				await check(browser, url, width, scheme);
	await browser.close();
})().catch((e) => { report('browser', [String(e)]); process.exit(1); });
