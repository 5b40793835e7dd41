/* What the chat says itself. */
const en = {
	title: 'Chat', open: 'Open the chat', close: 'Close the chat', again: 'Start a new conversation', person: 'Talk to a person', menu: 'More',
	placeholder: 'Write a message …', message: 'Your message', send: 'Send', stop: 'Stop the answer', log: 'Conversation', you: 'You',
	greeting: 'Hello! How can I help you?', thinking: 'Writing …', stopped: 'Stopped.', copy: 'Copy', copied: 'Copied',
	good: 'Good answer', bad: 'Bad answer', thanks: 'Thank you for telling us.', sources: 'Sources', answered: 'Answer',
	using: 'Looking up: {0} …', used: 'Looked up: {0}', failedTool: 'Could not look up: {0}',
	lost: 'The connection was lost. Trying again …', offline: 'You are offline. Your message is kept.', limit: 'Many questions at once. One moment …',
	failed: 'That did not work.', retry: 'Try again', number: 'Number of this request: {0}',
	limited: 'That was a lot of questions. Please wait a little.', busy: 'The assistant is busy just now.', gone: 'This chat is not available at the moment.',
	cut: 'The answer was cut off here.', filtered: 'The answer was ended by a content filter.',
	email: 'E-mail address', emailWhy: 'So that we can come back to you.', emailSend: 'Continue', emailSkip: 'Without an address', emailBad: 'That is not an e-mail address.',
	consentOk: 'I agree', consentMore: 'Read more', handed: 'A person will take over. You can go on writing here.', latest: 'To the latest message', table: 'Table', code: 'Code',
};
const de = {
	title: 'Chat', open: 'Chat öffnen', close: 'Chat schließen', again: 'Neues Gespräch beginnen', person: 'Mit einem Menschen sprechen', menu: 'Mehr',
	placeholder: 'Nachricht schreiben …', message: 'Ihre Nachricht', send: 'Senden', stop: 'Antwort anhalten', log: 'Gespräch', you: 'Sie',
	greeting: 'Guten Tag! Wie kann ich Ihnen helfen?', thinking: 'Schreibt …', stopped: 'Angehalten.', copy: 'Kopieren', copied: 'Kopiert',
	good: 'Gute Antwort', bad: 'Schlechte Antwort', thanks: 'Danke für Ihre Rückmeldung.', sources: 'Quellen', answered: 'Antwort',
	using: 'Schlägt nach: {0} …', used: 'Nachgeschlagen: {0}', failedTool: 'Nicht gefunden: {0}',
	lost: 'Die Verbindung ist abgerissen. Neuer Versuch …', offline: 'Sie sind offline. Ihre Nachricht bleibt erhalten.', limit: 'Viele Fragen auf einmal. Einen Moment …',
	failed: 'Das hat nicht geklappt.', retry: 'Noch einmal', number: 'Nummer dieser Anfrage: {0}',
	limited: 'Das waren viele Fragen. Bitte warten Sie ein wenig.', busy: 'Der Assistent ist gerade ausgelastet.', gone: 'Dieser Chat ist im Moment nicht verfügbar.',
	cut: 'Die Antwort bricht hier ab.', filtered: 'Die Antwort wurde von einem Inhaltsfilter beendet.',
	email: 'E-Mail-Adresse', emailWhy: 'Damit wir uns bei Ihnen melden können.', emailSend: 'Weiter', emailSkip: 'Ohne Adresse', emailBad: 'Das ist keine E-Mail-Adresse.',
	consentOk: 'Ich bin einverstanden', consentMore: 'Mehr dazu', handed: 'Ein Mensch übernimmt. Sie können hier weiterschreiben.', latest: 'Zur letzten Nachricht', table: 'Tabelle', code: 'Code',
};
const all = { en, de };

/* A function from names to texts; what a language lacks is English. */
export function words(lang) {
	const own = all[lang] || en;
	return (name, ...values) => (own[name] ?? en[name]).replace(/\{(\d)\}/g, (_, i) => values[i] ?? '');
}
