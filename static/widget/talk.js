/*
 * One talk: what is sent, what comes back, and what is kept in the browser so
 * that a reload, a lost network or a sleeping machine neither loses nor doubles
 * anything.  Knows no page; ${ui} is told.
 *
 * A message is written down with an Idempotency-Key before it is sent, and goes
 * by that key until its turn is known; from then on the turn's stream is gone
 * on with.  So a request may be repeated without a thought.
 */
import { events, passing, Problem } from './wire.js';

const QUIET = 45000; /* the server's heartbeats come every 3 s, at most 30 */
const ASLEEP = 10000;
const TRIES = 7; /* of what the server refuses for the time being */

const id = () => crypto.randomUUID ? crypto.randomUUID()
	: Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

export class Talk {
	#abort = null;
	#busy = false;
	#begun = false;
	#wake = null;
	#heard = 0; /* when, of the connection there is */

	constructor(wire, place, ui) {
		Object.assign(this, { wire, ui, place, agent: wire.agent });
		this.state = this.#read();
		const wake = () => {
			this.#wake?.();
			if (this.#busy && Date.now() - this.#heard > ASLEEP)
				this.#abort?.abort(new Error('woken'));
		};
		addEventListener('online', wake);
		document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake());
		addEventListener('storage', (e) => e.key === this.place && this.#elsewhere());
	}

	get busy() { return this.#busy; }

	#read() {
		try {
			return JSON.parse(localStorage.getItem(this.place)) || {};
		} catch {
			return {};
		}
	}

	keep(changes) {
		const p = Object.assign(this.state, changes).pending;
		/* of a pending message not what the stream tells again */
		const pending = p && { id: p.id, body: p.body, at: p.at, turn: p.turn };
		try {
			localStorage.setItem(this.place, JSON.stringify({ ...this.state, pending }));
		} catch {
			/* no storage, or it is full: the talk lasts as long as the page */
		}
	}

	/* Another tab has said something. */
	#elsewhere() {
		if (this.#busy)
			return;
		const theirs = this.#read();
		const changed = theirs.session !== this.state.session || theirs.turns !== this.state.turns;
		this.state = { ...theirs, open: this.state.open, draft: this.state.draft, pending: null };
		if (changed)
			this.show().catch(() => {});
	}

	/* What was said, and what is still being said. */
	async begin() {
		if (this.state.pending)
			this.ui.asked(this.state.pending);
		await this.show();
		if (this.state.pending)
			await this.#run(this.state.pending);
		this.#begun = true;
		await this.#next();
	}

	/* Shows the messages that the server has; after a failure, when it is
	 * there again. */
	async show() {
		for (let n = 0; this.state.session; n++) {
			try {
				this.ui.transcript(await this.#messages());
				this.ui.link(null);
				return;
			} catch (e) {
				if (e instanceof Problem && e.status === 404) {
					this.keep({ session: null });
					break;
				}
				if (!passing(e))
					throw e;
				this.ui.link('lost');
				await this.#pause(n, e);
			}
		}
		this.ui.transcript([]);
	}

	async #messages() {
		const all = [];
		for (let after = ''; after !== null;) {
			const page = await this.wire.json('GET', `/sessions/${encodeURIComponent(this.state.session)}/messages?limit=200${after && '&after=' + after}`);
			all.push(...page.data);
			after = page.next;
		}
		return all.filter((m) => !this.state.pending || m.turn_id !== this.state.pending.turn);
	}

	/* Say it now, or after what is being answered. */
	async send(text) {
		text = text.replace(/\0/g, '');
		if (this.#busy || !this.#begun) {
			this.keep({ queue: [...this.state.queue || [], text] });
			return;
		}
		const body = { message: text, on_disconnect: 'finish', metadata: this.ui.metadata() };
		if (this.state.session)
			body.session_key = this.state.session;
		if (this.state.email)
			body.email = this.state.email;
		const p = { id: id(), body, at: Date.now() };
		this.keep({ pending: p });
		this.ui.asked(p);
		await this.#run(p);
		await this.#next();
	}

	async #next() {
		const [text, ...queue] = this.state.queue || [];
		if (text === undefined || this.#busy)
			return;
		this.keep({ queue });
		await this.send(text);
	}

	async #run(p) {
		let refused = 0;
		this.#busy = true;
		this.ui.busy(true);
		Object.assign(p, { text: '', tools: [], last: '' });
		for (let n = 0; ; n++) {
			try {
				if (await this.#attempt(p, () => { n = 0; refused = 0; }) || p.dropped)
					break;
			} catch (e) {
				if (p.dropped)
					break;
				if (p.stopped && !p.turn) {
					this.#end(p, { stopped: true });
					break;
				}
				if (this.#lostSession(p, e))
					continue;
				if (e instanceof Problem && (!passing(e) || ++refused > TRIES || e.after > 30)) {
					this.#end(p, { error: e });
					break;
				}
				await this.#pause(n, e);
				continue;
			}
			await this.#pause(n);
		}
	}

	/* The session is not ours any more (it was deleted, or is another
	 * visitor's): the message begins a new one. */
	#lostSession(p, e) {
		if (!(e instanceof Problem) || e.status !== 404 || p.turn || !p.body.session_key)
			return false;
		delete p.body.session_key;
		p.id = id();
		this.keep({ session: null, pending: p });
		return true;
	}

	async #open(p) {
		this.#heard = Date.now();
		const [type, name] = this.agent.split('/');
		const path = `/agents/${type}/${name}/stream`;
		const signal = this.#abort.signal;
		if (!p.turn)
			return this.wire.ask('POST', path, { signal, body: p.body, headers: { 'Idempotency-Key': p.id } });
		return this.wire.ask('GET', `${path}?turn_id=${p.turn}${p.last && '&last_event_id=' + encodeURIComponent(p.last)}`, { signal });
	}

	/* One connection; true when the turn has ended. */
	async #attempt(p, heard) {
		this.#abort = new AbortController();
		const answer = await this.#open(p);
		if (answer.status === 204) {
			await this.#settle(p);
			return true;
		}
		this.ui.link(null);
		for await (const e of events(answer, this.#abort, QUIET, () => { this.#heard = Date.now(); })) {
			heard();
			if (e.id)
				p.last = e.id;
			if (this.#hear(p, e))
				return true;
		}
		return false;
	}

	#hear(p, { event, data }) {
		switch (event) {
		case 'session':
			p.turn = data.turn_id;
			this.keep({ session: data.session_key });
			this.ui.turn(p, data);
			if (p.stopped)
				this.stop();
			return false;
		case 'delta':
			p.text += data.text;
			this.ui.delta(p);
			return false;
		case 'tool_call':
			p.tools.push({ id: data.id, name: data.name });
			this.ui.delta(p);
			return false;
		case 'tool_result':
			Object.assign(p.tools.find((t) => t.id === data.id) || {}, { ended: true, ok: data.ok, summary: data.summary });
			this.ui.delta(p);
			return false;
		case 'message':
			Object.assign(p, { text: data.reply, message_id: data.message_id, citations: data.citations, finish: data.finish_reason });
			this.ui.delta(p);
			return false;
		case 'error':
			this.#end(p, { error: new Problem(data.status || 500, data, NaN) });
			return true;
		case 'done':
			this.#end(p, {});
			return true;
		default:
			return false;
		}
	}

	/* The stream has nothing more, and we have not seen its end. */
	async #settle(p) {
		const turn = await this.wire.json('GET', `/turns/${p.turn}`);
		Object.assign(p, { text: turn.reply || p.text, message_id: turn.message_id, citations: turn.citations || [], finish: turn.finish_reason });
		this.#end(p, turn.state === 'failed' && !turn.reply ? { error: new Problem(500, {}, NaN) } : {});
	}

	#end(p, how) {
		this.#busy = false;
		if (this.state.handoff && !p.body.session_key && this.state.session)
			this.wire.json('POST', `/sessions/${encodeURIComponent(this.state.session)}/handoff`).catch(() => {});
		this.keep({ pending: null, turns: (this.state.turns || 0) + 1 });
		this.ui.link(null);
		this.ui.ended(p, how);
		this.ui.busy(false);
	}

	/* Until it may be tried again: sooner when the network or the reader is
	 * back. */
	async #pause(n, e) {
		const after = e instanceof Problem && e.after > 0 ? e.after * 1000 : Math.min(15000, 400 * 2 ** Math.min(n, 6));
		this.ui.link(e instanceof Problem && e.status === 429 ? 'limit' : navigator.onLine === false ? 'offline' : n > 0 ? 'lost' : null);
		let timer;
		await new Promise((done) => {
			this.#wake = done;
			timer = setTimeout(done, after * (0.85 + Math.random() * 0.3));
		});
		clearTimeout(timer);
		this.#wake = null;
	}

	async stop() {
		const p = this.state.pending;
		if (!p)
			return;
		p.stopped = true;
		if (!p.turn) {
			this.#abort?.abort();
			return;
		}
		await this.wire.json('DELETE', `/turns/${p.turn}`).catch(() => {});
	}

	/* Mark the session; {session_key, handoff_at}.  Before the first word there
	 * is none: it is marked with that. */
	async handoff() {
		this.keep({ handoff: true });
		if (!this.state.session)
			return { session_key: null };
		try {
			return await this.wire.json('POST', `/sessions/${encodeURIComponent(this.state.session)}/handoff`);
		} catch (e) {
			this.keep({ handoff: false });
			throw e;
		}
	}

	async rate(message, rating) {
		await this.wire.json('POST', `/sessions/${encodeURIComponent(this.state.session)}/messages/${message}/feedback`, { rating });
	}

	/* Nobody waits for it any more. */
	#drop() {
		const p = this.state.pending;
		if (!this.#busy || !p)
			return;
		this.stop();
		p.dropped = true;
		this.#busy = false;
		this.#abort?.abort();
		this.#wake?.();
		this.ui.busy(false);
	}

	/* Another talk.  What was said stays with the server. */
	async reset() {
		this.#drop();
		this.keep({ session: null, pending: null, queue: [], handoff: false });
		this.ui.transcript([]);
	}

	/* The visitor's name for the server has changed: her own talks. */
	async move(place) {
		if (place === this.place)
			return;
		this.#drop();
		const { open, looks } = this.state;
		this.place = place;
		this.state = this.#read();
		this.keep({ open, looks });
		await this.show();
	}
}
