/* Requests to the server: the token, problems, and events as they come. */

export class Problem extends Error {
	constructor(status, body, after) {
		super(body.detail || body.title || 'status ' + status);
		this.status = status;
		this.kind = String(body.type || '').replace('/problems/', '');
		this.requestId = body.request_id;
		this.errors = body.errors || [];
		this.after = after; /* seconds to wait, or NaN */
	}
}

/* Is it worth while to ask the same again? */
export const passing = (e) => !(e instanceof Problem) || [408, 409, 425, 429, 500, 502, 503, 504].includes(e.status);

async function problem(answer) {
	let body = {};
	try {
		body = await answer.json();
	} catch {
		/* not ours, or cut off: the status says enough */
	}
	return new Problem(answer.status, body && typeof body === 'object' ? body : {}, parseFloat(answer.headers.get('Retry-After')));
}

export class Wire {
	#token = null;
	#until = 0;
	#asking = null;

	/* ${key}: a widget key; without one ${tokenPath} gives tokens itself, as
	 * the hosted page's does.  ${told}(answer) hears how the chat looks. */
	constructor({ base, account, agent, key, tokenPath, told }) {
		this.root = new URL('accounts/' + encodeURIComponent(account), base).href;
		Object.assign(this, { base, agent, key, tokenPath, told, visitor: null });
	}

	forget() {
		this.#token = null;
	}

	token() {
		if (this.#token && Date.now() < this.#until)
			return Promise.resolve(this.#token);
		if (!this.#asking)
			this.#asking = this.#renew().finally(() => { this.#asking = null; });
		return this.#asking;
	}

	async #renew() {
		const body = {};
		const headers = { 'Content-Type': 'application/json' };
		if (this.agent && !this.tokenPath)
			body.agent = this.agent;
		if (this.visitor)
			body.visitor_token = this.visitor;
		if (this.key)
			headers['X-Widget-Key'] = this.key;
		const answer = await fetch(this.tokenPath ? new URL(this.tokenPath, this.base) : this.root + '/widget/token',
			{ method: 'POST', headers, body: JSON.stringify(body), credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(20000) });
		if (!answer.ok)
			throw await problem(answer);
		const got = await answer.json();
		this.#token = got.token;
		this.#until = Date.now() + got.expires_in * 900;
		this.told(got);
		return this.#token;
	}

	/* An answer with a status below 400; else a Problem, or what fetch()
	 * throws.  A token that has ended is changed for another, once. */
	async ask(method, path, { body, headers, signal, anew } = {}) {
		const token = await this.token();
		const answer = await fetch(this.root + path, { method, signal, credentials: 'omit', cache: 'no-store',
			headers: { Authorization: 'Bearer ' + token, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
			body: body === undefined ? undefined : JSON.stringify(body) });
		if (answer.status < 400)
			return answer;
		const why = await problem(answer);
		if ((answer.status !== 401 && answer.status !== 403) || anew)
			throw why;
		this.forget();
		return this.ask(method, path, { body, headers, signal, anew: true });
	}

	async json(method, path, body) {
		const answer = await this.ask(method, path, { body, signal: AbortSignal.timeout(20000) });
		return answer.status === 204 ? null : answer.json();
	}
}

/*
 * The events of a stream, each {event, id, data}; ends when the stream does,
 * throws when it breaks or says nothing, not even a heartbeat, for ${quiet} ms:
 * a machine that slept finds such a connection.
 */
export async function* events(answer, abort, quiet, heard) {
	const reader = answer.body.getReader();
	const decoder = new TextDecoder();
	let timer, rest = '', now = { event: 'message', data: [] };
	const listen = () => {
		heard();
		clearTimeout(timer);
		timer = setTimeout(() => abort.abort(new Error('silence')), quiet);
	};
	try {
		for (;;) {
			listen();
			const { value, done } = await reader.read();
			if (done)
				return;
			rest += decoder.decode(value, { stream: true });
			for (let at; (at = rest.indexOf('\n')) >= 0; rest = rest.slice(at + 1)) {
				const line = rest.slice(0, at).replace(/\r$/, '');
				const colon = line.indexOf(':');
				const field = colon < 0 ? line : line.slice(0, colon);
				const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
				if (field === 'event')
					now.event = text;
				else if (field === 'id')
					now.id = text;
				else if (field === 'data')
					now.data.push(text);
				else if (line === '') {
					if (now.data.length)
						yield { event: now.event, id: now.id, data: JSON.parse(now.data.join('\n')) };
					now = { event: 'message', data: [] };
				}
			}
		}
	} finally {
		clearTimeout(timer);
		reader.cancel().catch(() => {});
	}
}
