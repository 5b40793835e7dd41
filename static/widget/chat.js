/* The chat's window: what is seen and pressed.  What is said is talk.js's. */
import { markdown, safeUrl, show } from './markdown.js';
import { CSS } from './style.js';
import { Talk } from './talk.js';
import { Problem, Wire } from './wire.js';
import { words } from './words.js';

const RTL = new Set(['ar', 'fa', 'he', 'iw', 'ur', 'yi']);
const DRAW_MS = 60; /* between two looks at an answer that grows */
const NEAR = 80; /* px from the end that still count as the end */
const ICONS = {
	face: 'M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-4.6 3.9A.85.85 0 0 1 5 19.2V16a2.5 2.5 0 0 1-1-2z',
	close: 'M6 6l12 12M18 6L6 18', again: 'M12 5v14M5 12h14', send: 'M12 19V5M6 11l6-6 6 6', stop: 'M7 7h10v10H7z',
	good: 'M7 11l4-7c1.4 0 2.4 1.2 2.2 2.6L12.8 10H18a2 2 0 0 1 2 2.3l-1 5.6A2.5 2.5 0 0 1 16.5 20H7zM7 11H4v9h3',
	bad: 'M17 13l-4 7c-1.4 0-2.4-1.2-2.2-2.6l.4-3.4H6a2 2 0 0 1-2-2.3l1-5.6A2.5 2.5 0 0 1 7.5 4H17zM17 13h3V4h-3',
	copy: 'M9 9h10v11H9zM5 15V4h10', down: 'M12 5v14M6 13l6 6 6-6',
	person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5',
};

function el(name, props, ...children) {
	const e = document.createElement(name);
	for (const [k, v] of Object.entries(props || {}))
		if (k.startsWith('on'))
			e.addEventListener(k.slice(2), v);
		else if (v === true)
			e.setAttribute(k, '');
		else if (v !== false && v != null)
			e.setAttribute(k, v);
	e.append(...children.filter((c) => c != null));
	return e;
}

function icon(name) {
	const ns = 'http://www.w3.org/2000/svg';
	const svg = document.createElementNS(ns, 'svg');
	const p = document.createElementNS(ns, 'path');
	svg.setAttribute('viewBox', '0 0 24 24');
	svg.setAttribute('aria-hidden', 'true');
	p.setAttribute('d', ICONS[name]);
	svg.append(p);
	return svg;
}

class Window {
	#host;
	#t;
	#talk;
	#wire;
	#looks = {};
	#drawing = 0;
	#asks = []; /* what is to be answered before one may talk */

	constructor(host) {
		this.#host = host;
		this.#t = words(host.lang);
		const a = (name) => host.getAttribute(name);
		this.#wire = new Wire({ base: host.base, account: a('account'), agent: a('agent'), key: a('key'), tokenPath: a('token-path'), told: (got) => this.#told(got) });
		this.#talk = new Talk(this.#wire, host.place, this);
		if (a('session') && !this.#talk.state.session)
			this.#talk.keep({ session: a('session') });
		this.#looks = this.#talk.state.looks || {};
		this.#draw();
		this.#dress();
		this.#start();
	}

	/* -- the frame ------------------------------------------------------- */

	#button(cls, name, label, press) {
		return el('button', { class: cls, type: 'button', 'aria-label': label, title: label, onclick: press }, icon(name));
	}

	#draw() {
		const t = this.#t, page = this.#host.mode === 'page';
		const dir = this.#host.getAttribute('dir') || (RTL.has(this.#host.getAttribute('lang') || document.documentElement.lang.slice(0, 2)) ||
			getComputedStyle(document.body).direction === 'rtl' ? 'rtl' : 'ltr');
		this.title = el(page ? 'h1' : 'h2', { id: 'title' });
		this.sub = el('p', { class: 'sub', hidden: true });
		this.person = this.#button('icon', 'person', t('person'), () => this.handoff());
		this.person.hidden = true;
		this.messages = el('ol', { class: 'messages' });
		this.log = el('div', { class: 'log', role: 'log', 'aria-live': 'off', 'aria-label': t('log'), tabindex: '0', onscroll: () => this.#scrolled() }, this.messages);
		this.latest = this.#button('icon latest', 'down', t('latest'), () => this.#toEnd(true));
		this.latest.hidden = true;
		this.linked = el('div', { class: 'link', role: 'status', hidden: true });
		this.chips = el('ul', { class: 'chips', hidden: true });
		this.field = el('textarea', { rows: '1', maxlength: '16000', 'aria-label': t('message'), enterkeyhint: 'send', autocomplete: 'off',
			oninput: () => this.#typed(), onkeydown: (e) => this.#key(e) });
		this.go = el('button', { class: 'go', type: 'submit' });
		this.form = el('form', { class: 'line', onsubmit: (e) => { e.preventDefault(); this.#submit(); } }, this.field, this.go);
		this.said = el('div', { class: 'away', 'aria-live': 'polite', 'aria-atomic': 'true' });
		this.panel = el('section', { class: 'panel', part: 'panel', role: page ? 'region' : 'dialog', 'aria-labelledby': 'title', lang: this.#host.lang, dir, hidden: !page,
			onkeydown: (e) => { if (e.key === 'Escape' && !page && !e.isComposing) { e.stopPropagation(); this.close(); } } },
			el('header', { class: 'head' }, el('div', { class: 'face' }, icon('face')), el('div', { class: 'names' }, this.title, this.sub), this.person,
				this.#button('icon', 'again', t('again'), () => this.reset()), page ? null : this.#button('icon', 'close', t('close'), () => this.close())),
			el('div', { class: 'middle' }, page ? el('h2', { class: 'away' }, t('log')) : null, this.log, this.latest),
			this.linked, el('div', { class: 'foot' }, this.chips, this.form), this.said);
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(CSS);
		this.#host.shadowRoot.adoptedStyleSheets = [sheet, ...this.#host.shadowRoot.adoptedStyleSheets];
		this.#host.shadowRoot.append(this.panel);
		this.field.value = this.#talk.state.draft || '';
		this.busy(false);
	}

	/* The page's words go before the account's. */
	#look(name) {
		return this.#host.getAttribute(name.replace('_', '-')) || this.#looks[name];
	}

	#told(got) {
		this.#looks = { ...got.appearance, display_name: got.agent?.display_name };
		if (got.agent && !this.#talk.agent)
			this.#talk.agent = got.agent.type + '/' + got.agent.name;
		this.#talk.keep({ looks: this.#looks });
		this.#host.wear(this.#looks);
		this.#dress();
	}

	#dress() {
		const title = this.#look('title') || this.#looks.display_name || this.#t('title');
		const name = this.#looks.display_name;
		this.title.textContent = title;
		this.sub.textContent = name || '';
		this.sub.hidden = !name || name === title;
		this.field.placeholder = this.#look('placeholder') || this.#t('placeholder');
		this.person.hidden = !this.#look('handoff') || this.#look('handoff') === 'false' || !!this.#talk.state.handoff;
		this.#greet();
	}

	/* The greeting, what is asked first, and what could be said. */
	#greet() {
		if (!this.hello) {
			this.hello = el('li', { class: 'assistant' });
			this.messages.prepend(this.hello);
		}
		const text = this.#look('greeting') || this.#t('greeting');
		if (this.hello.said !== text) {
			this.hello.said = text;
			this.hello.replaceChildren(el('div', { class: 'text', dir: 'auto' }, ...markdown(text)));
		}
		this.#askFirst();
		this.#offer();
	}

	#offer() {
		const own = this.#host.getAttribute('quick-replies');
		const list = own ? own.split('|').map((s) => s.trim()).filter(Boolean) : this.#looks.quick_replies || [];
		const fresh = !this.messages.querySelector('.user') && this.#asks.length === 0;
		this.chips.hidden = !fresh || list.length === 0;
		this.chips.replaceChildren(...list.slice(0, 6).map((text) => el('li', {}, el('button', { class: 'chip', type: 'button', dir: 'auto', onclick: () => this.send(text) }, text))));
	}

	/* -- consent and address ------------------------------------------------ */

	#askFirst() {
		const s = this.#talk.state, consent = this.#look('consent');
		const email = this.#look('ask_email');
		const want = [];
		if (consent && s.consent?.text !== consent)
			want.push('consent');
		if ((email === 'required' || email === 'optional') && !s.email && !(email === 'optional' && s.noEmail))
			want.push('email');
		if (this.first && this.first.dataset.what === want[0] && this.first.said === consent + email)
			return;
		this.first?.remove();
		this.first = null;
		this.#asks = want;
		this.form.toggleAttribute('inert', want.length > 0);
		if (want.length === 0)
			return;
		this.first = want[0] === 'consent' ? this.#askConsent(consent) : this.#askEmail(email);
		this.first.said = consent + email;
		this.first.dataset.what = want[0];
		this.messages.append(this.first);
	}

	#answered(changes) {
		this.#talk.keep(changes);
		this.#askFirst();
		this.#offer();
		(this.#asks.length ? this.first.querySelector('input, button') : this.field).focus();
		this.#toEnd(true);
	}

	#askConsent(text) {
		const href = safeUrl(this.#look('consent_url') || '');
		return el('li', { class: 'ask' }, el('div', { class: 'text', dir: 'auto' }, ...markdown(text)),
			el('div', { class: 'row' }, el('button', { class: 'fill', type: 'button', onclick: () => this.#answered({ consent: { text, at: new Date().toISOString() } }) }, this.#t('consentOk')),
				href ? el('a', { href, target: '_blank', rel: 'noopener noreferrer' }, this.#t('consentMore')) : null));
	}

	#askEmail(how) {
		const t = this.#t;
		const input = el('input', { id: 'email', type: 'email', autocomplete: 'email', maxlength: '254', 'aria-describedby': 'why', required: how === 'required' });
		const bad = el('p', { class: 'bad', role: 'alert', hidden: true }, t('emailBad'));
		const submit = (e) => {
			e.preventDefault();
			const value = input.value.trim();
			bad.hidden = input.checkValidity() && value !== '';
			if (bad.hidden)
				this.#answered({ email: value });
			else
				input.focus();
		};
		return el('li', { class: 'ask' }, el('form', { class: 'ask-form', novalidate: true, onsubmit: submit },
			el('label', { for: 'email' }, t('email')), el('p', { id: 'why', class: 'sub' }, t('emailWhy')), input, bad,
			el('div', { class: 'row' }, el('button', { class: 'fill', type: 'submit' }, t('emailSend')),
				how === 'optional' ? el('button', { class: 'quiet', type: 'button', onclick: () => this.#answered({ noEmail: true }) }, t('emailSkip')) : null)));
	}

	/* -- pressing -------------------------------------------------------------- */

	async #start() {
		try {
			await this.#wire.token();
		} catch (e) {
			if (e instanceof Problem && [401, 403, 404].includes(e.status)) {
				this.#notice(this.#t('gone'));
				this.#host.tell('error', { status: e.status, detail: e.message });
				return;
			}
		}
		const plain = this.#host.getAttribute('replaces');
		if (plain) {
			document.querySelector(plain).hidden = true;
			this.#host.hidden = false;
			if (window === window.top)
				this.field.focus();
		}
		try {
			await this.#talk.begin();
		} catch (e) {
			this.#host.tell('error', { status: e.status, detail: e.message });
		}
	}

	open({ focus = true } = {}) {
		if (this.#host.mode === 'page')
			return;
		const was = !this.panel.hidden;
		this.panel.hidden = false;
		this.#host.button.hidden = true;
		this.#host.button.setAttribute('aria-expanded', 'true');
		this.#host.unread(0);
		this.#talk.keep({ open: true });
		this.#toEnd(true);
		if (focus)
			(this.#asks.length ? this.first.querySelector('input, button') : this.field).focus();
		if (!was)
			this.#host.tell('open', {});
	}

	close() {
		if (this.panel.hidden || this.#host.mode === 'page')
			return;
		const inside = this.#host.shadowRoot.activeElement;
		this.panel.hidden = true;
		this.#host.button.hidden = false;
		this.#host.button.setAttribute('aria-expanded', 'false');
		this.#talk.keep({ open: false });
		if (inside)
			this.#host.button.focus();
		this.#host.tell('close', {});
	}

	async send(text) {
		text = text.trim();
		if (!text || this.#asks.length)
			return;
		await this.#talk.send(text);
	}

	async identify(token) {
		let sub = '';
		try {
			const raw = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
			sub = JSON.parse(new TextDecoder().decode(Uint8Array.from(raw, (c) => c.charCodeAt(0)))).sub;
		} catch {
			/* the server will say what is wrong with it */
		}
		const hash = await crypto.subtle?.digest('SHA-256', new TextEncoder().encode(sub));
		const name = hash ? Array.from(new Uint8Array(hash, 0, 8), (b) => b.toString(16).padStart(2, '0')).join('') : sub;
		this.#wire.visitor = token;
		this.#wire.forget();
		await this.#wire.token();
		await this.#talk.move(this.#host.place + '@' + name);
	}

	/* A person is asked for: of the session there is, else of the first
	 * message's.  The page hears of it in any case. */
	async handoff() {
		try {
			const told = await this.#talk.handoff();
			this.#dress();
			this.messages.append(el('li', { class: 'note', role: 'status' }, this.#t('handed')));
			this.#toEnd(true);
			this.#host.tell('handoff', told);
		} catch (e) {
			this.messages.append(el('li', { class: 'note', role: 'alert' }, this.#t('failed')));
			this.#host.tell('error', { status: e.status, detail: e.message });
		}
	}

	async reset() {
		await this.#talk.reset();
		this.#dress();
		this.field.focus();
		this.#host.tell('reset', {});
	}

	#submit() {
		if (this.#talk.busy) {
			this.go.setAttribute('aria-disabled', 'true');
			this.#talk.stop();
			return;
		}
		const text = this.field.value.trim();
		if (!text || this.#asks.length)
			return;
		this.field.value = '';
		this.#typed();
		this.#talk.send(text);
	}

	#key(e) {
		if (e.key !== 'Enter' || e.shiftKey || e.altKey || e.ctrlKey || e.metaKey || e.isComposing)
			return;
		e.preventDefault();
		if (!this.#talk.busy)
			this.#submit();
	}

	#typed() {
		this.#talk.keep({ draft: this.field.value });
		if (!CSS_SIZES)
			this.field.rows = Math.min(6, this.field.value.split('\n').length);
		if (!this.#talk.busy)
			this.go.setAttribute('aria-disabled', String(!this.field.value.trim()));
	}

	/* -- told by the talk -------------------------------------------------------- */

	metadata() {
		const s = this.#talk.state;
		return { page: location.origin + location.pathname, language: this.#host.lang, ...s.consent ? { consent: s.consent } : {} };
	}

	busy(is) {
		const t = this.#t;
		this.go.classList.toggle('stop', is);
		this.go.replaceChildren(icon(is ? 'stop' : 'send'));
		this.go.setAttribute('aria-label', t(is ? 'stop' : 'send'));
		this.go.title = t(is ? 'stop' : 'send');
		this.go.setAttribute('aria-disabled', String(!is && !this.field.value.trim()));
	}

	link(how) {
		this.linked.hidden = !how;
		this.linked.textContent = how ? this.#t(how) : '';
	}

	transcript(list) {
		for (const old of [...this.messages.children])
			if (old !== this.hello && old !== this.first && !(this.#talk.state.pending?.id && old.dataset.pending === this.#talk.state.pending.id))
				old.remove();
		const nodes = list.map((m) => m.role === 'user' ? this.#user(m.content, m.turn_id) : this.#assistant(m));
		(this.hello || this.messages.firstChild).after(...nodes);
		this.#offer();
		this.#toEnd(true);
	}

	#user(text, turn) {
		return el('li', { class: 'user', 'data-turn': turn }, el('span', { class: 'away' }, this.#t('you') + ': '), el('div', { class: 'text', dir: 'auto' }, text));
	}

	#assistant(m) {
		const li = this.#answer(m.turn_id);
		const p = { node: li, text: m.content, tools: (m.tool_calls || []).map((c) => ({ name: c.name, ended: true, ok: c.ok, summary: c.summary })),
			citations: m.citations, finish: m.finish_reason, message_id: m.id, rating: m.rating };
		this.#paint(p);
		this.#finish(p, {});
		return li;
	}

	#answer(turn) {
		const li = el('li', { class: 'assistant', 'data-turn': turn });
		li.tools = el('ul', { class: 'tools', hidden: true });
		li.text = el('div', { class: 'text', dir: 'auto' });
		li.dots = el('div', { class: 'dots', hidden: true }, el('i'), el('i'), el('i'));
		li.append(el('span', { class: 'away' }, this.#t('answered') + ': '), li.tools, li.text, li.dots);
		return li;
	}

	/* A message has been written down; it goes out now. */
	asked(p) {
		const li = this.#user(p.body.message, p.turn);
		li.dataset.pending = p.id;
		li.classList.add('waiting');
		p.node = this.#answer(p.turn);
		p.node.dataset.pending = p.id;
		p.node.dots.hidden = false;
		p.asked = li;
		this.messages.append(li, p.node);
		this.chips.hidden = true;
		this.#toEnd(true);
		this.#host.tell('message', { role: 'user', text: p.body.message });
	}

	turn(p, data) {
		/* a transcript that was read before this was known may have it too */
		for (const old of this.messages.querySelectorAll(`[data-turn="${CSS_ESCAPE(p.turn)}"]`))
			if (old.dataset.pending !== p.id)
				old.remove();
		p.asked.classList.remove('waiting');
		p.asked.dataset.turn = p.node.dataset.turn = p.turn;
		this.said.textContent = this.#t('thinking');
		this.#host.tell('session', { session_key: data.session_key, turn_id: p.turn });
	}

	delta(p) {
		p.dirty = true;
		if (this.#drawing)
			return;
		this.#drawing = setTimeout(() => {
			this.#drawing = 0;
			if (p.dirty)
				this.#paint(p);
		}, p.node.text.firstChild ? DRAW_MS : 0);
	}

	#paint(p) {
		const end = this.#atEnd();
		p.dirty = false;
		const t = this.#t;
		p.node.tools.hidden = !p.tools.length;
		p.node.tools.replaceChildren(...p.tools.map((tool) => el('li', { class: tool.ended ? tool.ok ? 'ended' : 'ended failed' : '' },
			t(tool.ended ? tool.ok ? 'used' : 'failedTool' : 'using', tool.name.replace(/[_-]+/g, ' ')))));
		show(p.node.text, p.text);
		for (const pre of p.node.text.querySelectorAll('pre'))
			pre.setAttribute('aria-label', pre.dataset.language ? t('code') + ': ' + pre.dataset.language : t('code'));
		for (const table of p.node.text.querySelectorAll('.table'))
			table.setAttribute('aria-label', t('table'));
		for (const area of p.node.text.querySelectorAll('pre, .table'))
			area.setAttribute('role', 'region');
		if (end)
			this.#toEnd();
	}

	ended(p, how) {
		const fresh = p.node;
		this.#paint(p);
		this.#finish(p, how);
		this.said.textContent = '';
		if (how.error) {
			this.#wrong(p, how.error);
			this.#host.tell('error', { status: how.error.status, detail: how.error.message, request_id: how.error.requestId });
		} else if (!how.stopped) {
			this.said.textContent = this.#t('answered') + ': ' + fresh.text.textContent;
			this.#host.tell('message', { role: 'assistant', text: p.text, message_id: p.message_id, citations: p.citations });
			if (this.panel.hidden)
				this.#host.unread(1);
		}
		if (this.#atEnd())
			this.#toEnd();
	}

	#finish(p, how) {
		const t = this.#t, li = p.node;
		li.dots.hidden = true;
		if (p.finish === 'cancelled' || how.stopped)
			li.append(el('p', { class: 'cut' }, t('stopped')));
		else if (p.finish === 'length')
			li.append(el('p', { class: 'cut' }, t('cut')));
		else if (p.finish === 'content_filter')
			li.append(el('p', { class: 'cut' }, t('filtered')));
		if (p.citations?.length)
			li.append(this.#sources(p.citations));
		if (p.message_id && p.text && !how.error)
			li.append(this.#acts(p));
	}

	#sources(list) {
		return el('details', { class: 'sources' }, el('summary', {}, `${this.#t('sources')} (${list.length})`),
			el('ol', {}, ...list.map((c) => {
				const href = safeUrl(c.url || '');
				const title = c.title || c.url || '';
				return el('li', {}, el('span', { class: 'n' }, String(c.n)),
					href ? el('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow ugc', dir: 'auto' }, title) : el('span', { class: 'title', dir: 'auto' }, title),
					c.quote ? el('q', { dir: 'auto' }, c.quote) : null);
			})));
	}

	#acts(p) {
		const t = this.#t, said = el('span', { class: 'said', role: 'status' });
		const rates = [1, -1].map((rating) => el('button', { class: 'icon', type: 'button', 'aria-label': t(rating > 0 ? 'good' : 'bad'), title: t(rating > 0 ? 'good' : 'bad'),
			'aria-pressed': String(p.rating === rating), onclick: () => rate(rating) }, icon(rating > 0 ? 'good' : 'bad')));
		const rate = async (rating) => {
			try {
				await this.#talk.rate(p.message_id, rating);
				rates.forEach((b, i) => b.setAttribute('aria-pressed', String((i ? -1 : 1) === rating)));
				said.textContent = t('thanks');
				this.#host.tell('feedback', { message_id: p.message_id, rating });
			} catch {
				said.textContent = t('failed');
			}
		};
		const copy = el('button', { class: 'icon', type: 'button', 'aria-label': t('copy'), title: t('copy'), onclick: async () => {
			try {
				await navigator.clipboard.writeText(p.text);
				said.textContent = t('copied');
			} catch {
				said.textContent = t('failed');
			}
		} }, icon('copy'));
		return el('div', { class: 'acts' }, ...rates, navigator.clipboard ? copy : null, said);
	}

	/* What went wrong, and what to do: the message is not lost. */
	#wrong(p, e) {
		const t = this.#t;
		const text = e.status === 429 ? t('limited') : e.status === 503 || e.status === 504 || e.status === 502 ? t('busy') : [401, 403, 404].includes(e.status) ? t('gone') : t('failed');
		const again = el('button', { class: 'quiet', type: 'button', onclick: () => {
			p.asked.remove();
			p.node.remove();
			this.#talk.keep({ draft: '' });
			this.#talk.send(p.body.message);
		} }, t('retry'));
		p.asked.classList.remove('waiting');
		p.node.append(el('div', { class: 'wrong', role: 'alert' }, el('p', {}, text), e.status === 422 && e.errors[0] ? el('p', {}, e.errors[0].detail) : null,
			e.requestId ? el('p', { class: 'small' }, t('number', e.requestId)) : null, again));
		/* a reload finds it in the line again */
		if (!p.turn && !this.field.value)
			this.#talk.keep({ draft: p.body.message });
	}

	#notice(text) {
		this.messages.append(el('li', { class: 'note' }, text));
		this.form.toggleAttribute('inert', true);
		this.chips.hidden = true;
	}

	/* -- scrolling ----------------------------------------------------------------- */

	#atEnd() {
		return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR;
	}

	#toEnd(always) {
		if (always || this.#atEnd() || this.latest.hidden)
			this.log.scrollTop = this.log.scrollHeight;
		this.#scrolled();
	}

	#scrolled() {
		this.latest.hidden = this.#atEnd();
	}
}

const CSS_SIZES = globalThis.CSS?.supports?.('field-sizing', 'content');
const CSS_ESCAPE = (s) => globalThis.CSS.escape(s);

/* Called by the launcher, once for each element. */
export function start(host) {
	return new Window(host);
}
