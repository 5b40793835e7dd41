// Passkeys on /login, /login/code and /me: asks the authenticator and sends what it says with
// the form.  Without this script the forms stay hidden.
'use strict';
(() => {
	const bytes = (text) => Uint8Array.from(
		atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
	const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
		.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

	async function ask(form, path, body) {
		const headers = { 'X-Form-Token': form.elements.form_token.value };
		if (body) headers['Content-Type'] = 'application/json';
		const answer = await fetch(path, {
			method: 'POST', headers, body: body && JSON.stringify(body) });
		const said = await answer.json();
		if (!answer.ok) throw new Error(said.detail || said.title);
		return said;
	}

	async function use(form) {
		const o = await ask(form, '/api/v1/auth/passkey/options');
		const made = await navigator.credentials.get({ publicKey: {
			...o, challenge: bytes(o.challenge) } });
		const r = made.response;
		return { id: made.id, type: made.type, response: {
			clientDataJSON: text(r.clientDataJSON),
			authenticatorData: text(r.authenticatorData),
			signature: text(r.signature),
			userHandle: text(r.userHandle || new ArrayBuffer(0)) } };
	}

	async function add(form) {
		const password = form.querySelector('[type=password]');
		const o = await ask(form, '/api/v1/me/passkeys/options',
			password ? { password: password.value } : {});
		const made = await navigator.credentials.create({ publicKey: {
			...o, challenge: bytes(o.challenge),
			user: { ...o.user, id: bytes(o.user.id) },
			excludeCredentials: o.excludeCredentials.map(
				(c) => ({ ...c, id: bytes(c.id) })) } });
		const r = made.response;
		return { id: made.id, type: made.type, response: {
			clientDataJSON: text(r.clientDataJSON),
			authenticatorData: text(r.getAuthenticatorData()),
			transports: r.getTransports() } };
	}

	function wire(form, what) {
		if (!form || !window.PublicKeyCredential) return;
		const alert = form.querySelector('[role=alert]');
		form.hidden = false;
		form.addEventListener('submit', async (event) => {
			event.preventDefault();
			alert.hidden = true;
			try {
				form.elements.response.value = JSON.stringify(await what(form));
				form.submit();
			} catch (e) {
				alert.textContent = e.name === 'NotAllowedError'
					? 'The passkey was not used.'
					: e.name === 'InvalidStateError'
						? 'This device has a passkey of yours already.' : e.message;
				alert.hidden = false;
			}
		});
	}

	wire(document.getElementById('passkey-use'), use);
	wire(document.getElementById('passkey-add'), add);
})();
