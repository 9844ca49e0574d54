/** The look of all pages. No fonts, no images: they must work on a machine without the internet. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #fff; --ink: #1d1f23; --soft: #5b616b; --line: #e3e0da; --link: #1f5fae;
  --good: #1a6b41; --good-bg: #e2f3e8; --bad: #a8201c; --bad-bg: #fde8e6; --warn: #80530a; --warn-bg: #fbf0d6;
  --busy: #1f5fae; --busy-bg: #e4eefa; --calm-bg: #eeece7;
  --gateway: #5b7fb8; --worker: #b9822f; --executor: #3f8f6f; --other: #84808c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --card: #1c1f23; --ink: #e7e6e3; --soft: #a0a5ae; --line: #30343a; --link: #8ab8f2;
    --good: #7fd6a4; --good-bg: #17362a; --bad: #ff9d95; --bad-bg: #43201f; --warn: #ecc578; --warn-bg: #3a2e16;
    --busy: #8ab8f2; --busy-bg: #1b2f47; --calm-bg: #2a2d32;
    --gateway: #7fa3dc; --worker: #d7a356; --executor: #65b896; --other: #9995a2;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, button:focus-visible, input:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px;
}
.wrap { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
.top { border-bottom: 1px solid var(--line); background: var(--card); }
.top .wrap { display: flex; align-items: baseline; gap: 1.25rem; padding-block: .8rem; }
.top strong { font-size: 1.05rem; letter-spacing: -.01em; margin-right: auto; }
.top strong a { color: inherit; text-decoration: none; }
main.wrap { padding-block: 1.5rem 4rem; }
h1 { font-size: 1.35rem; line-height: 1.35; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.05rem; margin: 2.25rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0; }
p { margin: .5rem 0; }
.soft { color: var(--soft); }
.small { font-size: .85rem; }
.mono, code, pre { font-family: ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: .85em; }
.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.nowrap { white-space: nowrap; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.pad { padding: 1rem 1.1rem; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; font-size: .8rem; color: var(--soft); }
th, td { padding: .6rem .75rem; vertical-align: top; border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
td.query { overflow-wrap: anywhere; width: 42%; }
td.query a { color: var(--ink); text-decoration-color: var(--line); }
td.query a:hover { color: var(--link); text-decoration-color: currentColor; }
.badge { display: inline-block; padding: 0 .5rem; border-radius: 1rem; font-size: .8rem; line-height: 1.55rem; white-space: nowrap; background: var(--calm-bg); color: var(--ink); }
.badge.good { background: var(--good-bg); color: var(--good); }
.badge.bad { background: var(--bad-bg); color: var(--bad); }
.badge.warn { background: var(--warn-bg); color: var(--warn); }
.badge.busy { background: var(--busy-bg); color: var(--busy); }
.banner { border-left: 4px solid var(--bad); background: var(--bad-bg); border-radius: 0 8px 8px 0; padding: .7rem 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
.banner.warn { border-color: var(--warn); background: var(--warn-bg); }
.fault { color: var(--bad); overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .75rem 1.5rem; margin: 1rem 0 0; }
.facts .id { grid-column: span 2; }
.facts dt { font-size: .8rem; color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.query-text { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 16rem; overflow: auto; }
pre { margin: .3rem 0 0; padding: .6rem .75rem; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; max-height: 20rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.call { margin-bottom: .75rem; }
.call header { display: flex; flex-wrap: wrap; gap: .5rem; align-items: baseline; }
.call.bad { border-left: 4px solid var(--bad); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .25rem 1rem; margin-top: .5rem; }
.label { font-size: .8rem; color: var(--soft); margin: .4rem 0 0; }
.spans { table-layout: fixed; }
.spans th, .spans td { padding-block: .3rem; }
.spans tbody th { font-size: .88rem; font-weight: 400; color: var(--ink); }
.spans .name { width: 36%; overflow-wrap: anywhere; }
.spans .took { width: 6.5rem; text-align: right; }
.spans td.took { font-size: .85rem; }
.axis { display: flex; justify-content: space-between; font-weight: 400; }
.bar { display: block; width: 100%; height: 1.4rem; overflow: visible; }
.bar .track { fill: var(--line); }
.bar .gateway { fill: var(--gateway); } .bar .worker { fill: var(--worker); }
.bar .executor { fill: var(--executor); } .bar .other { fill: var(--other); }
.bar .failed { fill: var(--bad); }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .5rem 0 0; }
.key svg { width: .7rem; height: .7rem; vertical-align: -.05rem; }
.key .gateway { fill: var(--gateway); } .key .worker { fill: var(--worker); }
.key .executor { fill: var(--executor); } .key .other { fill: var(--other); }
.key .failed { fill: var(--bad); }
.d1 { padding-left: .8rem; } .d2 { padding-left: 1.6rem; } .d3 { padding-left: 2.4rem; }
.d4 { padding-left: 3.2rem; } .d5 { padding-left: 4rem; } .d6 { padding-left: 4.8rem; }
summary { cursor: pointer; }
.attributes { margin: .3rem 0 .3rem 1rem; font-size: .8rem; }
.attributes dt { color: var(--soft); } .attributes dd { margin: 0 0 .2rem; overflow-wrap: anywhere; }
.pages { display: flex; gap: 1.25rem; margin-top: 1rem; }
.only-narrow { display: none; }
form { display: grid; gap: .75rem; max-width: 26rem; }
label { font-weight: 600; }
input { font: inherit; width: 100%; padding: .5rem .6rem; color: inherit; background: var(--paper); border: 1px solid var(--soft); border-radius: 6px; }
button { font: inherit; justify-self: start; padding: .45rem 1.1rem; border: 0; border-radius: 6px; background: var(--link); color: var(--card); cursor: pointer; }
@media (max-width: 46rem) {
  .wrap { padding-inline: .9rem; }
  th, td { padding: .55rem .6rem; }
  .only-wide { display: none; }
  .only-narrow { display: block; }
  .pair { grid-template-columns: 1fr; }
  td.query { width: auto; }
  .facts { grid-template-columns: 1fr 1fr; gap: .6rem 1rem; }
  .spans .name { width: 44%; } .spans .took { width: 4.6rem; }
  .d1, .d2, .d3, .d4, .d5, .d6 { padding-left: .5rem; } .d3, .d4 { padding-left: .9rem; } .d5, .d6 { padding-left: 1.3rem; }
}
@media (prefers-reduced-motion: no-preference) {
  .live::before { content: '●'; color: var(--busy); margin-right: .4rem; animation: pulse 1.6s ease-in-out infinite; }
  @keyframes pulse { 50% { opacity: .25; } }
}
`;
