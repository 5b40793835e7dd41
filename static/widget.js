/*
 * The chat's launcher: a button in the corner of somebody's page.  The chat
 * itself is loaded when it is wanted.
 *
 *   <script src="https://chat.example/widget.js" async data-account="acme"
 *           data-agent="sales/main" data-key="sb_pub_..."></script>
 *
 * Every data-NAME of the script is the attribute NAME of the element
 * <switchboard-chat>, which a page may also write itself (docs/widget.md).
 * Nothing here writes a style attribute, HTML text or inline script, so the
 * page's policy may be as strict as it likes.
 */
(() => {
	'use strict';
	const NAME = 'switchboard-chat';
	const PARTS = 'static/@WIDGET@/';
	const script = document.currentScript;
	if (customElements.get(NAME))
		return;
	const base = script ? new URL('.', script.src).href : location.origin + '/';

	const LABELS = { en: 'Open the chat', de: 'Chat öffnen' };
	const COLOR = /^#[0-9a-f]{6}$/i;
	const ICON = 'M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-4.6 3.9A.85.85 0 0 1 5 19.2V16a2.5 2.5 0 0 1-1-2z';

	const CSS = `
:host { --_a: var(--switchboard-accent, #3f51d9); --_on: var(--switchboard-on-accent, #fff);
	--_x: var(--switchboard-offset, 1.25rem); --_z: var(--switchboard-z-index, 2147483000);
	all: initial; color-scheme: light dark; }
:host([hidden]) { display: none; }
.launch { all: unset; box-sizing: border-box; position: fixed; z-index: var(--_z); bottom: calc(var(--_x) + env(safe-area-inset-bottom));
	right: var(--_x); display: inline-flex; align-items: center; justify-content: center; gap: .625rem; min-width: 3.5rem; height: 3.5rem;
	padding: 0 1rem; border-radius: 1.75rem; background: var(--_a); color: var(--_on); cursor: pointer;
	font: 600 1rem/1 var(--switchboard-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
	box-shadow: 0 1px 3px rgb(15 20 40 / 24%), 0 8px 24px rgb(15 20 40 / 20%); }
:host([position="bottom-left"]) .launch { right: auto; left: var(--_x); }
.launch:hover { box-shadow: 0 1px 3px rgb(15 20 40 / 30%), 0 10px 30px rgb(15 20 40 / 30%); }
.launch:focus-visible { outline: 3px solid var(--_a); outline-offset: 3px; }
.launch svg { width: 1.5rem; height: 1.5rem; fill: currentcolor; flex: none; }
.launch[hidden] { display: none; }
.launch[aria-busy="true"] svg { animation: pulse 1s ease-in-out infinite alternate; }
.unread { position: absolute; top: -.125rem; inset-inline-end: -.125rem; min-width: 1.25rem; height: 1.25rem; padding: 0 .25rem;
	box-sizing: border-box; border-radius: 1rem; background: #b3192b; color: #fff; font: 700 .75rem/1.25rem system-ui, sans-serif; text-align: center; }
.unread[hidden] { display: none; }
.failed { all: unset; position: fixed; z-index: var(--_z); right: var(--_x); bottom: calc(var(--_x) + 4.25rem); max-width: 16rem; padding: .625rem .875rem;
	border-radius: .75rem; background: #1b2130; color: #fff; font: .9375rem/1.4 system-ui, sans-serif; }
:host([position="bottom-left"]) .failed { right: auto; left: var(--_x); }
.failed[hidden] { display: none; }
@keyframes pulse { to { opacity: .35; } }
@media (prefers-reduced-motion: reduce) { .launch[aria-busy="true"] svg { animation: none; } }
@media print { .launch { display: none; } }
`;

	/* Black or white, whichever is read more easily on it (WCAG). */
	function onColor(hex) {
		const part = (i) => {
			const c = parseInt(hex.slice(i, i + 2), 16) / 255;
			return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
		};
		const l = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
		return 1.05 / (l + 0.05) >= (l + 0.05) / 0.05 ? '#fff' : '#000';
	}

	function el(name, props, ...children) {
		const e = document.createElement(name);
		for (const [k, v] of Object.entries(props || {}))
			if (v === true)
				e.setAttribute(k, '');
			else if (v !== false && v != null)
				e.setAttribute(k, v);
		e.append(...children);
		return e;
	}

	function icon(path) {
		const ns = 'http://www.w3.org/2000/svg';
		const svg = document.createElementNS(ns, 'svg');
		const p = document.createElementNS(ns, 'path');
		svg.setAttribute('viewBox', '0 0 24 24');
		svg.setAttribute('aria-hidden', 'true');
		p.setAttribute('d', path);
		svg.append(p);
		return svg;
	}

	class Chat extends HTMLElement {
		#handlers = new Map();
		#chat = null; /* promise of the loaded chat */
		#count = 0;
		#look = new CSSStyleSheet();

		connectedCallback() {
			if (this.shadowRoot)
				return;
			this.hidden = this.hasAttribute('replaces'); /* until it can talk */
			const root = this.attachShadow({ mode: 'open' });
			const sheet = new CSSStyleSheet();
			sheet.replaceSync(CSS);
			root.adoptedStyleSheets = [sheet, this.#look];
			this.base = this.getAttribute('src') || base;
			this.stored = this.remembered();
			this.wear(this.stored.looks || {});
			this.draw(root);
			/* As it was on the page before: open, or still being answered. */
			if (this.hasAttribute('open') || this.mode === 'page' ||
			    (this.stored.open && innerWidth > 640))
				this.open({ focus: false });
			else if (this.stored.pending)
				this.load().catch(() => {});
		}

		get mode() { return this.getAttribute('mode') || 'corner'; }
		get lang() {
			const l = (this.getAttribute('lang') || document.documentElement.lang || navigator.language || 'en').slice(0, 2).toLowerCase();
			return l in LABELS ? l : 'en';
		}
		get place() {
			return ['switchboard', this.getAttribute('account'), this.getAttribute('agent') || '',
				(this.getAttribute('key') || 'page').slice(0, 18)].join(':');
		}

		/* What is known of the talk, without which there is none. */
		remembered() {
			try {
				return JSON.parse(localStorage.getItem(this.place)) || {};
			} catch {
				return {};
			}
		}

		/* Colours and side: the page's word goes before the account's. */
		wear(looks) {
			const color = this.getAttribute('color') || looks.color;
			this.#look.replaceSync(COLOR.test(color || '') ?
				`:host { --_a: var(--switchboard-accent, ${color}); --_on: var(--switchboard-on-accent, ${onColor(color)}); }` : '');
			if (!this.hasAttribute('position') && looks.position)
				this.setAttribute('position', looks.position);
			if (!this.hasAttribute('theme') && looks.theme)
				this.setAttribute('theme', looks.theme);
		}

		draw(root) {
			const text = this.getAttribute('launcher') || (this.stored.looks || {}).launcher;
			this.button = el('button', { class: 'launch', type: 'button', part: 'launcher', 'aria-haspopup': 'dialog',
				'aria-expanded': 'false', 'aria-label': text ? null : LABELS[this.lang], hidden: this.mode === 'page' }, icon(ICON));
			if (text)
				this.button.append(el('span', {}, text));
			this.badge = el('span', { class: 'unread', hidden: true });
			this.note = el('div', { class: 'failed', role: 'alert', hidden: true });
			this.button.append(this.badge);
			this.button.addEventListener('click', () => this.open());
			this.button.addEventListener('pointerenter', () => this.load().catch(() => {}), { once: true });
			root.append(this.button, this.note);
		}

		/* The chat's own files, once; asked for again after a failure. */
		load() {
			if (!this.#chat) {
				this.button.setAttribute('aria-busy', 'true');
				this.#chat = import(new URL(PARTS + 'chat.js', this.base).href)
					.then((m) => m.start(this))
					.catch((e) => { this.#chat = null; throw e; })
					.finally(() => this.button.removeAttribute('aria-busy'));
			}
			return this.#chat;
		}

		async open(how) {
			try {
				(await this.load()).open(how);
				this.note.hidden = true;
			} catch (e) {
				this.note.textContent = this.lang === 'de' ? 'Der Chat lässt sich gerade nicht laden. Bitte noch einmal versuchen.'
					: 'The chat cannot be loaded just now. Please try again.';
				this.note.hidden = false;
				this.tell('error', { detail: String(e) });
			}
		}

		async close() { if (this.#chat) (await this.#chat).close(); }
		async send(text) { const c = await this.load(); c.open({ focus: false }); return c.send(String(text)); }
		async identify(token) { return (await this.load()).identify(token); }
		async handoff() { return (await this.load()).handoff(); }
		async reset() { return (await this.load()).reset(); }

		on(event, handler) {
			if (!this.#handlers.has(event))
				this.#handlers.set(event, new Set());
			this.#handlers.get(event).add(handler);
			return () => this.#handlers.get(event).delete(handler);
		}

		/* To the page: its handlers, and as an event of the element. */
		tell(event, detail) {
			for (const handler of this.#handlers.get(event) || [])
				try {
					handler(detail);
				} catch (e) {
					reportError(e);
				}
			this.dispatchEvent(new CustomEvent('switchboard:' + event, { detail, bubbles: true, composed: true }));
		}

		unread(n) {
			this.#count = n ? this.#count + n : 0;
			this.badge.hidden = this.#count === 0;
			this.badge.textContent = this.#count > 9 ? '9+' : String(this.#count || '');
		}
	}
	customElements.define(NAME, Chat);

	/* window.Switchboard, and what a page asked of it before it was there:
	 * (window.Switchboard = window.Switchboard || []).push(['on', 'open', f]) */
	const data = script ? script.dataset : {};
	if (!data.account)
		return;
	const element = document.createElement(NAME);
	for (const [name, value] of Object.entries(data).filter(([, v]) => v !== ''))
		element.setAttribute(name.replace(/[A-Z]/g, (c) => '-' + c.toLowerCase()), value);
	const early = Array.isArray(window.Switchboard) ? window.Switchboard : [];
	const api = { element, push: (call) => api[call[0]](...call.slice(1)) };
	for (const name of ['open', 'close', 'send', 'on', 'identify', 'handoff', 'reset'])
		api[name] = (...args) => element[name](...args);
	window.Switchboard = api;
	const place = () => {
		(data.into && document.querySelector(data.into) || document.body).append(element);
		for (const call of early)
			api.push(call);
		element.tell('ready', {});
	};
	if (document.body)
		place();
	else
		addEventListener('DOMContentLoaded', place, { once: true });
})();
