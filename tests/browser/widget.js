// The chat on a page of another site, in a browser: under that page's strict
// policy, with a network that breaks, reloads, hostile texts, keys, languages.
// node widget.js TOOLS BASE_URL ACCOUNT AGENT KEY [SCREENSHOT_DIR]; a line of
// JSON per check.
'use strict';
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');

const [tools, base, account, agent, key, shots] = process.argv.slice(2);
const { chromium } = require(path.join(tools, 'node_modules', 'playwright-core'));
const axe = fs.readFileSync(path.join(tools, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
const HTML = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const esc = (s) => String(s).replace(/[&<>"]/g, (c) => HTML[c]);

function report(name, why) {
	console.log(JSON.stringify({ name, ok: why.length === 0, why: why.join('; ') })
		.replace(/[\u007f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')));
}

function listen(server) {
	return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
}

/* The site: nothing inline, scripts and requests of one other host only, no
 * HTML from strings. */
function site(api) {
	return http.createServer((req, res) => {
		const url = new URL(req.url, 'http://x');
		if (url.pathname === '/frame') {
			res.setHeader('Content-Type', 'text/html; charset=utf-8');
			res.setHeader('Content-Security-Policy', `default-src 'none'; frame-src ${base}; img-src data:`);
			res.end(`<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>Frame</title><h1>In a frame</h1><iframe title="Chat" width="420" height="640" src="${base}/accounts/${esc(account)}/talk/${esc(agent)}"></iframe></html>`);
			return;
		}
		const attrs = { account, agent, key, ...Object.fromEntries(url.searchParams) };
		const lang = attrs.lang || 'en';
		res.setHeader('Content-Type', 'text/html; charset=utf-8');
		res.setHeader('Content-Security-Policy', `default-src 'none'; script-src ${api}; connect-src ${api}; style-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`);
		res.end(`<!DOCTYPE html><html lang="${esc(lang)}" dir="${esc(attrs.dir || 'ltr')}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Shop</title></head><body><main><h1>A shop of somebody</h1><p>It sells things, and has a chat.</p><button id="own">Its own button</button></main><script src="${api}/widget.js" async ${Object.entries(attrs).map(([k, v]) => `data-${k}="${esc(v)}"`).join(' ')}></script></body></html>`);
	});
}

/* Between browser and server, to be cut: connections end, new ones too. */
function wire(port) {
	const pairs = new Set();
	const server = net.createServer((a) => {
		if (server.cut) {
			a.destroy();
			return;
		}
		const b = net.connect(port, '127.0.0.1');
		const pair = [a, b];
		pairs.add(pair);
		for (const s of pair) {
			s.on('error', () => {});
			s.on('close', () => { pairs.delete(pair); a.destroy(); b.destroy(); });
		}
		b.on('data', (d) => { server.seen = (server.seen || 0) + d.length; });
		a.pipe(b);
		b.pipe(a);
	});
	server.drop = () => pairs.forEach(([a, b]) => { a.destroy(); b.destroy(); });
	return server;
}

let browser, home, api, cable;

async function context(options = {}) {
	const c = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
	await c.grantPermissions(['clipboard-read', 'clipboard-write']);
	return c;
}

/* A page, and what went wrong on it. */
async function visit(c, query = {}, how = {}) {
	const why = [];
	const page = await c.newPage();
	page.on('console', (m) => {
		if (m.type() === 'error' && !(how.broken && /net::ERR|Failed to load/.test(m.text())) && !(how.refused && /status of 4|status of 5/.test(m.text())))
			why.push('console: ' + m.text());
	});
	page.on('pageerror', (e) => why.push('error: ' + e));
	page.on('dialog', (d) => { why.push('a dialog'); d.dismiss(); });
	page.on('request', (r) => { if (!r.url().startsWith(home) && !r.url().startsWith(api) && !r.url().startsWith('data:')) why.push('request to ' + r.url()); });
	await page.goto(home + '/?' + new URLSearchParams(query));
	await page.waitForFunction(() => window.Switchboard && window.Switchboard.element);
	await page.evaluate(() => {
		window.told = [];
		for (const name of ['open', 'close', 'message', 'session', 'feedback', 'error', 'handoff', 'reset'])
			Switchboard.on(name, (detail) => window.told.push([name, detail]));
	});
	return { page, why };
}

const $ = (page, selector) => page.locator('switchboard-chat ' + selector);
const answered = (page, n) => page.waitForFunction((n) => {
	const root = document.querySelector('switchboard-chat').shadowRoot;
	return root.querySelectorAll('.assistant .acts').length >= n;
}, n, { timeout: 30000 });
const said = (page) => page.evaluate(() => [...document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('.messages > li')]
	.map((li) => [li.className.split(' ')[0], li.querySelector('.text') ? li.querySelector('.text').textContent : li.textContent]));

async function say(page, text) {
	await $(page, 'textarea').fill(text);
	await $(page, 'textarea').press('Enter');
}

async function shot(page, name) {
	if (shots)
		await page.screenshot({ path: path.join(shots, 'widget-' + name + '.png'), caret: 'initial' });
}

async function check(name, f, query, how, options) {
	const c = await context(options);
	let why = [];
	try {
		const v = await visit(c, query, how);
		why = v.why;
		await f(v.page, why, c);
	} catch (e) {
		why.push(String(e.stack || e).slice(0, 600));
		why.push('told: ' + await c.pages()[0].evaluate(() => JSON.stringify(window.told)).catch(String));
	}
	await c.close();
	report(name, why);
}

function expect(why, ok, what) {
	if (!ok)
		why.push(what);
}

const ANSWER = [
	'## Two ways to take it', '', 'Take **one tablet** with *water*; see `dose()` and [the leaflet](https://example.com/leaflet "x").', '',
	'1. In the morning', '2. In the evening', '   - not with milk', '', '| Weight | Dose |', '|:---|---:|', '| up to 40 kg | 5 mg |', '| over 40 kg | 10 mg |', '',
	'```js', 'const dose = (kg) => kg > 40 ? 10 : 5;', '```', '', '> Ask a doctor first.'].join('\n');

async function talk(page, why) {
	await $(page, '.launch').click();
	await $(page, 'textarea').waitFor();
	await shot(page, 'open-1280-light');
	await say(page, ANSWER);
	await answered(page, 1);
	const got = await said(page);
	expect(why, got.length === 3 && got[1][0] === 'user' && got[1][1] === ANSWER, 'the transcript is ' + JSON.stringify(got));
	const made = await page.evaluate(() => {
		const t = document.querySelector('switchboard-chat').shadowRoot.querySelector('[data-turn].assistant .text');
		const a = t.querySelector('a');
		return { h: t.querySelectorAll('h3').length, strong: t.querySelectorAll('strong').length, cells: t.querySelectorAll('td').length, end: t.querySelectorAll('td.end').length,
			lists: t.querySelectorAll('ol > li > ul > li').length, pre: t.querySelector('pre') && t.querySelector('pre').dataset.language, quote: t.querySelectorAll('blockquote').length,
			a: a && [a.href, a.rel, a.target], styled: [...document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('[style], style')].map((e) => e.outerHTML.slice(0, 80)) };
	});
	expect(why, JSON.stringify(made) === JSON.stringify({ h: 1, strong: 1, cells: 4, end: 2, lists: 1, pre: 'js', quote: 1, a: ['https://example.com/leaflet', 'noopener noreferrer nofollow ugc', '_blank'], styled: [] }), 'made ' + JSON.stringify(made));
	await shot(page, 'answer-1280-light');
	/* feedback goes to the server, and is there after a reload */
	await $(page, '.acts [aria-label="Good answer"]').click();
	await page.waitForFunction(() => document.querySelector('switchboard-chat').shadowRoot.querySelector('.acts [aria-pressed="true"]'));
	await page.reload();
	await answered(page, 1);
	expect(why, JSON.stringify(await said(page)) === JSON.stringify(got), 'after a reload ' + JSON.stringify(await said(page)));
	expect(why, await $(page, '.acts [aria-pressed="true"]').count() === 1, 'the feedback is not there after a reload');
	await say(page, 'and a second one');
	await answered(page, 2);
	expect(why, (await said(page)).length === 5, 'the talk does not go on');
}

/* Cut again and again, the answer is whole, once, and was asked for once. */
async function broken(page, why) {
	await page.evaluate(() => Switchboard.open());
	await say(page, '[[do:paced-40x60]] cut me');
	await page.waitForFunction(() => { const e = [...document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('.assistant .text')].pop(); return e && e.textContent.length > 20; });
	cable.drop();
	await page.waitForTimeout(300);
	cable.cut = true;
	cable.drop();
	await $(page, '.link').waitFor({ state: 'visible' });
	await shot(page, 'lost-1280-light');
	cable.cut = false;
	await page.waitForTimeout(900);
	cable.drop();
	await answered(page, 1);
	const got = await said(page);
	const turns = await page.evaluate(() => window.told.filter(([n]) => n === 'session').map(([, d]) => d.turn_id));
	expect(why, got.length === 3 && new Set(turns).size === 1, 'not one turn: ' + JSON.stringify([got, turns]));
	await page.reload();
	await answered(page, 1);
	expect(why, JSON.stringify(await said(page)) === JSON.stringify(got), 'what was shown is not what the server has: ' + JSON.stringify([got, await said(page)]));
	expect(why, await $(page, '.link').isHidden(), 'still says that the connection is lost');
}

/* The page goes away in the middle of an answer, and comes again. */
async function reloaded(page, why) {
	await page.evaluate(() => Switchboard.open());
	await say(page, '[[do:paced-30x60]] reload me');
	await page.waitForFunction(() => { const e = [...document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('.assistant .text')].pop(); return e && e.textContent.length > 20; });
	await $(page, 'textarea').fill('not sent yet');
	await page.reload();
	await answered(page, 1);
	const got = await said(page);
	expect(why, got.length === 3 && got[1][1] === '[[do:paced-30x60]] reload me', 'after it ' + JSON.stringify(got));
	expect(why, await $(page, 'textarea').inputValue() === 'not sent yet', 'what was not sent is lost');
	await page.reload();
	await answered(page, 1);
	expect(why, JSON.stringify(await said(page)) === JSON.stringify(got), 'the server has ' + JSON.stringify(await said(page)));
}

/* Sent while there is no network: kept, over a reload too, and sent once. */
async function offline(page, why, c) {
	await page.evaluate(() => Switchboard.open());
	await say(page, 'first');
	await answered(page, 1);
	await c.setOffline(true);
	await say(page, 'said in a tunnel');
	await $(page, '.link').waitFor({ state: 'visible' });
	await c.setOffline(false);
	await answered(page, 2);
	const got = await said(page);
	expect(why, got.length === 5 && got[4][1] === 'said in a tunnel', 'after it ' + JSON.stringify(got));
}

async function stopped(page, why) {
	await page.evaluate(() => Switchboard.open());
	await say(page, '[[do:paced-200x50]] stop me');
	await page.waitForFunction(() => { const e = [...document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('.assistant .text')].pop(); return e && e.textContent.length > 20; });
	await shot(page, 'streaming-1280-light');
	await $(page, '.go.stop').click();
	await $(page, '.cut').waitFor();
	await $(page, '.go:not(.stop)').waitFor();
	await say(page, 'go on');
	await page.waitForFunction(() => document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('[data-turn].assistant').length === 2 &&
		document.querySelector('switchboard-chat').shadowRoot.querySelector('.messages > li:last-child .acts'));
}

/* What fails is told, with a number to ask with and a way to try again. */
async function failing(page, why) {
	await page.evaluate(() => Switchboard.open());
	await say(page, '[[do:400]] fail');
	await $(page, '.wrong').waitFor();
	const text = await $(page, '.wrong').textContent();
	expect(why, /did not work|not available|busy/.test(text) && /Number of this request: [A-Za-z0-9._-]{8,}/.test(text), 'says ' + text);
	await shot(page, 'failed-1280-light');
	await $(page, '.wrong .quiet').click();
	await page.waitForFunction(() => window.told.filter(([n]) => n === 'error').length === 2);
	expect(why, await $(page, '.wrong').count() === 1 && await $(page, '.user').count() === 1, 'trying again leaves the failed one');
}

const HOSTILE = [
	'<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<svg><script>alert(1)</script></svg>', '<iframe src="javascript:alert(1)"></iframe>',
	'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">', '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
	'<a href="javascript:alert(1)">x</a>', '[x](javascript:alert(1))', '[x](JaVaScRiPt:alert(1))', '[x](java\tscript:alert(1))', '[x](&#106;avascript:alert(1))', '[x](data:text/html,<script>alert(1)</script>)',
	'[x](vbscript:msgbox(1))', '[x](<javascript:alert(1)>)', '![x](https://evil.example/leak.png)', '![x](javascript:alert(1))', '[![x](https://evil.example/a.png)](https://evil.example/b)',
	'[x](https://evil.example/"onmouseover="alert(1))', '<https://evil.example/?leak=1>', '<javascript:alert(1)>', 'https://evil.example/"><img/src=x onerror=alert(1)>', '[x]: javascript:alert(1)\n\n[x]',
	'<style>@import "https://evil.example/x.css"; * { background: url(https://evil.example/y) }</style>', '<link rel=stylesheet href=https://evil.example/x.css>', '<meta http-equiv=refresh content="0;url=https://evil.example">',
	'<base href="https://evil.example/">', '<form action=https://evil.example><input name=a autofocus onfocus=alert(1)>', '{{constructor.constructor("alert(1)")()}}', '${alert(1)}', '{{{x}}} {{>layout}} <%= 7*7 %>',
	'x\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>', 'a\u2028b\u2029c', '\u202Egnp.exe\u202C', '\u0000\u0007\u001b[31m', '```html\n<script>alert(1)</script>\n```', '`<img src=x onerror=alert(1)>`',
	'| <img src=x onerror=alert(1)> | b |\n|---|---|\n| [x](javascript:alert(1)) | <svg onload=alert(1)> |', '# <img src=x onerror=alert(1)>', '> <script>alert(1)</script>', '- <script>alert(1)</script>',
	'**<img src=x onerror=alert(1)>**', '"><script>alert(1)</script>', "';alert(1);//", '--></style></script><script>alert(1)</script>', '<![CDATA[<script>alert(1)</script>]]>', '<x onclick=alert(1) tabindex=1 onfocus=alert(1) autofocus>',
	'<details open ontoggle=alert(1)>', '<video><source onerror=alert(1)>', '<object data=javascript:alert(1)>', '<embed src=https://evil.example/x.swf>', '[x](//evil.example)', '[x](https://user:pass@evil.example)', '[x](file:///etc/passwd)',
	'[x](blob:https://evil.example/1)', '[x](\u0001javascript:alert(1))', '*'.repeat(3000), '['.repeat(3000), '`'.repeat(3001), '_a '.repeat(1500), '> '.repeat(1500) + 'x', '- '.repeat(800) + 'x', '|'.repeat(2000) + '\n' + '|-'.repeat(2000),
	'\u0627\u0644\u0633\u0644\u0627\u0645 <b>\u05e9\u05dc\u05d5\u05dd</b>', '\ud83d\ude00'.repeat(200)];

/* Nothing of it runs, is fetched, or leads anywhere but to a web page. */
async function hostile(page, why) {
	await page.evaluate(() => { window.alert = () => { window.ran = true; }; Switchboard.open(); });
	const size = 12;
	for (let i = 0; i < HOSTILE.length; i += size) {
		await say(page, HOSTILE.slice(i, i + size).join('\n\n'));
		await answered(page, i / size + 1);
	}
	const found = await page.evaluate(() => {
		const root = document.querySelector('switchboard-chat').shadowRoot;
		const bad = [];
		for (const e of root.querySelectorAll('.text *')) {
			if (!/^(p|br|ul|ol|li|strong|em|del|code|pre|a|span|h[3-6]|hr|blockquote|div|table|thead|tbody|tr|th|td)$/i.test(e.tagName))
				bad.push('element ' + e.tagName);
			for (const a of e.attributes)
				if (!['href', 'target', 'rel', 'class', 'tabindex', 'dir', 'scope', 'start', 'data-language', 'role', 'aria-label'].includes(a.name))
					bad.push('attribute ' + a.name);
			if (e.tagName === 'A' && (!/^(https?|mailto|tel):/.test(e.href) || !/noopener/.test(e.rel)))
				bad.push('link ' + e.href);
		}
		return { bad, ran: window.ran === true, text: root.querySelector('.messages').textContent.includes('<script>alert(1)</script>') };
	});
	expect(why, found.bad.length === 0 && !found.ran && found.text, JSON.stringify(found));
	await page.reload();
	await answered(page, Math.ceil(HOSTILE.length / size));
	await page.evaluate(() => { document.querySelectorAll('*').forEach((e) => e.focus && e.focus()); });
}

/* Keys alone, and what a screen reader is told. */
async function keys(page, why) {
	const focused = () => page.evaluate(() => { const r = document.querySelector('switchboard-chat').shadowRoot; const e = r.activeElement; return e ? e.getAttribute('aria-label') || e.tagName : document.activeElement.id || document.activeElement.tagName; });
	await page.focus('#own');
	await page.keyboard.press('Tab');
	expect(why, await focused() === 'Open the chat', 'Tab leads to ' + await focused());
	await page.keyboard.press('Enter');
	await $(page, 'textarea').waitFor();
	expect(why, await focused() === 'Your message', 'opened, the focus is on ' + await focused());
	await page.keyboard.type('by keys');
	await page.keyboard.press('Shift+Enter');
	await page.keyboard.type('two lines');
	await page.keyboard.press('Enter');
	await answered(page, 1);
	expect(why, (await said(page))[1][1] === 'by keys\ntwo lines', 'said ' + JSON.stringify(await said(page)));
	expect(why, /two lines/.test(await $(page, '[aria-live="polite"].away').textContent()), 'nothing is told to screen readers');
	expect(why, await focused() === 'Your message', 'after the answer the focus is on ' + await focused());
	const order = [];
	for (let i = 0; i < 6; i++) {
		await page.keyboard.press('Shift+Tab');
		order.push(await focused());
	}
	expect(why, ['Copy', 'Bad answer', 'Good answer', 'Conversation', 'Close the chat', 'Start a new conversation'].join() === order.join(), 'the order is ' + order);
	await page.keyboard.press('Escape');
	expect(why, await $(page, '.panel').isHidden() && await focused() === 'Open the chat', 'Escape leads to ' + await focused());
	expect(why, await page.evaluate(() => JSON.stringify(window.told.map(([n]) => n).filter((n) => n === 'open' || n === 'close'))) === '["open","close"]', 'told ' + await page.evaluate(() => JSON.stringify(window.told)));
}

/* The page's own words, another language, the other side, from right to left. */
async function dressed(page, why) {
	await $(page, '.launch').waitFor();
	expect(why, /Fragen Sie uns/.test(await $(page, '.launch').textContent()), 'the launcher says something else');
	await page.evaluate(() => Switchboard.open());
	const looks = await page.evaluate(() => { const r = document.querySelector('switchboard-chat').shadowRoot; const p = r.querySelector('.panel'); return { lang: p.lang, dir: p.dir, left: p.getBoundingClientRect().left < 100, hi: r.querySelector('.text').textContent,
		title: r.querySelector('h2').textContent, line: r.querySelector('textarea').getAttribute('aria-label'), face: getComputedStyle(r.querySelector('.face')).backgroundColor, on: getComputedStyle(r.querySelector('.face')).color, chips: r.querySelectorAll('.chip').length }; });
	expect(why, JSON.stringify(looks) === JSON.stringify({ lang: 'de', dir: 'rtl', left: true, hi: 'Willkommen im Laden', title: 'Laden', line: 'Ihre Nachricht', face: 'rgb(255, 204, 0)', on: 'rgb(0, 0, 0)', chips: 2 }), JSON.stringify(looks));
	await shot(page, 'dressed-1280-light');
	await $(page, '.chip').first().click();
	await answered(page, 1);
	expect(why, (await said(page))[1][1] === 'Was kostet es?' && await $(page, '.chips').isHidden(), 'a quick reply: ' + JSON.stringify(await said(page)));
}

/* Asked before the first word: consent, then an address. */
async function asked(page, why) {
	await page.evaluate(() => Switchboard.open());
	await $(page, '.ask button').waitFor();
	await shot(page, 'consent-1280-light');
	expect(why, await page.evaluate(() => Switchboard.send('too early').then(() => document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('.user').length)) === 0, 'talks without consent');
	await $(page, '.ask .fill').click();
	await $(page, '.ask input').fill('no address');
	await $(page, '.ask .fill').click();
	await $(page, '.ask .bad').waitFor();
	await shot(page, 'email-1280-light');
	await $(page, '.ask input').fill('ann@example.com');
	await $(page, '.ask input').press('Enter');
	await $(page, '.ask').waitFor({ state: 'detached' });
	const body = page.waitForRequest((r) => /\/stream$/.test(r.url()) && r.method() === 'POST');
	await say(page, 'now');
	const sent = (await body).postDataJSON();
	expect(why, sent.email === 'ann@example.com' && sent.metadata.consent.text === 'We keep **this**.' && sent.on_disconnect === 'finish', JSON.stringify(sent));
	await answered(page, 1);
	await page.reload();
	await answered(page, 1);
	expect(why, await $(page, '.ask').count() === 0, 'asks once more');
}

/* Tools are shown at work, and where an answer is from. */
async function looked(page, why) {
	await page.evaluate(() => Switchboard.open());
	await say(page, '[[do:tool]] Look it up');
	await answered(page, 1);
	expect(why, await $(page, '.tools li.ended').count() > 0, 'no tool is shown');
	await page.route('**/messages?limit=*', async (route) => {
		const answer = await route.fetch();
		const body = await answer.json();
		body.data[1].citations = [{ n: 1, title: 'The <b>leaflet</b>', url: 'https://example.com/leaflet', quote: 'Twice a <i>day</i>.' }, { n: 2, title: 'Bad', url: 'javascript:alert(1)', quote: null }];
		await route.fulfill({ response: answer, json: body });
	});
	await page.reload();
	await answered(page, 1);
	expect(why, await $(page, '.tools li.ended').count() > 0, 'after a reload no tool is shown');
	await $(page, '.sources summary').click();
	await shot(page, 'sources-1280-light');
	const got = await page.evaluate(() => [...document.querySelector('switchboard-chat').shadowRoot.querySelectorAll('.sources li')].map((li) => [li.textContent, [...li.querySelectorAll('a')].map((a) => a.href + ' ' + a.rel)]));
	expect(why, JSON.stringify(got) === JSON.stringify([['1The <b>leaflet</b>Twice a <i>day</i>.', ['https://example.com/leaflet noopener noreferrer nofollow ugc']], ['2Bad', []]]), JSON.stringify(got));
}

/* A person is asked for: before the first word, and after it. */
async function person(page, why) {
	await page.evaluate(() => Switchboard.open());
	await say(page, 'hello');
	await answered(page, 1);
	const marked = page.waitForResponse((r) => /\/handoff$/.test(r.url()) && r.request().method() === 'POST');
	await $(page, '[aria-label="Talk to a person"]').click();
	expect(why, (await marked).status() === 201, 'marked with ' + (await marked).status());
	await $(page, '.note').waitFor();
	expect(why, await $(page, '[aria-label="Talk to a person"]').isHidden() && await page.evaluate(() => window.told.some(([n, d]) => n === 'handoff' && d.session_key && d.handoff_at)), 'told ' + await page.evaluate(() => JSON.stringify(window.told)));
	await shot(page, 'handoff-1280-light');
	await page.evaluate(() => Switchboard.reset());
	await $(page, '[aria-label="Talk to a person"]').click();
	const later = page.waitForResponse((r) => /\/handoff$/.test(r.url()) && r.request().method() === 'POST');
	await say(page, 'now for the first time');
	expect(why, (await later).status() === 201, 'later marked with ' + (await later).status());
}

async function script(page, why) {
	await page.evaluate(() => Switchboard.send('from the page'));
	await answered(page, 1);
	const told = await page.evaluate(() => window.told);
	const names = told.map(([n]) => n).join();
	expect(why, names === 'open,message,session,message' || names === 'message,open,session,message', 'told ' + names);
	expect(why, told.some(([n, d]) => n === 'message' && d.role === 'assistant' && d.text === 'from the page' && d.message_id), JSON.stringify(told));
	await page.evaluate(() => Switchboard.reset());
	expect(why, (await said(page)).length === 1, 'a new talk has old messages');
	await page.evaluate(() => Switchboard.close());
	expect(why, await $(page, '.panel').isHidden(), 'is not closed');
	const failed = await page.evaluate(() => Switchboard.identify('not.a.token').then(() => 'good', (e) => String(e.status)));
	expect(why, failed === '401', 'a forged visitor is ' + failed);
}

async function looksOf(width, scheme) {
	await check(`axe at ${width} px, ${scheme}`, async (page, why) => {
		await page.evaluate(axe);
		const findings = async (when) => why.push(...await page.evaluate((when) => window.axe.run(document.querySelector('switchboard-chat')).then((r) => r.violations.map((v) => when + ': ' + v.id + ' ' + JSON.stringify(v.nodes[0].target) + ' ' + (v.nodes[0].any[0] || {}).message)), when));
		await page.waitForTimeout(200);
		await findings('closed');
		await page.evaluate(() => Switchboard.open());
		await page.waitForTimeout(300);
		await findings('open');
		await shot(page, `start-${width}-${scheme}`);
		await say(page, ANSWER);
		await answered(page, 1);
		await say(page, 'Thanks! What does it cost?');
		await answered(page, 2);
		await findings('talking');
		await page.evaluate(() => { document.querySelector('switchboard-chat').shadowRoot.querySelector('.log').scrollTop = 480; });
		await page.waitForTimeout(100);
		await shot(page, `talk-${width}-${scheme}`);
		const wide = await page.evaluate(() => { const p = document.querySelector('switchboard-chat').shadowRoot.querySelector('.panel'); return p.scrollWidth - p.clientWidth; });
		expect(why, wide <= 0, 'wider than its window by ' + wide);
		await say(page, '[[do:400]] x');
		await $(page, '.wrong').waitFor();
		await findings('failed');
	}, { 'quick-replies': 'What does it do?|What does it cost?|Talk to sales' }, { refused: true }, { viewport: { width, height: 844 }, colorScheme: scheme });
}

/* -- the hosted page ----------------------------------------------------- */

const hosted = () => `${base}/accounts/${account}/talk/${agent}`;

async function hostedCheck(name, f, options = {}) {
	const c = await context(options);
	const why = [];
	const page = await c.newPage();
	page.on('console', (m) => { if (m.type() === 'error' && !/net::ERR_FAILED/.test(m.text())) why.push('console: ' + m.text()); });
	page.on('pageerror', (e) => why.push('error: ' + e));
	page.on('dialog', (d) => { why.push('a dialog'); d.dismiss(); });
	page.on('request', (r) => { if (!r.url().startsWith(base) && !r.url().startsWith('data:') && !(options.home && r.url().startsWith(home))) why.push('request to ' + r.url()); });
	try {
		await f(page, why, c);
	} catch (e) {
		why.push(String(e.stack || e).slice(0, 600));
	}
	await c.close();
	report(name, why);
}

const violations = (page, when) => page.evaluate((when) => window.axe.run().then((r) => r.violations.map((v) => when + ': ' + v.id + ' ' + JSON.stringify(v.nodes[0].target) + ' ' + (v.nodes[0].any[0] || {}).message)), when);

/* With scripts it is the chat, over the whole window. */
async function hostedTalk(page, why) {
	await page.goto(hosted());
	await $(page, 'textarea').waitFor();
	expect(why, await page.locator('#plain').isHidden(), 'two chats at once');
	await say(page, ANSWER);
	await answered(page, 1);
	await page.reload();
	await answered(page, 1);
	expect(why, (await said(page)).length === 3, 'after a reload ' + JSON.stringify(await said(page)));
}

/* Without them it is a page with a form; with them again, the same talk. */
async function plain(page, why, c) {
	await page.goto(hosted());
	await page.fill('textarea', 'without <b>scripts</b>\n\n' + ANSWER);
	await shot(page, 'plain-start-1280-light');
	await page.click('form.say button');
	await page.waitForURL(/#line$/);
	expect(why, await page.locator('.messages > li').count() === 3, 'there are ' + await page.locator('.messages > li').count());
	expect(why, await page.locator('.assistant td').count() === 4 && await page.locator('.assistant b').count() === 0, 'the answer is not as it should be');
	await shot(page, 'plain-1280-light');
	for (let i = 0; i < HOSTILE.length; i += 14) {
		await page.fill('textarea', HOSTILE.slice(i, i + 14).join('\n\n').replace(/\0/g, ''));
		await page.click('form.say button');
		await page.waitForFunction((n) => document.querySelectorAll('.messages > li').length === n, 5 + 2 * (i / 14)).catch(() => {});
	}
	const n = await page.locator('.messages > li').count();
	expect(why, n === 3 + 2 * Math.ceil(HOSTILE.length / 14), n + ' messages in the end');
	const cookies = await c.cookies(hosted());
	expect(why, cookies.length === 1 && cookies[0].httpOnly && cookies[0].path.endsWith('/talk/' + agent), JSON.stringify(cookies));
	await page.click('header button');
	await page.waitForURL(/#line$/);
	expect(why, await page.locator('.messages > li').count() === 1, 'a new talk has old messages');
}

async function framed(page, why) {
	await page.goto(home + '/frame');
	const frame = page.frameLocator('iframe');
	await frame.locator('switchboard-chat textarea').fill('from a frame');
	await frame.locator('switchboard-chat textarea').press('Enter');
	await frame.locator('switchboard-chat .acts').waitFor();
	await shot(page, 'framed-1280-light');
}

async function hostedLooks(width, scheme) {
	const how = { viewport: { width, height: 844 }, colorScheme: scheme };
	await hostedCheck(`hosted, axe at ${width} px, ${scheme}`, async (page, why) => {
		await page.goto(hosted());
		await $(page, 'textarea').waitFor();
		await page.evaluate(axe);
		why.push(...await violations(page, 'start'));
		await say(page, ANSWER);
		await answered(page, 1);
		why.push(...await violations(page, 'talking'));
		await shot(page, `hosted-${width}-${scheme}`);
	}, how);
	await hostedCheck(`hosted without its script, axe at ${width} px, ${scheme}`, async (page, why) => {
		await page.route('**/widget.js', (r) => r.abort());
		await page.goto(hosted());
		await page.evaluate(axe);
		why.push(...await violations(page, 'start'));
		await page.fill('textarea', ANSWER);
		await page.click('form.say button');
		await page.waitForURL(/#line$/);
		await page.evaluate(axe);
		why.push(...await violations(page, 'talking'));
		const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
		expect(why, wide <= 0, 'wider than the window by ' + wide);
		await shot(page, `plain-${width}-${scheme}`);
	}, how);
}

(async () => {
	browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
	cable = wire(+new URL(base).port);
	api = 'http://127.0.0.1:' + await listen(cable);
	const shop = site(api);
	home = 'http://localhost:' + await listen(shop);
	await check('a talk', talk);
	await check('a connection that breaks', broken, {}, { broken: true });
	await check('a reload in the middle', reloaded);
	await check('no network', offline, {}, { broken: true });
	await check('the stop button', stopped);
	await check('a failure', failing, {}, { refused: true });
	await check('hostile texts', hostile);
	await check('keys', keys);
	await check('another look', dressed, { lang: 'de', dir: 'rtl', position: 'bottom-left', color: '#ffcc00', launcher: 'Fragen Sie uns', greeting: 'Willkommen im Laden', title: 'Laden', 'quick-replies': 'Was kostet es?|Wann?' });
	await check('asked first', asked, { consent: 'We keep **this**.', 'consent-url': 'https://example.com/privacy', 'ask-email': 'required' });
	await check('tools and sources', looked);
	await check('a person', person, { handoff: 'true' });
	await check('its script', script, {}, { refused: true });
	for (const width of [1280, 390])
		for (const scheme of ['light', 'dark'])
			await looksOf(width, scheme);
	await hostedCheck('hosted', hostedTalk);
	await hostedCheck('hosted, scripts off', plain, { javaScriptEnabled: false });
	await hostedCheck('hosted, in a frame', framed, { home: true });
	for (const width of [1280, 390])
		for (const scheme of ['light', 'dark'])
			await hostedLooks(width, scheme);
	await browser.close();
	process.exit(0);
})().catch((e) => { report('widget', [String(e)]); process.exit(1); });
