/* The chat's sheet: light and dark, any direction of writing, 320 px to wide. */
export const CSS = `
:host { --_ground: #fff; --_soft: #f3f4f8; --_line: #e0e4ec; --_text: #1b2130; --_dim: #545d70; --_field: #8b94a7; --_bad: #a61b2b; --_badground: #fdecee; --_good: #0f6b3d;
	--_code: #f1f3f8; --_shadow: 0 2px 6px rgb(15 20 40 / 12%), 0 18px 48px rgb(15 20 40 / 22%); }
:host([theme="dark"]) { color-scheme: dark; --_ground: #161b25; --_soft: #212836; --_line: #2f3848; --_text: #e9ecf3; --_dim: #a9b2c4; --_field: #66718a; --_bad: #ff9aa5; --_badground: #391419; --_good: #7edba6;
	--_code: #10141d; --_shadow: 0 2px 6px rgb(0 0 0 / 40%), 0 18px 48px rgb(0 0 0 / 50%); }
:host([theme="light"]) { color-scheme: light; }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { --_ground: #161b25; --_soft: #212836; --_line: #2f3848; --_text: #e9ecf3; --_dim: #a9b2c4; --_field: #66718a; --_bad: #ff9aa5; --_badground: #391419; --_good: #7edba6;
	--_code: #10141d; --_shadow: 0 2px 6px rgb(0 0 0 / 40%), 0 18px 48px rgb(0 0 0 / 50%); } }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.panel { position: fixed; z-index: var(--_z); right: var(--_x); bottom: calc(var(--_x) + env(safe-area-inset-bottom)); width: min(25.5rem, calc(100vw - 2 * var(--_x)));
	height: min(44rem, calc(100vh - 2 * var(--_x))); height: min(44rem, calc(100dvh - 2 * var(--_x))); display: grid; grid-template-rows: auto minmax(0, 1fr) auto auto; overflow: hidden;
	background: var(--switchboard-background, var(--_ground)); color: var(--switchboard-color, var(--_text)); border: 1px solid var(--_line); border-radius: var(--switchboard-radius, 1rem); box-shadow: var(--_shadow);
	font: 400 .9375rem/1.5 var(--switchboard-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif); text-align: start; overflow-wrap: anywhere; }
:host([position="bottom-left"]) .panel { right: auto; left: var(--_x); }
:host([mode="page"]) .panel { position: static; width: 100%; height: 100%; max-width: 48rem; margin: 0 auto; border: 0; border-radius: 0; box-shadow: none; }
:host([mode="page"]) { display: block; height: 100%; background: var(--_ground); }
.head { display: flex; align-items: center; gap: .25rem; padding: .75rem .75rem .75rem 1rem; border-bottom: 1px solid var(--_line); min-width: 0; }
[dir="rtl"] .head, .panel[dir="rtl"] .head { padding: .75rem 1rem .75rem .75rem; }
.face { flex: none; display: grid; place-items: center; width: 2.25rem; height: 2.25rem; border-radius: 50%; background: var(--_a); color: var(--_on); }
.face svg { width: 1.25rem; height: 1.25rem; fill: currentcolor; }
.names { flex: 1; min-width: 0; margin-inline: .5rem .25rem; }
h1, h2 { margin: 0; font-size: 1rem; font-weight: 650; line-height: 1.3; letter-spacing: -.005em; overflow: hidden; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; }
.sub { margin: 0; font-size: .8125rem; line-height: 1.35; color: var(--_dim); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
button { font: inherit; color: inherit; cursor: pointer; }
.icon { all: unset; box-sizing: border-box; display: inline-grid; place-items: center; flex: none; width: 2.5rem; height: 2.5rem; border-radius: .625rem; cursor: pointer; color: var(--_dim); }
.icon:hover { background: var(--_soft); color: var(--_text); }
.icon svg { width: 1.25rem; height: 1.25rem; fill: none; stroke: currentcolor; stroke-width: 1.9; stroke-linecap: round; stroke-linejoin: round; }
:focus-visible { outline: 2px solid var(--_text); outline-offset: 2px; }
.log { overflow-y: auto; overscroll-behavior: contain; padding: 1rem; scroll-behavior: auto; }
.log:focus-visible, .icon:focus-visible { outline-offset: -2px; }
.messages { list-style: none; margin: 0; padding: 0; display: flex; flex-direction: column; gap: 1rem; }
.messages > li { max-width: 100%; min-width: 0; }
.user { align-self: flex-end; max-width: 86% !important; display: flex; flex-direction: column; align-items: flex-end; }
.user .text { padding: .5rem .875rem; border-radius: 1.125rem 1.125rem .25rem 1.125rem; background: var(--_a); color: var(--_on); white-space: pre-wrap; }
[dir="rtl"] .user .text { border-radius: 1.125rem 1.125rem 1.125rem .25rem; }
.user.waiting .text { opacity: .72; }
.note { align-self: center; max-width: 30rem; padding: .25rem .75rem; color: var(--_dim); font-size: .8125rem; text-align: center; }
.text > :first-child { margin-top: 0; }
.text > :last-child { margin-bottom: 0; }
.text p, .text ul, .text ol, .text blockquote, .text pre, .text .table { margin: .625rem 0; }
.text h3 { margin: 1rem 0 .375rem; font-size: 1rem; font-weight: 650; line-height: 1.3; }
.text h3.large { font-size: 1.0625rem; }
.text ul, .text ol { padding-inline-start: 1.375rem; }
.text li { margin: .1875rem 0; }
.text li > ul, .text li > ol { margin: .1875rem 0; }
.text a { color: inherit; text-decoration: underline; text-underline-offset: .15em; text-decoration-thickness: 1px; }
.text a:hover { text-decoration-thickness: 2px; }
.text blockquote { margin-inline: 0; padding-inline-start: .75rem; border-inline-start: 3px solid var(--_line); color: var(--_dim); }
.text hr { border: 0; border-top: 1px solid var(--_line); margin: .875rem 0; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
.text :not(pre) > code { padding: .0625rem .25rem; border-radius: .25rem; background: var(--_code); }
pre { position: relative; overflow-x: auto; padding: .75rem .875rem; border: 1px solid var(--_line); border-radius: .625rem; background: var(--_code); text-align: left; overflow-wrap: normal; line-height: 1.45; }
.table { overflow-x: auto; border: 1px solid var(--_line); border-radius: .625rem; overflow-wrap: normal; }
table { border-collapse: collapse; min-width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .375rem .625rem; border-bottom: 1px solid var(--_line); text-align: start; vertical-align: top; }
th { font-weight: 600; background: var(--_soft); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th.end, td.end { text-align: end; }
th.center, td.center { text-align: center; }
.dots { display: inline-flex; gap: .25rem; padding: .375rem 0; }
.dots i { width: .4375rem; height: .4375rem; border-radius: 50%; background: var(--_dim); animation: dot 1.1s ease-in-out infinite; }
.dots i:nth-child(2) { animation-delay: .15s; }
.dots i:nth-child(3) { animation-delay: .3s; }
@keyframes dot { 0%, 60%, 100% { opacity: .3; transform: none; } 30% { opacity: 1; transform: translateY(-.1875rem); } }
.tools { list-style: none; margin: 0 0 .5rem; padding: 0; display: flex; flex-direction: column; gap: .25rem; }
.tools li { display: flex; align-items: center; gap: .5rem; color: var(--_dim); font-size: .8125rem; }
.tools li::before { content: ""; flex: none; width: .75rem; height: .75rem; border-radius: 50%; border: 2px solid var(--_line); border-top-color: var(--_dim); animation: turn .9s linear infinite; }
.tools li.ended::before { animation: none; border-color: var(--_good); background: var(--_good); box-shadow: inset 0 0 0 1px var(--_ground); }
.tools li.ended.failed::before { border-color: var(--_bad); background: var(--_bad); }
@keyframes turn { to { transform: rotate(1turn); } }
.sources { margin-top: .625rem; font-size: .8125rem; color: var(--_dim); }
.sources summary { cursor: pointer; width: max-content; max-width: 100%; border-radius: .25rem; font-weight: 550; }
.sources ol { list-style: none; margin: .375rem 0 0; padding: 0; display: grid; gap: .375rem; }
.sources li { display: grid; grid-template-columns: auto minmax(0, 1fr); column-gap: .5rem; align-items: baseline; }
.sources .n { min-width: 1.25rem; padding: 0 .25rem; border-radius: .3125rem; background: var(--_soft); color: var(--_text); text-align: center; font-variant-numeric: tabular-nums; font-size: .75rem; }
.sources a, .sources .title { color: var(--_text); font-weight: 550; }
.sources q { grid-column: 2; quotes: none; display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; }
.acts { display: flex; align-items: center; gap: .125rem; margin: .25rem 0 0; margin-inline-start: -.4375rem; min-height: 2rem; }
.acts .icon { width: 2rem; height: 2rem; border-radius: .5rem; }
.acts .icon svg { width: 1rem; height: 1rem; }
.acts .icon[aria-pressed="true"] { color: var(--_text); background: var(--_soft); }
.acts .icon[aria-pressed="true"] svg { fill: currentcolor; stroke: var(--_soft); }
.acts .said { margin-inline-start: .375rem; font-size: .8125rem; color: var(--_dim); }
.wrong { margin-top: .5rem; padding: .625rem .75rem; border-radius: .625rem; background: var(--_badground); color: var(--_bad); font-size: .875rem; }
.wrong p { margin: 0; }
.wrong .small { font-size: .75rem; margin-top: .25rem; }
.quiet { all: unset; box-sizing: border-box; display: inline-block; margin-top: .5rem; padding: .25rem .75rem; border: 1px solid currentcolor; border-radius: .5rem; font: inherit; font-weight: 600; font-size: .875rem; cursor: pointer; }
.cut { margin: .375rem 0 0; font-size: .8125rem; color: var(--_dim); font-style: italic; }
.foot { border-top: 1px solid var(--_line); padding: .625rem .75rem max(.75rem, env(safe-area-inset-bottom)); }
.chips { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 .625rem; padding: 0; list-style: none; }
.chip { all: unset; box-sizing: border-box; padding: .375rem .75rem; border: 1px solid var(--_field); border-radius: 1rem; font: inherit; font-size: .875rem; line-height: 1.3; cursor: pointer; }
.chip:hover { background: var(--_soft); }
.line { display: flex; align-items: flex-end; gap: .5rem; padding: .25rem; padding-inline-start: .75rem; border: 1px solid var(--_field); border-radius: 1.375rem; background: var(--_ground); }
.line[inert] { opacity: .55; }
.line:focus-within { border-color: var(--_text); box-shadow: 0 0 0 1px var(--_text); }
textarea { all: unset; box-sizing: border-box; flex: 1; min-width: 0; min-height: 2.25rem; max-height: 9rem; padding: .4375rem 0; font: inherit; line-height: 1.4; color: inherit; overflow-y: auto; white-space: pre-wrap; overflow-wrap: anywhere; field-sizing: content; cursor: text; }
textarea:focus-visible { outline: 0; }
textarea::placeholder { color: var(--_dim); opacity: 1; }
.go { all: unset; box-sizing: border-box; flex: none; display: grid; place-items: center; width: 2.25rem; height: 2.25rem; border-radius: 50%; background: var(--_a); color: var(--_on); cursor: pointer; }
.go[aria-disabled="true"] { background: var(--_soft); color: var(--_dim); cursor: default; }
.go svg { width: 1.125rem; height: 1.125rem; fill: none; stroke: currentcolor; stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }
.go.stop svg { fill: currentcolor; stroke: none; }
.link { padding: .375rem .75rem; background: var(--_soft); color: var(--_text); font-size: .8125rem; text-align: center; }
.ask { display: grid; gap: .625rem; padding: .875rem; border: 1px solid var(--_line); border-radius: .875rem; background: var(--_soft); }
.ask p { margin: 0; }
.ask-form { display: grid; gap: .5rem; }
.ask label { font-weight: 600; font-size: .875rem; }
.ask input { all: unset; box-sizing: border-box; width: 100%; min-height: 2.5rem; padding: .375rem .75rem; border: 1px solid var(--_field); border-radius: .625rem; background: var(--_ground); font: inherit; cursor: text; }
.ask input:focus-visible { border-color: var(--_text); outline: 1px solid var(--_text); }
.ask .row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.ask .fill { all: unset; box-sizing: border-box; padding: .4375rem 1rem; border-radius: .625rem; background: var(--_a); color: var(--_on); font: inherit; font-weight: 600; cursor: pointer; }
.ask .quiet { margin: 0; border-color: var(--_field); }
.ask a { color: inherit; }
.ask .bad { color: var(--_bad); font-size: .8125rem; }
.latest { position: absolute; bottom: .75rem; inset-inline-start: 50%; translate: -50% 0; width: 2.25rem; height: 2.25rem; border-radius: 50%; background: var(--_ground); border: 1px solid var(--_line); box-shadow: 0 2px 8px rgb(15 20 40 / 18%); }
[dir="rtl"] .latest { translate: 50% 0; }
.middle { position: relative; display: grid; min-height: 0; }
.away { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 480px) { :host(:not([mode="page"])) .panel { inset: 0; width: auto; height: 100vh; height: 100dvh; border: 0; border-radius: 0; } textarea, .ask input { font-size: 1rem; } }
@media (prefers-reduced-motion: no-preference) { .panel { animation: rise .16s ease-out; } :host([mode="page"]) .panel { animation: none; } }
@keyframes rise { from { opacity: 0; transform: translateY(.75rem); } }
@media (prefers-reduced-motion: reduce) { .dots i, .tools li::before { animation: none; } }
@media (forced-colors: active) { .go, .face, .user .text, .launch { border: 1px solid; } }
@media print { .foot, .icon { display: none; } }
`;
