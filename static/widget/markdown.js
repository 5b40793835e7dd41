/*
 * Markdown of answers to nodes of a document.  Nodes are made one by one and
 * text is only ever text, so there is no HTML that could be wrong: raw HTML is
 * shown as it was written, images are links, and links lead to https, http,
 * mailto and tel only.  Reads what models write: paragraphs, headings, lists,
 * quotes, code, tables, rules, emphasis, links.  src/page/markdown.c makes the
 * same for pages without scripts.
 */
const DEPTH = 12; /* of lists and quotes in one another */
const FAR = 1500; /* characters that a closing mark may be away */
/* None of these goes back over a long line more than once. */
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t](.*)$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:([ \t]+)(.*)|[ \t]*)$/;
const DELIMITER = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}_]/u;

/* Where a link may lead, or null. */
export function safeUrl(text) {
	let url;
	try {
		url = new URL(text.trim());
	} catch {
		return null;
	}
	return ['https:', 'http:', 'mailto:', 'tel:'].includes(url.protocol) && !url.username ? url.href : null;
}

const make = (name, ...children) => {
	const e = document.createElement(name);
	e.append(...children);
	return e;
};

function anchor(href, ...children) {
	const a = make('a', ...children);
	a.href = href;
	a.target = '_blank';
	a.rel = 'noopener noreferrer nofollow ugc';
	return a;
}

/* -- within a line ------------------------------------------------------ */

/* The place after what closes ${open} (a [ or a parenthesis), or -1. */
function balanced(s, at, open, close) {
	let depth = 0;
	for (let i = at; i < s.length && i < at + FAR; i++) {
		if (s[i] === '\\')
			i++;
		else if (s[i] === open)
			depth++;
		else if (s[i] === close && --depth === 0)
			return i + 1;
	}
	return -1;
}

/* [text](address "title") from the bracket on: {text, address, end} or null. */
function linkAt(s, at) {
	const middle = balanced(s, at, '[', ']');
	if (middle < 0 || s[middle] !== '(')
		return null;
	const end = balanced(s, middle, '(', ')');
	if (end < 0)
		return null;
	const inner = s.slice(middle + 1, end - 1).trim();
	const m = /^(?:<([^<>\n]*)>|(\S*))(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?$/.exec(inner);
	return m && { text: s.slice(at + 1, middle - 1), address: (m[1] ?? m[2]).replace(/\\([!-/:-@[-`{-~])/g, '$1'), end };
}

/* Where ${mark} closes what begins at ${from}, or -1. */
function closing(s, from, mark) {
	for (let i = s.indexOf(mark, from + 1); i >= 0 && i < from + FAR; i = s.indexOf(mark, i + 1)) {
		if (/\s/.test(s[i - 1]) || s[i - 1] === '\\')
			continue;
		if (mark.length === 1 && (s[i + 1] === mark || s[i - 1] === mark)) {
			while (s[i + 1] === mark)
				i++;
			continue;
		}
		if (mark[0] === '_' && WORD.test(s[i + mark.length] || ''))
			continue;
		return i;
	}
	return -1;
}

const MARKS = [['**', 'strong'], ['__', 'strong'], ['~~', 'del'], ['*', 'em'], ['_', 'em']];

function emphasis(s, at, deep) {
	for (const [mark, name] of MARKS) {
		if (!s.startsWith(mark, at))
			continue;
		const from = at + mark.length;
		if (!s[from] || /\s/.test(s[from]) || (mark.length === 1 && s[from] === mark) || (mark[0] === '_' && WORD.test(s[at - 1] || '')))
			continue;
		const end = closing(s, from, mark);
		if (end > from)
			return { node: make(name, ...inline(s.slice(from, end), deep + 1)), end: end + mark.length };
	}
	return null;
}

function code(s, at) {
	const ticks = /^`+/.exec(s.slice(at, at + 64))[0];
	for (let end = s.indexOf(ticks, at + ticks.length); end >= 0; end = s.indexOf(ticks, end)) {
		let after = end;
		while (s[after] === '`')
			after++;
		if (after - end === ticks.length) {
			const text = s.slice(at + ticks.length, end).replace(/\n/g, ' ');
			return { node: make('code', /^ .*[^ ].* $/.test(text) ? text.slice(1, -1) : text), end: after };
		}
		end = after;
	}
	return { node: ticks, end: at + ticks.length };
}

function link(s, at, deep) {
	const image = s[at] === '!';
	const found = linkAt(s, at + (image ? 1 : 0));
	if (!found)
		return null;
	const href = safeUrl(found.address);
	const text = image ? [found.text || found.address] : inline(found.text, deep + 1, true);
	return { node: href ? anchor(href, ...text) : make('span', ...text), end: found.end };
}

function bare(s, at) {
	const m = /^(?:https?:\/\/)[^\s<>"'`*|\\]+/i.exec(s.slice(at, at + 2048));
	if (!m || WORD.test(s[at - 1] || ''))
		return null;
	let text = m[0].replace(/[.,:;!?_~]+$/, '');
	while (text.endsWith(')') && text.split(')').length > text.split('(').length)
		text = text.slice(0, -1);
	const href = safeUrl(text);
	return href && { node: anchor(href, text), end: at + text.length };
}

function angle(s, at) {
	const m = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i.exec(s.slice(at, at + 2048));
	const href = m && safeUrl(m[1]);
	return href && { node: anchor(href, m[1]), end: at + m[0].length };
}

function special(s, at, deep, linked) {
	switch (s[at]) {
	case '`':
		return code(s, at);
	case '*': case '_': case '~':
		return emphasis(s, at, deep);
	case '!':
		return s[at + 1] === '[' && !linked ? link(s, at, deep) : null;
	case '[':
		return linked ? null : link(s, at, deep);
	case '<':
		return linked ? null : angle(s, at);
	case 'h': case 'H':
		return linked ? null : bare(s, at);
	case '\n':
		return { node: make('br'), end: at + 1 };
	default:
		return null;
	}
}

function inline(s, deep = 0, linked = false) {
	const out = [];
	let text = '';
	for (let i = 0; i < s.length;) {
		if (s[i] === '\\' && PUNCTUATION.test(s[i + 1] || '')) {
			text += s[i + 1];
			i += 2;
			continue;
		}
		const found = deep < DEPTH ? special(s, i, deep, linked) : null;
		if (!found) {
			text += s[i++];
			/* a run of one mark is looked at once */
			while ((s[i] === '*' || s[i] === '_' || s[i] === '~') && s[i] === s[i - 1])
				text += s[i++];
			continue;
		}
		if (text)
			out.push(text);
		text = '';
		out.push(found.node);
		i = found.end;
	}
	if (text)
		out.push(text);
	return out;
}

/* -- blocks ------------------------------------------------------------- */

const cells = (line) => {
	const text = line.trim().replace(/^\|/, '').replace(/(^|[^\\])\|$/, '$1');
	return text.split(/(?<!\\)\|/).map((c) => c.trim().replace(/\\\|/g, '|'));
};

function isTable(lines, i) {
	return lines[i].includes('|') && i + 1 < lines.length && lines[i + 1].length < 1000 && DELIMITER.test(lines[i + 1]) &&
		cells(lines[i]).length === cells(lines[i + 1]).length;
}

const starts = (lines, i) => FENCE.test(lines[i]) || HEADING.test(lines[i]) || RULE.test(lines[i]) || QUOTE.test(lines[i]) ||
	/^ {0,3}(?:[-*+]|1[.)])[ \t]+\S/.test(lines[i]);

/* The lines of one block from i on: [kind, first line after it]. */
function blockAt(lines, i) {
	const fence = FENCE.exec(lines[i]);
	if (fence) {
		let end = i + 1;
		while (end < lines.length && !(lines[end].trim().startsWith(fence[1]) && /^[`~]+$/.test(lines[end].trim())))
			end++;
		return ['code', Math.min(end + 1, lines.length)];
	}
	if (HEADING.test(lines[i]))
		return ['heading', i + 1];
	if (RULE.test(lines[i]))
		return ['rule', i + 1];
	if (QUOTE.test(lines[i])) {
		let end = i + 1;
		while (end < lines.length && lines[end].trim() && (QUOTE.test(lines[end]) || !starts(lines, end)))
			end++;
		return ['quote', end];
	}
	const item = ITEM.exec(lines[i]);
	if (item) {
		let end = i + 1;
		for (; end < lines.length; end++) {
			const line = lines[end];
			if (!line.trim()) {
				if (end + 1 < lines.length && (/^[ \t]{2,}\S/.test(lines[end + 1]) || sameList(item, lines[end + 1])))
					continue;
				break;
			}
			const next = ITEM.exec(line);
			if (next && !sameList(item, line) && next[1].length < 2)
				break;
			if (!next && !/^[ \t]/.test(line) && (starts(lines, end) || !lines[end - 1].trim()))
				break;
		}
		return ['list', end];
	}
	if (isTable(lines, i)) {
		let end = i + 2;
		while (end < lines.length && lines[end].trim() && lines[end].includes('|'))
			end++;
		return ['table', end];
	}
	let end = i + 1;
	while (end < lines.length && lines[end].trim() && !starts(lines, end) && !isTable(lines, end))
		end++;
	return ['text', end];
}

function sameList(item, line) {
	const m = ITEM.exec(line);
	return !!m && m[1].length < 2 + item[1].length && /\d/.test(m[2]) === /\d/.test(item[2]) && m[2].slice(-1) === item[2].slice(-1);
}

function codeBlock(lines) {
	const [, mark, info] = FENCE.exec(lines[0]);
	const language = info.trim().split(/\s/)[0];
	const closed = lines.length > 1 && lines[lines.length - 1].trim().startsWith(mark) && /^[`~]+$/.test(lines[lines.length - 1].trim());
	const pre = make('pre', make('code', lines.slice(1, closed ? -1 : undefined).join('\n')));
	pre.tabIndex = 0;
	pre.dir = 'ltr';
	if (language)
		pre.dataset.language = language.slice(0, 32);
	return pre;
}

function list(lines, deep) {
	const first = ITEM.exec(lines[0]);
	const ordered = /\d/.test(first[2]);
	const out = make(ordered ? 'ol' : 'ul');
	const loose = lines.some((l, i) => i > 0 && i < lines.length - 1 && !l.trim());
	let item = [], indent = 0;
	const close = () => {
		if (item.length)
			out.append(make('li', ...blocks(item, deep + 1, !loose)));
	};
	if (ordered && parseInt(first[2], 10) !== 1)
		out.start = parseInt(first[2], 10);
	for (const line of lines) {
		const m = ITEM.exec(line);
		if (m && m[1].length < Math.max(indent, 1) && sameList(first, line)) {
			close();
			indent = m[1].length + m[2].length + Math.min((m[3] || ' ').length, 4);
			item = [m[4] || ''];
		} else {
			const own = /^[ \t]*/.exec(line)[0].length;
			item.push(line.slice(Math.min(own, indent)));
		}
	}
	close();
	return out;
}

function table(lines) {
	const sides = cells(lines[1]).map((c) => c.startsWith(':') && c.endsWith(':') ? 'center' : c.endsWith(':') ? 'end' : '');
	const row = (line, name) => make('tr', ...cells(line).slice(0, sides.length).map((text, i) => {
		const cell = make(name, ...inline(text));
		if (name === 'th')
			cell.scope = 'col';
		if (sides[i])
			cell.className = sides[i];
		return cell;
	}));
	const scroll = make('div', make('table', make('thead', row(lines[0], 'th')), make('tbody', ...lines.slice(2).map((l) => row(l, 'td')))));
	scroll.className = 'table';
	scroll.tabIndex = 0;
	return scroll;
}

function block(kind, lines, deep, tight) {
	switch (kind) {
	case 'code':
		return [codeBlock(lines)];
	case 'heading': {
		const [, marks, text] = HEADING.exec(lines[0]);
		/* below the chat's own title, and no level is left out */
		const h = make('h3', ...inline(text.trim().replace(/(^|[ \t])#{1,9}$/, '').trim()));
		h.className = marks.length < 3 ? 'large' : '';
		return [h];
	}
	case 'rule':
		return [make('hr')];
	case 'quote':
		return [make('blockquote', ...blocks(lines.map((l) => l.replace(QUOTE, '')), deep + 1))];
	case 'list':
		return [list(lines, deep)];
	case 'table':
		return [table(lines)];
	default: {
		const text = inline(lines.map((l) => l.trim()).join('\n'));
		return tight ? text : [make('p', ...text)];
	}
	}
}

function* split(lines, deep) {
	for (let i = 0; i < lines.length;) {
		if (!lines[i].trim()) {
			i++;
			continue;
		}
		const [kind, end] = deep < DEPTH ? blockAt(lines, i) : ['text', lines.length];
		yield [kind, lines.slice(i, end)];
		i = end;
	}
}

function blocks(lines, deep, tight = false) {
	return [...split(lines, deep)].flatMap(([kind, own]) => block(kind, own, deep, tight));
}

/* The nodes of a whole text. */
export function markdown(text) {
	return blocks(text.replace(/\r\n?/g, '\n').split('\n'), 0);
}

/*
 * Make ${into} show ${text}, which may have grown since the last time: blocks
 * that are the same keep their nodes, so that a long answer costs no more at
 * its end than at its start, and a selection stays.
 */
export function show(into, text) {
	const had = into.shown || [];
	const now = [...split(text.replace(/\r\n?/g, '\n').split('\n'), 0)].map(([kind, lines]) => ({ kind, lines, text: kind + lines.join('\n') }));
	let same = 0;
	while (same < had.length && same < now.length && had[same].text === now[same].text)
		now[same] = had[same++];
	for (const old of had.slice(same))
		old.nodes.forEach((n) => n.remove());
	for (const b of now.slice(same)) {
		b.nodes = block(b.kind, b.lines, 0, false);
		into.append(...b.nodes);
	}
	into.shown = now;
}
