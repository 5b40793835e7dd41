// The console's comforts: everything works without them.
'use strict';
(function () {
	var help = document.getElementById('help');

	function typing(el) {
		return el && (el.isContentEditable || /^(input|textarea|select)$/i.test(el.tagName));
	}
	function closeDrops(but) {
		document.querySelectorAll('details.drop[open]').forEach(function (d) {
			if (d !== but) d.removeAttribute('open');
		});
	}
	document.addEventListener('keydown', function (e) {
		if (e.ctrlKey || e.metaKey || e.altKey) return;
		if (e.key === 'Escape') {
			closeDrops(null);
			var menu = document.getElementById('menu');
			if (menu) menu.checked = false;
			return;
		}
		if (typing(e.target)) return;
		if (e.key === '/') {
			var field = document.querySelector('[data-search]');
			if (field) { e.preventDefault(); field.focus(); field.select(); }
		} else if (e.key === '?' && help && !help.open) {
			e.preventDefault();
			help.showModal();
		}
	});
	document.addEventListener('click', function (e) {
		closeDrops(e.target.closest('details.drop'));
		var opener = e.target.closest('[data-help]');
		if (opener && help) help.showModal();
		var copy = e.target.closest('[data-copy]');
		if (copy) {
			var from = document.getElementById(copy.getAttribute('data-copy'));
			navigator.clipboard.writeText(from.value || from.textContent).then(function () {
				copy.textContent = copy.getAttribute('data-done');
			});
		}
		if (e.target.closest('[data-close]') && help) help.close();
	});
	document.querySelectorAll('[data-script]').forEach(function (el) { el.hidden = false; });
	// A form that is sent twice by a double click does its work once.
	document.addEventListener('submit', function (e) {
		var form = e.target;
		if (form.method !== 'post' || e.defaultPrevented) return;
		if (form.dataset.sent) { e.preventDefault(); return; }
		form.dataset.sent = '1';
	});
	window.addEventListener('pageshow', function () {
		document.querySelectorAll('form[data-sent]').forEach(function (f) { delete f.dataset.sent; });
	});
	// What is filled in and not saved is not lost by a slip.
	var dirty = false;
	document.addEventListener('input', function (e) { if (e.target.closest('form[data-keep]')) dirty = true; });
	document.addEventListener('submit', function () { dirty = false; });
	window.addEventListener('beforeunload', function (e) { if (dirty) e.preventDefault(); });
}());
